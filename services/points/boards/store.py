"""Remembers the score of every member and period: the record that the sorted set in Redis is made from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnClause,
    ForeignKey,
    Numeric,
    Row,
    Table,
    Text,
    and_,
    func,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert

from services.points.boards.model import NOTHING_EARNED, Evaluation, Version, evaluate
from services.points.entries.model import Place, Sums
from services.points.members.model import MemberStatus
from services.points.members.store import members, within
from services.points.metadata import metadata
from services.points.rule_sets import store as rule_sets
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

# the sites' store knows the members, and they the boards, so their table is named here by its name
_OF_SITE: ColumnClause[int] = literal_column(
    "(SELECT sites.boards_version FROM sites WHERE sites.site = board_versions.site)"
)

rows = Table(
    "board_rows",
    metadata,
    Column("person_id", Text, ForeignKey("members.person_id"), primary_key=True),
    Column("period", Text, primary_key=True),
    Column("base", Numeric(10, 2), nullable=False, comment="before the cap of the part, as award"),
    Column("award", Numeric(10, 2), nullable=False),
    Column("penalty", Numeric(10, 2), nullable=False),
    Column("total", Numeric(5, 2), nullable=False),
    Column("rule_set_id", BigInteger, ForeignKey("rule_sets.rule_set_id"), nullable=False),
)


versions = Table(
    "board_versions",
    metadata,
    Column("site", Text, ForeignKey("sites.site"), primary_key=True),
    Column("period", Text, primary_key=True),
    Column("version", BigInteger, nullable=False, comment="counts changes of the board's scores"),
)


def version(tx: Transaction, site: str, period: str) -> int:
    """How often the scores of a board were changed."""
    query = select(versions.c.version).where(versions.c.site == site, versions.c.period == period)
    return tx.execute(query).scalar() or 0


def changed(tx: Transaction, boards: Collection[tuple[str, str]]) -> dict[tuple[str, str], Version]:
    """Count a change of the boards (site, period); answers their new versions. The caller holds the posting lock."""
    statement = insert(versions).values(
        [{"site": site, "period": period, "version": 1} for site, period in sorted(boards)]
    )
    counted = statement.on_conflict_do_update(
        index_elements=["site", "period"], set_={"version": versions.c.version + 1}
    )
    rows = tx.execute(counted.returning(*versions.c, _OF_SITE.label("of_site")))
    return {(row.site, row.period): Version(row.of_site, row.version) for row in rows}


def sums_of(tx: Transaction, places: Collection[Place]) -> dict[Place, Sums]:
    """What counts by person and period; a place where nothing was posted is left out."""
    query = select(rows).where(tuple_(rows.c.person_id, rows.c.period).in_(sorted(places)))
    return {(row.person_id, row.period): _sums(row) for row in tx.execute(query)}


def save_all(tx: Transaction, changed: Mapping[Place, tuple[Sums, Evaluation]]) -> None:
    """Keep the scores by person and period. The caller holds the posting lock."""
    statement = insert(rows).values(
        [
            {"person_id": person_id, "period": period, "total": evaluation.total, **asdict(sums)}
            for (person_id, period), (sums, evaluation) in sorted(changed.items())
        ]
    )
    names = ("base", "award", "penalty", "total", "rule_set_id")
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["person_id", "period"], set_={name: statement.excluded[name] for name in names}
        )
    )


def evaluations(tx: Transaction, places: Collection[Place]) -> dict[Place, Evaluation]:
    """The scores by person and period; who has no entry there has 0."""
    found = sums_of(tx, places)
    rules = rule_sets.get(tx, {sums.rule_set_id for sums in found.values()})
    scored = {place: evaluate(sums, rules[sums.rule_set_id]) for place, sums in found.items()}
    return {place: scored.get(place, NOTHING_EARNED) for place in places}


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


def _sums(row: Row[Any]) -> Sums:
    return Sums(row.base, row.award, row.penalty, row.rule_set_id)
