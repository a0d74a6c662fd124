"""No hot path reads a large table from end to end, or much more than it answers: shown by the plans that really ran."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest
from kit.plans import mistakes
from sqlalchemy import text

from bench.growth import asking, working
from wangge.chassis.pipelining import Pipeline
from wangge.chassis.relay import Relay
from wangge.chassis.transaction import Cause, Transaction
from wangge.contracts.events import REGISTRY

LARGE = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples > 1500"

OPERATIONS = {**asking.operations(), **working.operations()}

#: Runs of each operation, over different things.
TIMES = 2

#: Rows of a table that are past their keeping time.
OLD = 20
OLDEN = """
UPDATE {table} SET {column} = now() - interval '100 days'
WHERE ctid IN (SELECT ctid FROM {table} WHERE {column} IS NOT NULL LIMIT 20)
"""


@pytest.fixture(scope="module")
def large(town) -> dict[str, set[str]]:
    return {service: {row[0] for row in town.rows(service, LARGE)} for service in town.uris}


def test_the_large_tables_are_large(large):
    assert large["dispatch"] >= {"cases", "assignments", "clocks", "flow_records", "reporters", "case_sights"}
    assert large["intake"] >= {"reports", "report_moves", "receipts"}
    assert large["points"] >= {"entries", "event_sequence", "wallet_entries"}
    assert large["notify"] >= {"messages", "deliveries"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_hot_path_reads_little_more_than_it_answers(town, large, name):
    run = OPERATIONS[name](town)
    run()  # what is made anew once, the near index and a board, is no hot path
    town.plans.clear()
    for _ in range(TIMES):
        run()
    wrong = [each for service, plan in town.plans.found for each in mistakes(plan, large[service])]
    assert not wrong, "\n".join(dict.fromkeys(wrong))
    assert town.plans.found, "no plan was told"


def test_pending_facts_are_published_from_their_index(town, large):
    asking.operations()["report: post with a point (near search)"](town)()
    app = town.app("intake")
    town.plans.clear()
    assert Relay(app.database, app.settings.amqp_uris).publish_pending()
    wrong = [each for service, plan in town.plans.found for each in mistakes(plan, large[service])]
    assert not wrong, "\n".join(wrong)


def test_purge_finds_its_portion_by_an_index(town, large):
    """A tenth of what is kept is past its time; one turn takes a portion of it, tables of other services take none."""
    for service in town.uris:
        app = town.app(service)
        with app.database.engine.connect() as connection:
            pipeline = Pipeline(connection)
            tx = Transaction(pipeline, app.clock.now(), service, REGISTRY, Cause())
            for table, column in (("inbox", "processed_at"), ("outbox", "published_at")):
                tx.execute(text(OLDEN.format(table=table, column=column)))
            town.plans.clear()
            removed = app.purge(tx)
            pipeline.roll_back()
        wrong = [each for _, plan in town.plans.found for each in mistakes(plan, large[service])]
        assert not wrong, "\n".join(wrong)
        assert removed >= OLD


@pytest.mark.parametrize(
    ("service", "index", "name"),
    [
        ("dispatch", "cases_due", "sweep: five cases overdue"),
        ("dispatch", "cases_filed", "cases: first page, everywhere"),
        ("intake", "report_received", "reports: first page, the street"),
        ("notify", "messages_undelivered", "messages: given up, a community"),
    ],
)
def test_hot_path_without_its_index_is_found_out(town, large, service, index, name):
    with without(town, service, index), pytest.raises(AssertionError, match=r"reads|from end to end"):
        test_hot_path_reads_little_more_than_it_answers(town, large, name)
    test_hot_path_reads_little_more_than_it_answers(town, large, name)


@contextmanager
def without(town, service: str, index: str) -> Iterator[None]:
    """While the index is not there."""
    ((definition,),) = town.rows(service, "SELECT indexdef FROM pg_indexes WHERE indexname = %s", index)
    with psycopg2.connect(town.admin_uri(service)) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {index}")
    try:
        yield
    finally:
        with psycopg2.connect(town.admin_uri(service)) as connection, connection.cursor() as cursor:
            cursor.execute(definition)
