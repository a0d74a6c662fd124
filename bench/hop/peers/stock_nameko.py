"""The hop on stock nameko 3, as its documentation shows: `@consume`, a SQLAlchemy session a worker, `EventDispatcher`.

Publishing is confirmed; nameko acknowledges when the method has returned, so after commit and confirm.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import orjson
from kombu import Queue
from nameko.events import EventDispatcher
from nameko.extensions import DependencyProvider
from nameko.messaging import consume
from sqlalchemy import create_engine, func, insert, update
from sqlalchemy.dialects.postgresql import insert as insert_or_not
from sqlalchemy.orm import Session

from bench.hop.peers import common
from bench.hop.tables import report_moves, reports
from bench.hop.work import FACT_EXCHANGE, decide
from wangge.chassis.tables import inbox, outbox

INSERT_INBOX = insert_or_not(inbox).on_conflict_do_nothing().returning(inbox.c.event_id)
INSERT_REPORT, INSERT_MOVES, INSERT_OUTBOX = insert(reports), insert(report_moves), insert(outbox)


class Sessions(DependencyProvider):  # type: ignore[misc]
    """Gives each worker a session and closes it after."""

    def setup(self) -> None:
        """Make the engine: as many connections as workers."""
        uri = os.environ["HOP_DATABASE_URI"].replace("postgresql:", "postgresql+psycopg2:")
        self._engine = create_engine(uri, pool_size=int(os.environ["HOP_CONCURRENCY"]))
        self._open: dict[Any, Session] = {}

    def get_dependency(self, worker_ctx: Any) -> Session:
        """A new session."""
        session = self._open[worker_ctx] = Session(self._engine)
        return session

    def worker_teardown(self, worker_ctx: Any) -> None:
        """Close it."""
        self._open.pop(worker_ctx).close()


def queue(number: int) -> Queue:
    """The queue of a lane, which is declared already."""
    names = os.environ["HOP_QUEUES"].split(",")
    return Queue(names[number % len(names)], no_declare=True)


class Intake:
    """Takes incidents, keeps them as reports, tells that they were accepted."""

    name = FACT_EXCHANGE.removesuffix(".events")
    session = Sessions()
    dispatch = EventDispatcher()

    def take(self, document: dict[str, Any]) -> None:
        """Validate, keep everything in one transaction, publish, mark as published."""
        event = common.validated(document)
        fact = self._keep(event)
        if fact:
            self.dispatch(common.routing_key(fact), fact)
            self.session.execute(
                update(outbox)
                .where(outbox.c.event_id == fact["id"])
                .values(published_at=func.clock_timestamp())
            )
            self.session.commit()

    def _keep(self, event: dict[str, Any]) -> dict[str, Any] | None:
        mark = {"source": event["source"], "event_id": event["id"], "type": event["type"]}
        if self.session.execute(INSERT_INBOX, mark).first() is None:
            return None
        decided = decide(event["data"], datetime.now(UTC))
        fact = common.outgoing(event, decided)
        row = dict(
            zip(common.OUTBOX_COLUMNS, common.outbox_row(fact, orjson.dumps(fact).decode()), strict=True)
        )
        self.session.execute(INSERT_REPORT, decided.report)
        self.session.execute(INSERT_MOVES, decided.moves)
        self.session.execute(INSERT_OUTBOX, row)
        self.session.commit()
        return fact


def _consuming(number: int) -> Any:
    @consume(queue(number))
    def consume_lane(self: Intake, document: dict[str, Any]) -> None:
        self.take(document)

    consume_lane.__name__ = f"consume_{number}"
    return consume_lane


for lane in range(len(os.environ["HOP_QUEUES"].split(","))):
    setattr(Intake, f"consume_{lane}", _consuming(lane))
