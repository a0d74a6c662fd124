"""Keeps the events that could not be processed: `deferred` for another try, `quarantined` for an operator.

Guarantee: an event held is never dropped by the machine; later events of its partition key wait behind a deferred one,
in order. Limit: events behind a quarantined one go on; its replay then comes after them.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from wangge.chassis import metrics
from wangge.chassis.database import Database
from wangge.chassis.delivery import Delivery, read
from wangge.chassis.errors import (
    Conflict,
    Fault,
    Infrastructure,
    NotFound,
    Permanent,
    Refusal,
    Temporary,
    invalid,
)
from wangge.chassis.faults import classify
from wangge.chassis.logging import bound, get_logger
from wangge.chassis.tables import held_event, inbox
from wangge.chassis.transaction import Cause, Transaction
from wangge.contracts.envelope import Event
from wangge.contracts.registry import Registry

log = get_logger(__name__)

#: Seconds before the first retry; doubled at each further one, with full jitter, up to `MOST_SECONDS`.
FIRST_SECONDS = 1.0
MOST_SECONDS = 300.0

#: Rows that one round takes.
ROUND = 50


class HandlerTimeout(Exception):
    """A handler ran past its deadline."""


def caught(error: BaseException) -> Refusal | Fault:
    """The place of whatever a handler let escape; the end of the greenlet or the process is passed on."""
    if isinstance(error, KeyboardInterrupt | SystemExit) or type(error).__name__ == "GreenletExit":
        raise error
    if _ran_out_of_time(error):
        return Temporary("the handler ran past its deadline")
    return classify(error)


def _ran_out_of_time(error: BaseException | None) -> bool:
    """Whether a deadline is behind it: one that strikes in a query ends the connection, whose rollback then fails."""
    if error is None or isinstance(error, HandlerTimeout):
        return error is not None
    return _ran_out_of_time(error.__cause__) or _ran_out_of_time(error.__context__)


def mark_source(event: Event) -> str:
    """What makes an event id unique here: the claimed source, and the login that the broker vouches for."""
    return f"{event.origin}:{event.source}" if event.origin else event.source


def delay(attempts: int) -> timedelta:
    """How long to wait after the `attempts`-th failure (1, 2, …): exponential with full jitter."""
    most = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempts - 1, 20))
    return timedelta(seconds=random.uniform(most / 2, most))  # noqa: S311 (spreads load, guards nothing)


class HeldEvents:
    """The table of held events of one service, its retries and its operators' acts."""

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

    # while consuming

    def waiting_keys(self, tx: Transaction, keys: Collection[str]) -> set[str]:
        """Those of `keys` behind whose deferred events a new one must wait."""
        rows = tx.execute(
            select(held_event.c.partitionkey)
            .where(held_event.c.state == "deferred", held_event.c.partitionkey.in_(keys))
            .distinct()
        )
        return {row.partitionkey for row in rows}

    def defer(self, tx: Transaction, delivery: Delivery, event: Event, fault: Temporary) -> None:
        """Hold a failed event for another try."""
        self._insert(tx, delivery, event, "deferred", fault, attempts=1, not_before=_soon(delay(1)))

    def defer_behind(self, tx: Transaction, delivery: Delivery, event: Event) -> None:
        """Hold an event because an earlier one of its key is being held."""
        self._insert(
            tx, delivery, event, "deferred", Temporary("behind an earlier event"), not_before=_soon()
        )

    def quarantine(self, tx: Transaction, delivery: Delivery, event: Event | None, fault: Fault) -> bool:
        """Hold an event for an operator. False when the same message is held already."""
        source, event_id = (mark_source(event), event.id) if event else (delivery.login, delivery.key)
        if event or delivery.message_id or delivery.redelivered:
            known = select(held_event.c.id).where(
                held_event.c.source == source, held_event.c.event_id == event_id, held_event.c.state != "done"
            )
            if tx.execute(known.limit(1)).first():
                return False
        self._insert(tx, delivery, event, "quarantined", fault)
        return True

    def was_processed(self, tx: Transaction, event: Event) -> bool:
        """Whether the event has had its effect, or its refusal."""
        return tx.execute(_processed(event)).first() is not None

    def _insert(
        self,
        tx: Transaction,
        delivery: Delivery,
        event: Event | None,
        state: str,
        fault: Fault,
        attempts: int = 0,
        not_before: datetime | None = None,
    ) -> None:
        code, detail, errors = _told(fault)
        tx.execute(
            insert(held_event).values(
                state=state,
                source=mark_source(event) if event else delivery.login,
                event_id=event.id if event else delivery.key,
                type=event.type if event else "",
                partitionkey=event.partitionkey if event else "",
                origin=delivery.login,
                exchange=delivery.exchange,
                routing_key=delivery.routing_key,
                body=delivery.text,
                cause=code,
                detail=detail,
                errors=errors,
                fingerprint=fingerprint(code, event.type if event else "", errors),
                attempts=attempts,
                not_before=not_before,
            )
        )

    # trying again

    def work(self, handlers: Any) -> int:
        """Try the due head of every key once. Answers how many were settled. Raises `Infrastructure`."""
        settled = 0
        for held_id in self._due():
            settled += self._retry(held_id, handlers)
        return settled

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
        with self._database.begin() as tx:
            return [row.id for row in tx.execute(due)]

    def _retry(self, held_id: int, handlers: Any) -> bool:
        try:
            with self._database.begin() as tx, self._deadline():
                row = self._lock(tx, held_id)
                if row is None:
                    return False
                event = read(_delivery(row), self._registry)
                with bound(message_id=event.id, correlation_id=event.correlationid):
                    self._process(tx, row, event, handlers)
                return True
        except BaseException as error:
            fault = caught(error)
            if isinstance(fault, Infrastructure):
                raise fault from error
        with self._database.begin() as tx:
            row = self._lock(tx, held_id)
            if row is not None:
                self._failed_again(tx, row, fault, handlers)
        return True

    def _lock(self, tx: Transaction, held_id: int) -> Any:
        locked = (
            select(held_event)
            .where(held_event.c.id == held_id, held_event.c.state == "deferred")
            .with_for_update(skip_locked=True)
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
        self._end(tx, row["id"], "done", "system", "processed" if fresh else "was processed already")
        metrics.held_ended("done")

    def _failed_again(
        self, tx: Transaction, row: Mapping[str, Any], fault: Refusal | Fault, handlers: Any
    ) -> None:
        attempts = row["attempts"] + 1
        code, detail, errors = _told(fault)
        if isinstance(fault, Refusal):
            mark = {
                "source": row["source"],
                "event_id": row["event_id"],
                "type": row["type"],
                "refused": fault.code,
            }
            tx.execute(upsert(inbox).values(mark).on_conflict_do_nothing())
            self._end(tx, row["id"], "done", "system", f"refused: {fault.code}")
            return
        spent = attempts >= self._attempts or datetime.now(UTC) - row["held_at"] > self._age
        if isinstance(fault, Temporary) and not spent:
            values: dict[str, Any] = {
                "attempts": attempts,
                "not_before": _soon(delay(attempts)),
                "detail": detail,
            }
        else:
            values = {
                "state": "quarantined",
                "attempts": attempts,
                "cause": code,
                "detail": detail,
                "errors": errors,
                "fingerprint": fingerprint(code, row["type"], errors),
            }
            permanent = fault if isinstance(fault, Permanent) else Permanent("budget_spent", detail)
            handlers.quarantined(tx, _delivery(row), permanent)
            metrics.quarantined(code)
            log.error("event quarantined", code=code, detail=detail, message_id=row["event_id"])
        tx.execute(update(held_event).where(held_event.c.id == row["id"]).values(**values))

    # for operators

    def page(self, tx: Transaction, state: str | None, after: int, limit: int) -> list[dict[str, Any]]:
        """Held events, oldest first, with id > `after`."""
        query = select(held_event).where(held_event.c.id > after).order_by(held_event.c.id).limit(limit)
        if state:
            query = query.where(held_event.c.state == state)
        return [dict(row) for row in tx.execute(query).mappings()]

    def show(self, tx: Transaction, held_id: int) -> dict[str, Any]:
        """One held event, whole. Raises `NotFound`."""
        row = tx.execute(select(held_event).where(held_event.c.id == held_id)).mappings().first()
        if row is None:
            raise NotFound("held.not_found", "没有这条滞留消息", f"no held event {held_id}")
        return dict(row)

    def replay(self, tx: Transaction, held_id: int, body: str | None, by: str) -> dict[str, Any]:
        """Give a quarantined event another full budget, with a corrected `body` where given; same event id.

        Raises `NotFound`, `Conflict` for an event that is not quarantined or was processed already.
        """
        row = self._quarantined(tx, held_id)
        changes: dict[str, Any] = {"state": "deferred", "attempts": 0, "not_before": _soon(), "ended_by": by}
        delivery = _delivery({**row, "body": body or row["body"]})
        try:
            event = read(delivery, self._registry)
        except Permanent as wrong:
            raise invalid(wrong.errors) from wrong
        if self.was_processed(tx, event):
            raise Conflict(
                "held.processed", "该消息已处理", "this message was processed already; drop it instead"
            )
        changes |= {
            "body": delivery.text,
            "type": event.type,
            "partitionkey": event.partitionkey,
            "source": mark_source(event),
            "event_id": event.id,
        }
        if body:
            changes["reason"] = (
                f"edited by {by}; before: sha256 {hashlib.sha256(row['body'].encode()).hexdigest()}"
            )
        tx.execute(update(held_event).where(held_event.c.id == held_id).values(**changes))
        return self.show(tx, held_id)

    def drop(self, tx: Transaction, held_id: int, by: str, reason: str) -> dict[str, Any]:
        """Give a quarantined event up, with a reason; the row stays. Raises `NotFound`, `Conflict`."""
        self._quarantined(tx, held_id)
        self._end(tx, held_id, "dropped", by, reason)
        metrics.held_ended("dropped")
        return self.show(tx, held_id)

    def _quarantined(self, tx: Transaction, held_id: int) -> dict[str, Any]:
        row = self.show(tx, held_id)
        if row["state"] != "quarantined":
            raise Conflict(
                "held.not_quarantined", "该消息未被隔离", f"held event {held_id} is {row['state']}"
            )
        return row

    def _end(self, tx: Transaction, held_id: int, state: str, by: str, reason: str) -> None:
        tx.execute(
            update(held_event)
            .where(held_event.c.id == held_id)
            .values(state=state, ended_at=func.clock_timestamp(), ended_by=by, reason=reason)
        )


def fingerprint(code: str, event_type: str, errors: Collection[Mapping[str, str]]) -> str:
    """Groups faults of one kind: the same code on the same fields of the same type."""
    fields = ",".join(sorted(error["field"] for error in errors))
    return hashlib.sha256(f"{code}|{event_type}|{fields}".encode()).hexdigest()[:16]


def _soon(after: timedelta = timedelta()) -> Any:
    return func.clock_timestamp() + literal_column(f"interval '{after.total_seconds():.3f} seconds'")


def _told(fault: Refusal | Fault) -> tuple[str, str, list[dict[str, str]]]:
    if isinstance(fault, Permanent):
        return fault.code, fault.message, [dict(error) for error in fault.errors]
    return type(fault).__name__.lower(), str(fault), []


def _delivery(row: Mapping[str, Any]) -> Delivery:
    return Delivery(
        body=row["body"].encode(),
        exchange=row["exchange"],
        routing_key=row["routing_key"],
        message_id=row["event_id"],
        login=row["origin"],
        redelivered=True,
    )


def _processed(event: Event) -> Any:
    return select(inbox.c.event_id).where(inbox.c.source == mark_source(event), inbox.c.event_id == event.id)
