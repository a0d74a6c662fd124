"""Says which held events are meant, and shows them: in a list, in groups of one cause and sender, by state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, tuple_

from wangge.chassis.tables import held_act, held_event
from wangge.chassis.transaction import Transaction

columns = held_event.c


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which held events are meant; None leaves a thing open. `sender` is a login, or a source where none is known."""

    fingerprint: str | None = None
    sender: str | None = None
    type: str | None = None
    state: str | None = None
    message_id: str | None = None
    before: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same for a query."""
        equal = ("fingerprint", "sender", "type", "state", "message_id")
        found = [columns[name] == getattr(self, name) for name in equal if getattr(self, name) is not None]
        return [*found, columns.held_at < self.before] if self.before else found


def page(tx: Transaction, chosen: Chosen, after: int, limit: int) -> list[dict[str, Any]]:
    """Held events, oldest first, with id > `after`."""
    query = select(held_event).where(columns.id > after, *chosen.conditions())
    return [dict(row) for row in tx.execute(query.order_by(columns.id).limit(limit)).mappings()]


def groups(
    tx: Transaction, chosen: Chosen, after: tuple[str, str] | None, limit: int
) -> list[dict[str, Any]]:
    """Held events of one cause and one sender each, with the latest of them as an example."""
    counted = (
        select(
            columns.fingerprint,
            columns.sender,
            func.count().label("count"),
            func.min(columns.held_at).label("first_at"),
            func.max(columns.held_at).label("last_at"),
            func.max(columns.id).label("example_id"),
        )
        .where(*chosen.conditions())
        .group_by(columns.fingerprint, columns.sender)
        .order_by(columns.fingerprint, columns.sender)
        .limit(limit)
    )
    if after:
        counted = counted.where(tuple_(columns.fingerprint, columns.sender) > after)
    group = counted.subquery()
    example = (columns.type, columns.cause, columns.detail, columns.errors, columns.message_id)
    query = select(group, *example).join(held_event, columns.id == group.c.example_id)
    rows = tx.execute(query.order_by(group.c.fingerprint, group.c.sender)).mappings()
    return [{**row, "fields": sorted({error["field"] for error in row["errors"]})} for row in rows]


def acts_on(tx: Transaction, held_id: int) -> list[dict[str, Any]]:
    """What operators did with a held event, in order."""
    acts = select(held_act).where(held_act.c.held_id == held_id).order_by(held_act.c.id)
    return [dict(act) for act in tx.execute(acts).mappings()]


def states(tx: Transaction, chosen: Chosen) -> dict[str, int]:
    """How many of the chosen are in which state."""
    query = (
        select(columns.state, func.count().label("number"))
        .where(*chosen.conditions())
        .group_by(columns.state)
    )
    return {row.state: row.number for row in tx.execute(query)}
