"""Processes delivered messages exactly once in effect: batch in one transaction, else one by one.

Guarantee: when `process` returns, every message of the batch is settled in the database (effects and inbox mark, or a
held event, in one transaction each), so all of them may be acknowledged. `Infrastructure` is raised when the database
is away: then nothing may be acknowledged and the same batch is to be given again.
Limit: effects outside the database happen as often as a handler runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from wangge.chassis import failpoints, metrics
from wangge.chassis.database import Database
from wangge.chassis.delivery import Delivery, read
from wangge.chassis.errors import Infrastructure, Permanent, Refusal, Temporary
from wangge.chassis.faults import classify
from wangge.chassis.held import HeldEvents, caught, mark_source
from wangge.chassis.logging import bound, get_logger
from wangge.chassis.tables import inbox
from wangge.chassis.transaction import Cause, Transaction
from wangge.chassis.transit import Transit
from wangge.contracts.envelope import Event
from wangge.contracts.registry import Registry

log = get_logger(__name__)

Handler = Callable[[Transaction, Event], None]
Quarantined = Callable[[Transaction, Delivery, Permanent], None]
Repeated = Callable[[Transaction, Event], None]
Prepare = Callable[[Transaction, Sequence[Event]], None]


@dataclass(frozen=True)
class Handlers:
    """What a service does with each event type, with a message that cannot be processed, with a repeated one, before a batch."""

    by_type: Mapping[str, Handler]
    quarantined: Quarantined = lambda tx, delivery, fault: None
    repeated: Repeated = lambda tx, event: None
    prepare: Prepare = lambda tx, events: None


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery that was read."""

    delivery: Delivery
    event: Event


@dataclass(frozen=True, slots=True)
class Begun:
    """What a transaction finds as it begins: which messages are new, and what may have to wait.

    All of it is seen at one instant: a hand-over that ends leaves what it held back among the waiting keys.
    """

    fresh: set[tuple[str, str]]
    is_moving: bool
    """A hand-over is taking something from or for this cell."""
    waiting: set[str]
    """Keys behind whose events a new one must wait."""


class Inbox:
    """Takes batches of deliveries for one service."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        held: HeldEvents,
        deadline: Callable[[], AbstractContextManager[Any]],
        transit: Transit,
    ) -> None:
        self._transit = transit
        self._database = database
        self._registry = registry
        self._held = held
        self._deadline = deadline

    def process(self, deliveries: Sequence[Delivery], handlers: Handlers) -> None:
        """Settle every delivery, in order. Raises `Infrastructure` only."""
        messages = self._read(deliveries, handlers)
        if len(messages) > 1:
            try:
                self._together(messages, handlers)
            except BaseException as error:
                fault = caught(error)
                if isinstance(fault, Infrastructure):
                    raise fault from error
                log.info("batch runs one by one", size=len(messages), cause=str(fault))
            else:
                return
        for message in messages:
            self._alone(message, handlers)

    def _read(self, deliveries: Sequence[Delivery], handlers: Handlers) -> list[Message]:
        messages = []
        for delivery in deliveries:
            try:
                messages.append(Message(delivery, read(delivery, self._registry)))
            except Permanent as fault:
                self._settle(partial(self._quarantine, delivery, None, fault), handlers)
        return messages

    def _together(self, messages: Sequence[Message], handlers: Handlers) -> None:
        failpoints.reach("inbox.begun")
        with self._database.begin() as tx, self._deadline():
            unique = {_mark(message.event): message for message in messages}
            begun = self._begin(tx, list(unique.values()))
            held_back, waiting = self._to_wait(tx, messages, begun)
            fresh = begun.fresh
            handlers.prepare(tx, [message.event for mark, message in unique.items() if mark in fresh])
            seen: set[tuple[str, str]] = set()
            results: dict[str, list[Message]] = {"done": [], "repeated": [], "deferred": []}
            for message, cell in zip(messages, held_back, strict=True):
                mark = _mark(message.event)
                if mark in seen or mark not in fresh:
                    self._repeat(tx, message, handlers)
                    results["repeated"].append(message)
                elif cell:
                    self._unmark(tx, message.event)
                    self._held.hold_back(tx, message.delivery, message.event, cell)
                    results["deferred"].append(message)
                elif message.event.partitionkey in waiting:
                    self._unmark(tx, message.event)
                    self._held.defer_behind(tx, message.delivery, message.event)
                    results["deferred"].append(message)
                else:
                    self._handle(tx, message.event, handlers)
                    results["done"].append(message)
                seen.add(mark)
            failpoints.reach("inbox.handled")
        failpoints.reach("inbox.committed")
        for result, settled in results.items():
            metrics.events(settled, result)

    def _to_wait(
        self, tx: Transaction, messages: Sequence[Message], begun: Begun
    ) -> tuple[Sequence[str | None], set[str]]:
        """For each message the cell whose hand-over it waits for, if any; the keys behind whose events one waits."""
        if not begun.is_moving:
            return [None] * len(messages), begun.waiting
        # in this order: a hand-over that ends in between leaves what it held back among the waiting keys
        held_back = self._transit.held_back(tx, messages)
        return held_back, self._held.waiting_keys(tx, {message.event.partitionkey for message in messages})

    def _alone(self, message: Message, handlers: Handlers) -> None:
        event = message.event
        with bound(message_id=event.id, correlation_id=event.correlationid):
            try:
                self._together([message], handlers)
            except BaseException as error:
                fault = caught(error)
                if isinstance(fault, Infrastructure):
                    raise fault from error
                self._settle(lambda tx, hooks: self._failed(tx, message, fault, hooks), handlers)

    def _failed(self, tx: Transaction, message: Message, fault: Any, handlers: Handlers) -> None:
        event = message.event
        if isinstance(fault, Refusal):
            log.info("event refused", event_type=event.type, code=fault.code)
            tx.execute(insert(inbox).values(**_mark_row(event), refused=fault.code).on_conflict_do_nothing())
            metrics.events([message], "refused")
        elif isinstance(fault, Temporary):
            log.warning("event deferred", event_type=event.type, cause=str(fault))
            self._held.defer(tx, message.delivery, event, fault)
            metrics.events([message], "deferred")
        else:
            self._quarantine(message.delivery, event, fault, tx, handlers)

    def _quarantine(
        self, delivery: Delivery, event: Event | None, fault: Permanent, tx: Transaction, handlers: Handlers
    ) -> None:
        is_new = self._held.quarantine(tx, delivery, event, fault)
        if is_new or not delivery.redelivered:
            handlers.quarantined(tx, delivery, fault)  # sent again, it is answered again
        if is_new:
            metrics.quarantined(fault.code)
            log.error("event quarantined", code=fault.code, detail=fault.message, message_id=delivery.key)

    def _settle(self, act: Callable[[Transaction, Handlers], None], handlers: Handlers) -> None:
        """Run the transaction that settles a failed message; only an away database may stop it.

        Where the service's own hook fails, the message is settled without it: a bug there must not stop the lane.
        """
        try:
            with self._database.begin() as tx:
                act(tx, handlers)
        except Exception as error:
            fault = classify(error)
            if not isinstance(fault, Permanent):
                raise Infrastructure(f"a failed message could not be settled: {fault}") from error
            log.exception("a hook failed, the message is settled without it")
            with self._database.begin() as tx:
                act(tx, Handlers({}))

    def _handle(self, tx: Transaction, event: Event, handlers: Handlers) -> None:
        handler = handlers.by_type.get(event.type)
        if handler is None:
            raise Permanent("unexpected_type", f"nothing here handles {event.type}")
        tx.cause = Cause.of(event)
        started = time.perf_counter()
        handler(tx, event)
        metrics.handled(event.type, time.perf_counter() - started)

    def _repeat(self, tx: Transaction, message: Message, handlers: Handlers) -> None:
        if not message.delivery.redelivered:
            tx.cause = Cause.of(message.event)
            handlers.repeated(tx, message.event)

    def _begin(self, tx: Transaction, messages: Sequence[Message]) -> Begun:
        """Mark the messages as processed, then look which of them are new, and whether any has to wait."""
        given = {
            "sources": [mark_source(message.event) for message in messages],
            "ids": [message.event.id for message in messages],
        }
        tx.write(_MARK_ALL, {**given, "types": [message.event.type for message in messages]})
        keys = {message.event.partitionkey for message in messages}
        rows = tx.execute(_LOOK, {**given, "keys": list(keys), "cell": self._transit.cell}).all()
        return Begun(
            fresh={(row.source, row.found) for row in rows if row.what == "marked"},
            is_moving=any(row.what == "moving" for row in rows),
            waiting={row.found for row in rows if row.what == "waiting"},
        )

    def _unmark(self, tx: Transaction, event: Event) -> None:
        tx.execute(inbox.delete().where(inbox.c.source == mark_source(event), inbox.c.event_id == event.id))


_MARK_ALL = text(
    "INSERT INTO inbox (source, event_id, type) "
    "SELECT * FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:types AS text[])) "
    "AS given (source, event_id, type) WHERE NOT EXISTS (SELECT FROM held_event AS held "
    "WHERE held.source = given.source AND held.event_id = given.event_id AND held.state <> 'dropped') "
    "ON CONFLICT DO NOTHING"
)

#: A statement of its own, for marking may have waited for another transaction. What this one marked carries its number.
_LOOK = text(
    "SELECT 'marked' AS what, source, event_id AS found FROM inbox "
    "JOIN unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS given (source, event_id) "
    "USING (source, event_id) WHERE inbox.xmin = CAST(pg_current_xact_id() AS xid) "
    "UNION ALL SELECT 'moving', NULL, NULL FROM cell "
    "WHERE state = 'opening' AND name = :cell OR state = 'closing' AND :cell = 'home' "
    "UNION ALL SELECT DISTINCT 'waiting', NULL, partitionkey FROM held_event "
    "WHERE state = 'deferred' AND partitionkey = ANY(CAST(:keys AS text[]))"
)


def _mark(event: Event) -> tuple[str, str]:
    return (mark_source(event), event.id)


def _mark_row(event: Event) -> dict[str, str]:
    return {"source": mark_source(event), "event_id": event.id, "type": event.type}
