"""Remembers the periods that are no longer open; a period without a row is open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Column, DateTime, ForeignKey, Table, Text, select
from sqlalchemy.dialects.postgresql import insert

from services.points.metadata import metadata
from services.points.periods.model import Period, PeriodState, SitePeriod
from wangge.chassis.transaction import Transaction

periods = Table(
    "periods",
    metadata,
    Column("site", Text, ForeignKey("sites.site"), primary_key=True),
    Column("code", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("closed_at", DateTime(timezone=True), nullable=False),
    Column("closed_by", Text, nullable=False),
)


def find(tx: Transaction, site: str, period: Period) -> SitePeriod:
    """The period as the site counts it."""
    row = tx.execute(select(periods).where(periods.c.site == site, periods.c.code == period.code)).first()
    if row is None:
        return SitePeriod(site, period)
    return SitePeriod(site, period, PeriodState(row.state), row.closed_at, row.closed_by)


def save(tx: Transaction, period: SitePeriod) -> None:
    """Keep a period that was closed."""
    row = {"state": period.state, "closed_at": period.closed_at, "closed_by": period.closed_by}
    statement = insert(periods).values(site=period.site, code=period.period.code, **row)
    tx.execute(statement.on_conflict_do_update(index_elements=["site", "code"], set_=row))


def closed(tx: Transaction, sites: Iterable[str]) -> dict[str, set[str]]:
    """By site: the codes of the periods that take no more entries."""
    codes: dict[str, set[str]] = defaultdict(set)
    query = select(periods.c.site, periods.c.code).where(periods.c.site.in_(sorted(set(sites))))
    for row in tx.execute(query.where(periods.c.state != PeriodState.OPEN)):
        codes[row.site].add(row.code)
    return codes
