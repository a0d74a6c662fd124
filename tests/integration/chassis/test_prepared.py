"""A constant text is planned once on each connection, and what failed, was not sent or no longer fits is planned anew."""

# ruff: noqa: PT012 (what is expected to fail is a transaction, which is a block)

import pkgutil
from importlib import import_module

import psycopg2
import pytest
from kit.pipelines import pipeline
from sqlalchemy import TextClause, text
from sqlalchemy.exc import DataError, IntegrityError, NotSupportedError

import wangge.chassis
from services import dispatch, intake, notify, points
from wangge.chassis.database import connect
from wangge.chassis.errors import Temporary
from wangge.chassis.faults import classify
from wangge.chassis.prepared import Statement


@pytest.fixture
def write():
    """A text that this test uses for the first time."""
    return text("INSERT INTO notes (name, number) VALUES (:name, CAST(:number AS integer)) RETURNING '100 %'")


def prepared(engine):
    with engine.connect() as connection:
        rows = connection.connection.driver_connection.cursor()
        rows.execute("SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%notes%'")
        return [row[0] for row in rows.fetchall()]


def names(engine):
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT name FROM notes")).scalars())


def test_text_is_prepared_from_its_second_use_on_once(engine, write):
    with pipeline(engine) as one:
        one.write(write, {"name": "a", "number": "1"})
    assert prepared(engine) == []
    for name in "bcdefgh":
        with pipeline(engine) as one:
            assert one.execute(write, {"name": f"{name} %(x)s '; --", "number": None}).scalars().all() == [
                "100 %"
            ]
    assert len(prepared(engine)) == 1
    assert names(engine) == {"a", *(f"{name} %(x)s '; --" for name in "bcdefgh")}


def test_text_is_prepared_and_run_several_times_in_one_message(engine, write):
    with pipeline(engine) as one:
        for name in "abcd":
            one.write(write, {"name": name, "number": 1})
    assert len(prepared(engine)) == 1
    assert names(engine) == set("abcd")


def test_what_was_not_sent_is_prepared_when_it_is(engine, write):
    with pytest.raises(ZeroDivisionError), pipeline(engine) as one:
        one.write(write, {"name": "a", "number": 1})
        one.write(write, {"name": "b", "number": 1})
        raise ZeroDivisionError
    assert prepared(engine) == []
    with pipeline(engine) as one:
        one.write(write, {"name": "c", "number": 1})
    assert names(engine) == {"c"}


def test_failure_leaves_a_connection_on_which_the_next_ones_work(engine, write):
    for beginning in ("BEGIN", "", "BEGIN"):
        with pytest.raises(IntegrityError), pipeline(engine, beginning) as one:
            one.write(write, {"name": "a", "number": 1})
            one.execute(write, {"name": "a", "number": 2})
        with pipeline(engine, beginning) as one:
            one.execute(write, {"name": f"after {beginning}", "number": 3})
        assert len(prepared(engine)) == 1
        with engine.connect() as connection:
            connection.execute(text("DELETE FROM notes"))


def test_value_that_does_not_fit_fails_the_same_way_prepared_and_not(engine, write):
    for _ in range(3):
        with pytest.raises(DataError, match="invalid input syntax for type integer"), pipeline(engine) as one:
            one.execute(write, {"name": "a", "number": "much"})


def test_table_that_gets_a_column_is_met_by_trying_again(engine):
    everything = text("SELECT * FROM notes WHERE name = :name")
    for _ in range(3):
        with pipeline(engine) as one:
            one.execute(everything, {"name": "a"})
    with engine.connect() as connection:
        connection.execute(text("ALTER TABLE notes ADD COLUMN colour text"))
    with pytest.raises(NotSupportedError) as raised, pipeline(engine) as one:
        one.execute(everything, {"name": "a"})
    assert isinstance(classify(raised.value), Temporary)
    with pipeline(engine) as one:
        assert list(one.execute(everything, {"name": "a"}).keys()) == ["name", "number", "colour"]


def test_only_a_single_query_or_change_of_rows_is_prepared():
    assert Statement("WITH a AS (SELECT 1) SELECT * FROM a").can_be_prepared
    assert not Statement("SET LOCAL synchronous_commit = off").can_be_prepared
    assert not Statement("DELETE FROM notes; DELETE FROM others").can_be_prepared


def test_parameters_are_numbered_each_once():
    assert Statement("SELECT %(b)s, %(a)s, %(b)s, '100 %%'").numbered == "SELECT $1, $2, $1, '100 %'"


@pytest.mark.parametrize(
    ("words", "values"), [("SELECT '100 %'", None), ("SELECT '100 %' || :end", {"end": ""})]
)
def test_percent_sign_is_one_whether_there_is_a_parameter_or_not(engine, words, values):
    asked = text(words)
    for _ in range(3):
        with pipeline(engine) as one:
            assert one.execute(asked, values).scalar_one() == "100 %"


@pytest.mark.parametrize("service", [intake, dispatch, points, notify], ids=lambda one: one.__name__)
def test_types_of_all_parameters_of_our_texts_are_seen_by_the_server(service, system):
    """Each constant text of the service and the chassis can be prepared on the service's database."""
    name = service.__name__.partition(".")[2]
    connection = psycopg2.connect(system.postgres.service_url(name).replace("+psycopg2", ""))
    connection.autocommit = True
    found = texts(service)
    with connection.cursor() as cursor:
        for number, one in enumerate(found):
            cursor.execute(f"PREPARE t{number} AS {one.numbered}")
    connection.close()
    assert len(found) > 5


def texts(service):
    """Constant texts of a service's modules, and of the chassis, that would be prepared."""
    modules = [
        import_module(module.name)
        for package in (service, wangge.chassis)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if ".migrations" not in module.name and not module.name.endswith(("__main__", "chassis.green"))
    ]
    found = {one for module in modules for one in vars(module).values() if isinstance(one, TextClause)}
    statements = [Statement(str(one.compile(dialect=DIALECT))) for one in found]
    return [one for one in statements if one.can_be_prepared]


DIALECT = connect("postgresql+psycopg2://nobody@localhost/none", 1).dialect
