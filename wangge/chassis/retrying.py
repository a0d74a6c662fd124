"""Tries deferred events again: the due head of every partition key, until it is done or its budget is spent.

Guarantee: a retry marks, handles and settles in one transaction, so however often it runs it takes effect once. Limit:
a handler that hangs holds the round for as long as its deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from wangge.chassis import metrics
from wangge.chassis.database import Database
from wangge.chassis.delivery import read
from wangge.chassis.errors import Fault, Infrastructure, Permanent, Refusal, Temporary
from wangge.chassis.held import caught, delay, delivery_of, end, fingerprint, mark_source, soon, told
from wangge.chassis.logging import bound, get_logger
from wangge.chassis.tables import held_event, inbox
from wangge.chassis.transaction import Cause, Transaction
from wangge.contracts.envelope import Event
from wangge.contracts.registry import Registry

log = get_logger(__name__)

#: Rows that one round takes.
ROUND = 50

SYSTEM = "system"
"""Who ended an event that no operator ended."""


class Retrying:
    """The retries of one service. A budget is a number of attempts and an age, counted from the last replay."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        attempts: int,
        age_seconds: int,
        deadline: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self._database = database
        self._registry = registry
        self._attempts = attempts
        self._age = timedelta(seconds=age_seconds)
        self._deadline = deadline

    def work(self, handlers: Any) -> int:
        """Try the due head of every key once. Answers how many were settled. Raises `Infrastructure`."""
        return sum(self._retry(held_id, handlers) for held_id in self._due())

    def _due(self) -> list[int]:
        heads = (
            select(func.min(held_event.c.id))
            .where(held_event.c.state == "deferred")
            .group_by(held_event.c.partitionkey)
        )
        due = (
            select(held_event.c.id)
            .where(held_event.c.id.in_(heads), held_event.c.not_before <= func.clock_timestamp())
            .order_by(held_event.c.id)
            .limit(ROUND)
        )
        with self._database.look() as connection:
            return [row.id for row in connection.execute(due)]

    def _retry(self, held_id: int, handlers: Any) -> bool:
        try:
            with self._database.begin() as tx, self._deadline():
                row = self._lock(tx, held_id)
                if row is None:
                    return False
                event = read(delivery_of(row), self._registry)
                with bound(message_id=event.id, correlation_id=event.correlationid):
                    self._process(tx, row, event, handlers)
                return True
        except BaseException as error:
            fault = caught(error)
            if isinstance(fault, Infrastructure):
                raise fault from error
        with self._database.begin() as tx:
            # a query that ran out of time keeps its lock until the server notices that nobody waits for it
            row = self._lock(tx, held_id, is_patient=True)
            if row is not None:
                self._failed_again(tx, row, fault, handlers)
        return True

    def _lock(self, tx: Transaction, held_id: int, *, is_patient: bool = False) -> Any:
        """The event, if it is still to be tried; one that somebody else has in hand only where we are patient."""
        locked = (
            select(held_event)
            .where(held_event.c.id == held_id, held_event.c.state == "deferred")
            .with_for_update(skip_locked=not is_patient)
        )
        return tx.execute(locked).mappings().first()

    def _process(self, tx: Transaction, row: Mapping[str, Any], event: Event, handlers: Any) -> None:
        mark = {"source": mark_source(event), "event_id": event.id, "type": event.type}
        fresh = tx.execute(
            upsert(inbox).values(mark).on_conflict_do_nothing().returning(inbox.c.event_id)
        ).first()
        if fresh:
            handler = handlers.by_type.get(event.type)
            if handler is None:
                raise Permanent("unexpected_type", f"nothing here handles {event.type}")
            tx.cause = Cause.of(event)
            handler(tx, event)
        end(tx, [row["id"]], "done", SYSTEM, "processed" if fresh else "was processed already")
        metrics.held_ended("done")

    def _failed_again(
        self, tx: Transaction, row: Mapping[str, Any], fault: Refusal | Fault, handlers: Any
    ) -> None:
        if isinstance(fault, Refusal):
            self._refused(tx, row, fault)
        elif isinstance(fault, Temporary) and not self._is_spent(row):
            attempts = row["attempts"] + 1
            again = {"attempts": attempts, "not_before": soon(delay(attempts)), "detail": str(fault)}
            tx.execute(update(held_event).where(held_event.c.id == row["id"]).values(again))
        else:
            self._quarantine(tx, row, fault, handlers)

    def _is_spent(self, row: Mapping[str, Any]) -> bool:
        since = row["replayed_at"] or row["held_at"]
        return bool(row["attempts"] + 1 >= self._attempts or datetime.now(UTC) - since > self._age)

    @staticmethod
    def _refused(tx: Transaction, row: Mapping[str, Any], refusal: Refusal) -> None:
        mark = {"source": row["source"], "event_id": row["event_id"], "type": row["type"]}
        tx.execute(upsert(inbox).values(mark | {"refused": refusal.code}).on_conflict_do_nothing())
        end(tx, [row["id"]], "done", SYSTEM, f"refused: {refusal.code}")

    @staticmethod
    def _quarantine(tx: Transaction, row: Mapping[str, Any], fault: Fault, handlers: Any) -> None:
        code, detail, errors = told(fault)
        values = {
            "state": "quarantined",
            "attempts": row["attempts"] + 1,
            "cause": code,
            "detail": detail,
            "errors": errors,
            "fingerprint": fingerprint(code, row["type"], errors),
        }
        permanent = fault if isinstance(fault, Permanent) else Permanent("budget_spent", detail)
        handlers.quarantined(tx, delivery_of(row), permanent)
        metrics.quarantined(code)
        log.error("event quarantined", code=code, detail=detail, message_id=row["event_id"])
        tx.execute(update(held_event).where(held_event.c.id == row["id"]).values(values))
