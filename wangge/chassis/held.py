"""Keeps the events that could not be processed: `deferred` for another try, `quarantined` for an operator.

This is the consuming side; `retrying.py` tries deferred ones again, `workbench.py` is what operators do.

Guarantee: an event held is never dropped by the machine; later events of its partition key wait behind a deferred one,
in order. Limit: events behind a quarantined one go on; its replay then comes after them.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, literal_column, select, update

from wangge.chassis.claims import Claim, claim_of
from wangge.chassis.delivery import Delivery
from wangge.chassis.errors import Fault, Permanent, Refusal, Temporary
from wangge.chassis.faults import classify
from wangge.chassis.tables import held_event, inbox
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event

#: Seconds before the first retry; doubled at each further one, with full jitter, up to `MOST_SECONDS`.
FIRST_SECONDS = 1.0
MOST_SECONDS = 300.0

#: States in which the machine goes on by itself: with another try, or with the end of a hand-over.
GOING_ON = ("deferred", "in_transit")

#: States in which something is still to come, if only an operator's decision.
WAITING = (*GOING_ON, "quarantined")


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


def forget(tx: Transaction, event: Event) -> None:
    """Take the mark of an event back in the transaction that set it: nothing was done, so sent again it is new."""
    tx.execute(delete(inbox).where(inbox.c.source == mark_source(event), inbox.c.event_id == event.id))


def delay(attempts: int) -> timedelta:
    """How long to wait after the `attempts`-th failure (1, 2, …): exponential with full jitter."""
    most = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempts - 1, 20))
    return timedelta(seconds=random.uniform(most / 2, most))  # noqa: S311 (spreads load, guards nothing)


class HeldEvents:
    """Holds what a batch could not process, in the transaction that settles it."""

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
        self._insert(tx, delivery, event, "deferred", fault, attempts=1, not_before=soon(delay(1)))

    def defer_behind(self, tx: Transaction, delivery: Delivery, event: Event) -> None:
        """Hold an event because an earlier one of its key is being held."""
        self._insert(tx, delivery, event, "deferred", Temporary("behind an earlier event"), not_before=soon())

    def hold_back(self, tx: Transaction, delivery: Delivery, event: Event, cell: str) -> None:
        """Hold an event until the other side of `cell`'s hand-over has settled the earlier ones of its key."""
        why = Temporary(f"behind what the hand-over of cell {cell} has not settled yet")
        self._insert(tx, delivery, event, "in_transit", why, cell=cell)

    def quarantine(self, tx: Transaction, delivery: Delivery, event: Event | None, fault: Fault) -> bool:
        """Hold an event for an operator. False when the same message is held already."""
        source, event_id = (mark_source(event), event.id) if event else (delivery.login, delivery.key)
        if event or delivery.message_id or delivery.redelivered:
            known = select(held_event.c.id).where(
                held_event.c.source == source,
                held_event.c.event_id == event_id,
                held_event.c.state.in_(WAITING),
            )
            if event is None:  # an id that nobody vouches for may be used by two
                known = known.where(held_event.c.body == delivery.text)
            if tx.execute(known.limit(1)).first():
                return False
        self._insert(tx, delivery, event, "quarantined", fault)
        return True

    def was_processed(self, tx: Transaction, event: Event) -> bool:
        """Whether the event has had its effect, or its refusal."""
        mark = select(inbox.c.event_id).where(
            inbox.c.source == mark_source(event), inbox.c.event_id == event.id
        )
        return tx.execute(mark).first() is not None

    def _insert(
        self,
        tx: Transaction,
        delivery: Delivery,
        event: Event | None,
        state: str,
        fault: Fault,
        attempts: int = 0,
        not_before: datetime | None = None,
        cell: str | None = None,
    ) -> None:
        code, detail, errors = told(fault)
        claim = Claim(event.id, event.source) if event else claim_of(delivery)
        tx.execute(
            insert(held_event).values(
                state=state,
                sender=delivery.login or claim.source,
                message_id=claim.message_id,
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
                cell=cell,
            )
        )


def fingerprint(code: str, event_type: str, errors: Collection[Mapping[str, str]]) -> str:
    """Groups faults of one kind: the same code on the same fields of the same type."""
    fields = ",".join(sorted(error["field"] for error in errors))
    return hashlib.sha256(f"{code}|{event_type}|{fields}".encode()).hexdigest()[:16]


def soon(after: timedelta = timedelta()) -> Any:
    """An instant of the database's clock, `after` from now."""
    return func.clock_timestamp() + literal_column(f"interval '{after.total_seconds():.3f} seconds'")


def told(fault: Refusal | Fault) -> tuple[str, str, list[dict[str, str]]]:
    """Code, detail and wrong fields of a fault, as a row keeps them."""
    if isinstance(fault, Permanent):
        return fault.code, fault.message, [dict(error) for error in fault.errors]
    return type(fault).__name__.lower(), str(fault), []


def delivery_of(row: Mapping[str, Any]) -> Delivery:
    """The message of a held row, as it was delivered."""
    return Delivery(
        body=row["body"].encode(),
        exchange=row["exchange"],
        routing_key=row["routing_key"],
        message_id=row["event_id"],
        login=row["origin"],
        redelivered=True,
    )


def end(tx: Transaction, held_ids: Collection[int], state: str, by: str, reason: str) -> None:
    """Give held events their last state; the rows stay."""
    ended = {"state": state, "ended_at": func.clock_timestamp(), "ended_by": by, "reason": reason}
    tx.execute(update(held_event).where(held_event.c.id.in_(held_ids)).values(ended))
