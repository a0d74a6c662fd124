"""Remembers the score of every member and period: the record that the sorted set in Redis is made from."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import Column, ForeignKey, Numeric, Row, Table, Text, and_, func, select
from sqlalchemy.dialects.postgresql import insert

from services.points.boards.model import NOTHING_EARNED, Evaluation
from services.points.members.model import MemberStatus
from services.points.members.store import members, within
from services.points.metadata import metadata
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

rows = Table(
    "board_row",
    metadata,
    Column("person_id", Text, ForeignKey("member.person_id"), primary_key=True),
    Column("period", Text, primary_key=True),
    Column("base", Numeric(10, 2), nullable=False),
    Column("award", Numeric(10, 2), nullable=False),
    Column("penalty", Numeric(10, 2), nullable=False),
    Column("total", Numeric(10, 2), nullable=False),
)


def save_all(tx: Transaction, evaluations: Mapping[tuple[str, str], Evaluation]) -> None:
    """Keep the scores by person and period. The caller holds the posting lock."""
    statement = insert(rows).values(
        [
            {
                "person_id": person_id,
                "period": period,
                "base": each.base,
                "award": each.award,
                "penalty": each.penalty,
                "total": each.total,
            }
            for (person_id, period), each in sorted(evaluations.items())
        ]
    )
    names = ("base", "award", "penalty", "total")
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["person_id", "period"], set_={name: statement.excluded[name] for name in names}
        )
    )


def evaluations(tx: Transaction, persons: Mapping[str, str]) -> dict[str, Evaluation]:
    """By person: their score of the period that `persons` names for them; who has no entry has 0."""
    found = dict.fromkeys(persons, NOTHING_EARNED)
    query = select(rows).where(rows.c.person_id.in_(list(persons)), rows.c.period.in_(set(persons.values())))
    for row in tx.execute(query):
        if persons[row.person_id] == row.period:
            found[row.person_id] = _evaluation(row)
    return found


def totals(tx: Transaction, period: str, area: Area) -> list[tuple[str, Decimal]]:
    """The score of every ranked member in an area, whether or not they have an entry."""
    query = (
        select(members.c.person_id, func.coalesce(rows.c.total, 0).label("total"))
        .outerjoin(rows, and_(rows.c.person_id == members.c.person_id, rows.c.period == period))
        .where(
            within(members.c.area, [area]),
            members.c.left_at.is_(None),
            members.c.status != MemberStatus.EXEMPT,
        )
    )
    return [(row.person_id, Decimal(row.total)) for row in tx.execute(query)]


def _evaluation(row: Row[tuple[str]]) -> Evaluation:
    return Evaluation(row.base, row.award, row.penalty, row.total)
