"""Remembers the members, and finds them with their score and wallet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Index,
    Row,
    Table,
    Text,
    column,
    false,
    or_,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import insert

from services.points.members.model import Member, MemberStatus
from services.points.metadata import metadata
from services.points.periods.model import PeriodKind
from services.points.rule_sets import store as rule_sets
from wangge.chassis.errors import NotFound
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

members = Table(
    "members",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("site", Text, ForeignKey("sites.site"), nullable=False),
    Column("org", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("area", Text, nullable=False),
    Column("left_at", DateTime(timezone=True)),
    Index("member_site", "site", "person_id"),
    Index("member_area", "area", postgresql_ops={"area": "text_pattern_ops"}),
)


# the sites' store knows the members, so their table is named here by its name
_SITE = table("sites", column("site"), column("period_kind"))
_KIND = (
    select(_SITE.c.period_kind).where(_SITE.c.site == members.c.site).scalar_subquery().label("period_kind")
)


@dataclass(frozen=True, slots=True)
class Credited:
    """A member who may be credited, with the rule set that holds on that day and the kind of period at their site."""

    member: Member
    rule_set_id: int
    period_kind: PeriodKind


def find(tx: Transaction, person_id: str) -> Member:
    """The member. Raises `NotFound`."""
    row = tx.execute(select(members).where(members.c.person_id == person_id)).first()
    if row is None:
        raise not_found(person_id)
    return member_of(row)


def not_found(person_id: str) -> NotFound:
    """The same answer for nobody and for somebody outside the asker's scope."""
    return NotFound("member.not_found", "没有这名党员", f"no member {person_id}")


def of_site(tx: Transaction, site: str) -> dict[str, Member]:
    """All members that the site ever listed, by person."""
    rows = tx.execute(select(members).where(members.c.site == site))
    return {row.person_id: member_of(row) for row in rows}


def elsewhere(tx: Transaction, site: str, person_ids: Iterable[str]) -> set[str]:
    """Those of `person_ids` who are members of another site."""
    query = select(members.c.person_id).where(
        members.c.site != site, members.c.person_id.in_(list(person_ids))
    )
    return {row.person_id for row in tx.execute(query)}


def save_all(tx: Transaction, changed: Sequence[Member]) -> int:
    """Add or change members; answers how many."""
    if not changed:
        return 0
    statement = insert(members).values([_row(member) for member in changed])
    columns = [column.name for column in members.c if column.name != "person_id"]
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["person_id"], set_={name: statement.excluded[name] for name in columns}
        )
    )
    return len(changed)


def credited(tx: Transaction, person_ids: Iterable[str], on: date) -> list[Credited]:
    """The present members among `person_ids` whose site has a rule set that holds on this day."""
    rule_set_id = rule_sets.valid_on(members.c.site, on).label("rule_set_id")
    query = (
        select(members, rule_set_id, _KIND)
        .where(members.c.person_id.in_(sorted(person_ids)), members.c.left_at.is_(None))
        .order_by(members.c.person_id)
    )
    return [
        Credited(member_of(row), row.rule_set_id, PeriodKind(row.period_kind))
        for row in tx.execute(query)
        if row.rule_set_id is not None
    ]


def page_of(
    tx: Transaction, areas: Iterable[Area], status: str | None, after: str, limit: int
) -> list[Member]:
    """Present members in one of `areas` with person_id > `after`."""
    query = (
        select(members)
        .where(members.c.left_at.is_(None), within(members.c.area, areas), members.c.person_id > after)
        .order_by(members.c.person_id)
        .limit(limit)
    )
    if status:
        query = query.where(members.c.status == status)
    return [member_of(row) for row in tx.execute(query)]


def within(column: Any, areas: Iterable[Area]) -> Any:
    """As a condition: the area code in `column` lies in one of `areas`."""
    return or_(false(), *(column.like(f"{_prefix(area)}%") for area in areas))


def member_of(row: Row[Any]) -> Member:
    """The member in a row that has the columns of the table."""
    return Member(row.person_id, row.site, row.org, MemberStatus(row.status), row.area, row.left_at)


def _prefix(area: Area) -> str:
    # a grid's code ends in micro-grid 00; its micro-grids lie within it
    return area.code[:15] if area.code.endswith("00") and len(area.code) == 17 else area.code


def _row(member: Member) -> dict[str, Any]:
    return {column.name: getattr(member, column.name) for column in members.c}
