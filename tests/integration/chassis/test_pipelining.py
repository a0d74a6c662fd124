"""A transaction whose statements travel together is still one transaction, and its connection is of use afterwards."""

# ruff: noqa: PT012 (what is expected to fail is a transaction, which is a block)

import psycopg2
import pytest
from kit.pipelines import pipeline
from sqlalchemy import Column, MetaData, Table, Text, bindparam, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, StatementError

from wangge.chassis import pipelining

notes = Table("notes", MetaData(), Column("name", Text, primary_key=True))

WRITE = text("INSERT INTO notes (name) VALUES (:name)")
NAMES = text("SELECT name FROM notes ORDER BY name")
BACKEND = text("SELECT pg_backend_pid()")


def names(engine):
    with pipeline(engine) as asked:
        return asked.execute(NAMES).scalars().all()


def test_what_was_written_is_there_for_what_is_asked_next_and_for_others_after_the_commit(
    engine, database_uri
):
    with pipeline(engine) as one:
        one.write(WRITE, {"name": "甲"})
        one.write(WRITE, {"name": "50 % 乙; DROP TABLE notes --"})
        assert one.execute(NAMES).scalars().all() == ["50 % 乙; DROP TABLE notes --", "甲"]
        with psycopg2.connect(database_uri.replace("+psycopg2", "")) as other, other.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM notes")
            assert cursor.fetchone() == (0,)
        other.close()
    assert len(names(engine)) == 2


@pytest.mark.parametrize("asked", [NAMES, select(notes.c.name)], ids=["text", "core"])
def test_statements_of_both_kinds_run_in_the_order_in_which_they_were_given(engine, asked):
    with pipeline(engine) as one:
        one.write(WRITE, {"name": "a %s %(b)s"})
        one.execute(insert(notes), [{"name": "c"}, {"name": "d"}])
        one.write(text("DELETE FROM notes WHERE name = :name"), {"name": "c"})
        assert sorted(one.execute(asked).scalars()) == ["a %s %(b)s", "d"]


def test_fault_of_a_written_statement_is_raised_by_the_next_one_and_undoes_all(engine):
    with pytest.raises(IntegrityError), pipeline(engine) as one:
        one.write(WRITE, {"name": "a"})
        one.write(WRITE, {"name": "a"})
        one.execute(NAMES)
    assert names(engine) == []


def test_fault_of_the_last_written_statement_is_raised_by_the_commit_and_undoes_all(engine):
    with pytest.raises(IntegrityError), pipeline(engine) as one:
        one.execute(WRITE, {"name": "a"})
        one.write(WRITE, {"name": "a"})
    assert names(engine) == []


def test_fault_that_was_swallowed_does_not_pass_for_a_commit(engine):
    with pytest.raises(RuntimeError, match="ROLLBACK"), pipeline(engine) as one:
        one.execute(WRITE, {"name": "a"})
        with pytest.raises(ProgrammingError):
            one.execute(text("SELECT no_such_column FROM notes"))
    assert names(engine) == []


def test_error_holds_neither_what_was_written_nor_the_parameters(engine):
    with pytest.raises(IntegrityError) as raised, pipeline(engine) as one:
        one.write(WRITE, {"name": "a secret"})
        one.execute(WRITE, {"name": "a secret"})
    assert raised.value.statement == WRITE.text
    assert raised.value.params is None


def test_error_of_a_core_statement_holds_neither_what_was_written_nor_the_parameters(engine):
    with pytest.raises(IntegrityError) as raised, pipeline(engine) as one:
        one.write(WRITE, {"name": "a secret"})
        one.execute(insert(notes).values(name="a secret"))
    shown = f"{raised.value.statement} {raised.value}".partition("DETAIL")[0]
    assert "INSERT INTO notes" in shown
    assert "secret" not in shown


def test_transaction_that_does_nothing_sends_nothing(engine, monkeypatch):
    with pipeline(engine) as one:
        monkeypatch.setattr(one, "_run", None)


def test_connection_that_was_lost_is_given_up_and_the_next_transaction_has_another(engine, database_uri):
    with pytest.raises(OperationalError) as raised, pipeline(engine) as one:
        backend = one.execute(BACKEND).scalar_one()
        end(database_uri, backend)
        one.execute(NAMES)
    assert raised.value.connection_invalidated
    assert names(engine) == []


def test_connection_that_was_lost_while_nobody_used_it_is_noticed_before_it_is_given_out(
    engine, database_uri, monkeypatch
):
    monkeypatch.setattr(pipelining, "UNTRIED_SECONDS", 0.0)
    with pipeline(engine) as one:
        backend = one.execute(BACKEND).scalar_one()
    end(database_uri, backend)
    assert names(engine) == []


def end(database_uri, backend):
    """End a server process, and wait until it has ended."""
    admin = psycopg2.connect(database_uri.replace("+psycopg2", ""))
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", (backend,))
        assert cursor.fetchone() == (True,)
    admin.close()


def test_value_that_cannot_be_sent_costs_no_connection(engine):
    with pipeline(engine) as one:
        backend = one.execute(BACKEND).scalar_one()
        with pytest.raises(ValueError, match="NUL"):
            one.execute(WRITE, {"name": "a\x00b"})
    with pipeline(engine) as one:
        assert one.execute(BACKEND).scalar_one() == backend


def test_statement_that_cannot_be_made_leaves_what_was_written_to_the_next_one(engine):
    with pipeline(engine) as one:
        one.write(WRITE, {"name": "a"})
        with pytest.raises(StatementError):
            one.execute(select(notes.c.name).where(notes.c.name == bindparam("name")), {})
        assert one.execute(NAMES).scalars().all() == ["a"]
