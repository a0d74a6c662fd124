"""Keeps the order of a key while its area changes hands: the taking side holds back, until the giving side has settled.

The giving side works off what it has; the taking side puts what arrives into `held_event` as `in_transit`. A mark sent
through each queue of the giving side tells when everything before it is settled; then what was held back is released
behind whatever the giving side deferred.

Guarantee: events of one key are processed in the order in which the broker took them, also across a hand-over, where
both sides share this database. Limit: stated in docs/adr/0008-hand-over.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from sqlalchemy import func, literal, select, text, update

from wangge.chassis.cells import CellState
from wangge.chassis.delivery import Delivery
from wangge.chassis.tables import cell as cells
from wangge.chassis.tables import held_event
from wangge.chassis.topology import HOME, Topology, is_claimed
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event

#: Any number: shared by those who hold events back, alone for who ends a hand-over.
HOLDING_LOCK = 7_203_004

MARK = "mark"
"""Header of a mark: the id of its hand-over."""

GIVEN_BACK = "given-back"
"""Header of a message that `wangge cell close --give-back` moved home, so one of the earlier ones: where it was published."""


class Message(Protocol):
    """A delivery that was read."""

    @property
    def delivery(self) -> Delivery: ...

    @property
    def event(self) -> Event: ...


class Transit:
    """What one process of a cell must know of hand-overs while it consumes."""

    def __init__(self, topology: Topology) -> None:
        self.cell = topology.cell
        self._marks = topology.marks
        self._home = Topology(topology.service).exchange

    def sort(self, batch: Sequence[Delivery]) -> tuple[list[Delivery], list[Delivery]]:
        """The events of a batch as their senders published them, and the marks among them."""
        marks = [each for each in batch if each.exchange == self._marks]
        return [self._as_sent(each) for each in batch if each.exchange != self._marks], marks

    def _as_sent(self, delivery: Delivery) -> Delivery:
        """What was moved home counts as come from where it was published; only who may write there can say so."""
        if GIVEN_BACK not in delivery.headers:
            return delivery
        if delivery.exchange == self._home:
            return replace(delivery, exchange=str(delivery.headers[GIVEN_BACK]))
        others = {name: value for name, value in delivery.headers.items() if name != GIVEN_BACK}
        return replace(delivery, headers=others)

    def passed(self, tx: Transaction, marks: Iterable[Delivery]) -> None:
        """Note that everything before these marks is settled."""
        for delivery in marks:
            tx.execute(
                update(cells)
                .where(cells.c.mark == delivery.headers.get(MARK))
                .values(awaiting=func.array_remove(cells.c.awaiting, delivery.routing_key))
            )

    def held_back(self, tx: Transaction, messages: Sequence[Message]) -> list[str | None]:
        """For each message, in order, the cell whose hand-over it must wait for, or None.

        Where there is one, no hand-over ends before this transaction does, so nothing is held back for one that ended.
        """
        moving = self._taking(tx)
        if moving:
            tx.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": HOLDING_LOCK})
            moving = self._taking(tx)
        if not moving:
            return [None] * len(messages)
        waiting = self._waiting(tx, [row.name for row in moving], messages)
        return [self._place(message, moving, waiting) for message in messages]

    def _taking(self, tx: Transaction) -> Sequence[Any]:
        """The hand-overs in which this process's cell is the taking side."""
        opening = (cells.c.state == CellState.OPENING) & (cells.c.name == self.cell)
        closing = (cells.c.state == CellState.CLOSING) & (literal(self.cell) == HOME)
        return tx.execute(select(cells.c.name, cells.c.areas).where(opening | closing)).all()

    def _place(self, message: Message, moving: Sequence[Any], waiting: dict[str, str]) -> str | None:
        if GIVEN_BACK in message.delivery.headers:
            return None
        key = message.event.partitionkey
        for row in moving:
            if row.name == self.cell or is_claimed(row.areas, message.delivery.routing_key):
                waiting[key] = row.name
                return str(row.name)
        return waiting.get(key)

    def _waiting(self, tx: Transaction, names: list[str], messages: Sequence[Message]) -> dict[str, str]:
        keys = {message.event.partitionkey for message in messages}
        rows = tx.execute(
            select(held_event.c.partitionkey, held_event.c.cell)
            .where(
                held_event.c.state == "in_transit",
                held_event.c.cell.in_(names),
                held_event.c.partitionkey.in_(keys),
            )
            .distinct()
        )
        return {row.partitionkey: row.cell for row in rows}


def end(tx: Transaction) -> None:
    """Wait until no transaction is holding anything back, and let none begin to before this one ends."""
    tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": HOLDING_LOCK})


def release(tx: Transaction, name: str) -> int:
    """Let what waited for the hand-over of a cell be processed, in order, behind what the giving side deferred."""
    rows = tx.execute(_RELEASE, {"cell": name})
    return int(rows.rowcount)


_RELEASE = text(
    "WITH ordered AS (SELECT id FROM held_event WHERE state = 'in_transit' AND cell = :cell ORDER BY id FOR UPDATE),"
    " renumbered AS (SELECT id, nextval(pg_get_serial_sequence('held_event', 'id')) AS later FROM ordered)"
    " UPDATE held_event SET id = later, state = 'deferred', not_before = clock_timestamp()"
    " FROM renumbered WHERE held_event.id = renumbered.id"
)


def counts(tx: Transaction) -> dict[str, int]:
    """Events held back, by the cell whose hand-over they wait for."""
    rows = tx.execute(
        select(held_event.c.cell, func.count().label("events"))
        .where(held_event.c.state == "in_transit")
        .group_by(held_event.c.cell)
    )
    return {row.cell: row.events for row in rows}
