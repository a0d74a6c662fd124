"""Remembers score entries, and how far the closings of a case were undone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    Row,
    Table,
    Text,
    func,
    select,
    text,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from services.points.entries.model import Entry, EntryState, Line, Source, Tally
from services.points.metadata import metadata
from services.points.rule_sets.model import Part
from wangge.chassis.errors import NotFound, Stale
from wangge.chassis.newest import newest, way
from wangge.chassis.scopes import inside, places
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

#: Digits of the areas by which lists of entries are indexed.
COMMUNITY_DIGITS = 12

entries = Table(
    "entries",
    metadata,
    Column("entry_id", Text, primary_key=True),
    Column("person_id", Text, ForeignKey("members.person_id"), nullable=False),
    Column("site", Text, ForeignKey("sites.site"), nullable=False),
    Column("area", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("value", Numeric(8, 2), nullable=False),
    Column("counted", Numeric(8, 2)),
    Column("rule_set_id", BigInteger, ForeignKey("rule_sets.rule_set_id"), nullable=False),
    Column("period", Text, nullable=False),
    Column("occurred_on", Date, nullable=False),
    Column("state", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("event_id", Text),
    Column("case_no", Text),
    Column("closing", Integer),
    Column("evidence", JSONB, nullable=False),
    Column("note", Text),
    Column("recorded_by", Text, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("reviewed_by", Text),
    Column("reviewed_at", DateTime(timezone=True)),
    Column("review_note", Text),
    Column("posted_at", DateTime(timezone=True)),
    Column("reverses", Text, ForeignKey("entries.entry_id")),
    Column("is_carried", Boolean, nullable=False),
    Column("reversed_by", Text),
    Column("reversed_in", Text),
    Column("reason", Text),
    Column("version", Integer, nullable=False),
    Index(
        "entry_event",
        "event_id",
        "item",
        "person_id",
        unique=True,
        postgresql_where=text("event_id IS NOT NULL"),
    ),
    Index("entry_reverses", "reverses", unique=True, postgresql_where=text("reverses IS NOT NULL")),
    Index("entry_person", "person_id", "entry_id"),
    Index("entry_case", "case_no", "closing", postgresql_where=text("case_no IS NOT NULL")),
    Index("entry_recorded", "entry_id", postgresql_where=text("state = 'recorded'")),
    Index("entry_community", text(f"left(area, {COMMUNITY_DIGITS})"), "entry_id"),
    Index("entry_community_period", text(f"left(area, {COMMUNITY_DIGITS})"), "period", "entry_id"),
)

tallies = Table(
    "tallies",
    metadata,
    Column("person_id", Text, ForeignKey("members.person_id"), primary_key=True),
    Column("period", Text, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("times", JSONB, nullable=False, comment="how many standing entries there are of each value"),
    Column("rule_set_id", BigInteger, nullable=False),
)

reopenings = Table(
    "reopenings",
    metadata,
    Column("case_no", Text, primary_key=True),
    Column("closing", Integer, nullable=False, comment="the highest closing that no longer stands"),
)

_COLUMNS = [field.name for field in fields(Entry)]


def find(tx: Transaction, entry_id: str) -> Entry:
    """The entry. Raises `NotFound`."""
    row = tx.execute(select(entries).where(entries.c.entry_id == entry_id)).first()
    if row is None:
        raise not_found(entry_id)
    return _entry(row)


def not_found(entry_id: str) -> NotFound:
    """The same answer for none and for one outside the asker's scope."""
    return NotFound("entry.not_found", "没有这条积分记录", f"no entry {entry_id}")


def add(tx: Transaction, new: Sequence[Entry]) -> None:
    """Add entries."""
    tx.execute(insert(entries), [_row(entry) for entry in new])


def of_events(tx: Transaction, event_ids: Collection[str]) -> set[tuple[str | None, str, str]]:
    """Event, item and person of every entry that these events have posted."""
    query = select(entries.c.event_id, entries.c.item, entries.c.person_id)
    rows = tx.execute(query.where(entries.c.event_id.in_(event_ids)))
    return {(row.event_id, row.item, row.person_id) for row in rows}


def save(tx: Transaction, entry: Entry) -> None:
    """Keep a changed entry. Raises `Stale` when another change came first."""
    statement = (
        update(entries)
        .where(entries.c.entry_id == entry.entry_id, entries.c.version == entry.version - 1)
        .values(_row(entry))
    )
    if not tx.execute(statement).rowcount:
        raise Stale("version.stale", "内容已被他人更新，请刷新后重试", "another change came first")


def tallies_of(tx: Transaction, lines: Collection[Line]) -> dict[Line, Tally]:
    """The tallies of these members, periods and items; those where nothing was posted are left out."""
    columns = (tallies.c.person_id, tallies.c.period, tallies.c.item)
    rows = tx.execute(select(tallies).where(tuple_(*columns).in_(sorted(lines))))
    return {
        (row.person_id, row.period, row.item): Tally(
            {Decimal(value): count for value, count in row.times.items()}, row.rule_set_id
        )
        for row in rows
    }


def save_tallies(tx: Transaction, changed: Mapping[Line, Tally]) -> None:
    """Keep tallies. The caller holds the posting lock."""
    statement = insert(tallies).values(
        [
            {
                "person_id": person_id,
                "period": period,
                "item": item,
                "times": {str(value): count for value, count in tally.times.items()},
                "rule_set_id": tally.rule_set_id,
            }
            for (person_id, period, item), tally in sorted(changed.items())
        ]
    )
    kept = {name: statement.excluded[name] for name in ("times", "rule_set_id")}
    tx.execute(statement.on_conflict_do_update(index_elements=["person_id", "period", "item"], set_=kept))


def undo_closings(tx: Transaction, case_no: str, closing: int) -> None:
    """Remember that this and the earlier closings of a case no longer stand."""
    statement = insert(reopenings).values(case_no=case_no, closing=closing)
    highest = func.greatest(reopenings.c.closing, statement.excluded.closing)
    tx.execute(statement.on_conflict_do_update(index_elements=["case_no"], set_={"closing": highest}))


def undone(tx: Transaction, case_nos: Collection[str]) -> dict[str, int]:
    """By case: the highest closing that no longer stands; a case that was never reopened is left out."""
    rows = tx.execute(select(reopenings).where(reopenings.c.case_no.in_(case_nos)))
    return {row.case_no: row.closing for row in rows}


def standing_of_case(tx: Transaction, case_no: str, closing: int) -> list[Entry]:
    """The posted entries that came from this or an earlier closing of the case, by person."""
    query = (
        select(entries)
        .where(
            entries.c.case_no == case_no,
            entries.c.closing <= closing,
            entries.c.state == EntryState.POSTED,
            entries.c.source == Source.EVENT,
            entries.c.reverses.is_(None),
        )
        .order_by(entries.c.person_id, entries.c.entry_id)
    )
    return [_entry(row) for row in tx.execute(query)]


def page_of(
    tx: Transaction,
    filters: Mapping[str, Any],
    areas: Collection[Area] | None,
    before: str | None,
    limit: int,
) -> list[Entry]:
    """Entries with these column values (None: any), in `areas` where given, older than `before`, newest first."""
    keys = (entries.c.entry_id,)
    wanted = [entries.c[name] == value for name, value in filters.items() if value is not None]
    after = None if before is None else (before,)
    within = (
        [true()]
        if areas is None
        else [inside(entries.c.area, area, (COMMUNITY_DIGITS,)) for area in places(areas)]
    )
    ways = [way(select(*keys), keys, [there, *wanted], after, limit) for there in within]
    found = tx.execute(newest(entries, list(entries.c), ways, limit)) if ways else ()
    return [_entry(row) for row in found]


def _row(entry: Entry) -> dict[str, Any]:
    return asdict(entry)


def _entry(row: Row[Any]) -> Entry:
    values = {name: getattr(row, name) for name in _COLUMNS}
    typed = {
        "part": Part(row.part),
        "state": EntryState(row.state),
        "source": Source(row.source),
        "evidence": tuple(row.evidence),
    }
    return Entry(**{**values, **typed})
