"""Remembers score entries, and how far the closings of a case were undone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
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
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from services.points.entries.model import Entry, EntryState, Source
from services.points.members.store import within
from services.points.metadata import metadata
from services.points.rule_sets.model import Part
from wangge.chassis.errors import NotFound, Stale
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

entries = Table(
    "entry",
    metadata,
    Column("entry_id", Text, primary_key=True),
    Column("person_id", Text, ForeignKey("member.person_id"), nullable=False),
    Column("site", Text, ForeignKey("site.site"), nullable=False),
    Column("area", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("value", Numeric(8, 2), nullable=False),
    Column("counted", Numeric(8, 2)),
    Column("rule_set_id", BigInteger, ForeignKey("rule_set.rule_set_id"), nullable=False),
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
    Column("reverses", Text, ForeignKey("entry.entry_id")),
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
    Index("entry_sheet", "person_id", "period"),
    Index("entry_person", "person_id", "entry_id"),
    Index("entry_case", "case_no", "closing", postgresql_where=text("case_no IS NOT NULL")),
    Index("entry_recorded", "entry_id", postgresql_where=text("state = 'recorded'")),
)

reopenings = Table(
    "reopening",
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


def of_event(tx: Transaction, event_id: str) -> set[tuple[str, str]]:
    """Person and item of every entry that an event has posted."""
    query = select(entries.c.person_id, entries.c.item).where(entries.c.event_id == event_id)
    return {(row.person_id, row.item) for row in tx.execute(query)}


def save(tx: Transaction, entry: Entry) -> None:
    """Keep a changed entry. Raises `Stale` when another change came first."""
    statement = (
        update(entries)
        .where(entries.c.entry_id == entry.entry_id, entries.c.version == entry.version - 1)
        .values(_row(entry))
    )
    if not tx.execute(statement).rowcount:
        raise Stale("version.stale", "内容已被他人更新，请刷新后重试", "another change came first")


def posted(tx: Transaction, sheets: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[Entry]]:
    """By person and period: every entry that is or was posted there, counter-entries too."""
    query = select(entries).where(
        tuple_(entries.c.person_id, entries.c.period).in_(sorted(sheets)),
        entries.c.state.in_([EntryState.POSTED, EntryState.REVERSED]),
    )
    found: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for row in tx.execute(query):
        found[row.person_id, row.period].append(_entry(row))
    return found


def undo_closings(tx: Transaction, case_no: str, closing: int) -> None:
    """Remember that this and the earlier closings of a case no longer stand."""
    statement = insert(reopenings).values(case_no=case_no, closing=closing)
    highest = func.greatest(reopenings.c.closing, statement.excluded.closing)
    tx.execute(statement.on_conflict_do_update(index_elements=["case_no"], set_={"closing": highest}))


def is_undone(tx: Transaction, case_no: str, closing: int) -> bool:
    """Whether this closing of a case was undone already: the facts arrived in another order."""
    undone = tx.execute(select(reopenings.c.closing).where(reopenings.c.case_no == case_no)).scalar()
    return undone is not None and closing <= undone


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
    tx: Transaction, filters: Mapping[str, Any], areas: Iterable[Area] | None, before: str | None, limit: int
) -> list[Entry]:
    """Entries with these column values (None: any), in `areas` where given, older than `before`, newest first."""
    query = select(entries).order_by(entries.c.entry_id.desc()).limit(limit)
    for name, value in filters.items():
        if value is not None:
            query = query.where(entries.c[name] == value)
    if areas is not None:
        query = query.where(within(entries.c.area, areas))
    if before is not None:
        query = query.where(entries.c.entry_id < before)
    return [_entry(row) for row in tx.execute(query)]


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
