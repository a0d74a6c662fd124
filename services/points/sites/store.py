"""Remembers the sites that were applied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Row, Table, Text, and_, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from services.points.members.store import members, within
from services.points.metadata import metadata
from services.points.periods.model import PeriodKind
from services.points.sites.model import Site
from wangge.chassis.auth import Principal
from wangge.chassis.errors import NotFound, invalid
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

sites = Table(
    "sites",
    metadata,
    Column("site", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("area", Text, nullable=False, unique=True),
    Column("period_kind", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("boards_version", BigInteger, nullable=False, server_default=text("0")),
    Column("applied_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
)


def find(tx: Transaction, site: str) -> Site | None:
    """The site, or None where its pack was never applied."""
    row = tx.execute(select(sites).where(sites.c.site == site)).first()
    return _site(row) if row else None


def holder_of(tx: Transaction, area: str) -> Site | None:
    """The site of a community's code, or None."""
    row = tx.execute(select(sites).where(sites.c.area == area)).first()
    return _site(row) if row else None


def save(tx: Transaction, site: Site) -> None:
    """Add or change a site; the version of its boards goes on counting."""
    row = {**asdict(site), "applied_at": func.clock_timestamp()}
    changed = {name: value for name, value in row.items() if name not in {"site", "boards_version"}}
    statement = insert(sites).values(row)
    tx.execute(statement.on_conflict_do_update(index_elements=["site"], set_=changed))


def boards_changed(tx: Transaction, names: Iterable[str]) -> dict[str, int]:
    """Count a change of these sites' boards; answers the new versions. The caller holds the posting lock."""
    statement = (
        update(sites)
        .where(sites.c.site.in_(sorted(set(names))))
        .values(boards_version=sites.c.boards_version + 1)
        .returning(sites.c.site, sites.c.boards_version)
    )
    return {row.site: row.boards_version for row in tx.execute(statement)}


def kinds(tx: Transaction, names: Iterable[str]) -> dict[str, PeriodKind]:
    """The kind of period that each of these sites counts by."""
    query = select(sites.c.site, sites.c.period_kind).where(sites.c.site.in_(sorted(set(names))))
    return {row.site: PeriodKind(row.period_kind) for row in tx.execute(query)}


def within_scope(tx: Transaction, areas: Sequence[Area]) -> list[Site]:
    """The sites whose community lies in, or holds, one of `areas`."""
    holding = [area.community.code for area in areas if area.community]
    condition = or_(within(sites.c.area, areas), sites.c.area.in_(holding))
    return [_site(row) for row in tx.execute(select(sites).where(condition).order_by(sites.c.site))]


def of_asker(tx: Transaction, who: Principal, area: str | None) -> Site:
    """The one site meant by `area`; where none is named, by the asker's scope or else their own membership.

    A community's rules and boards hang on its wall: whoever works or is a member there may see them. Raises
    `Forbidden` for an area elsewhere, `NotFound` where no site is there, `Invalid` where several are.
    """
    own = own_site(tx, who)
    there = within_scope(tx, who.areas if area is None else [Area.parse(area)])
    found = [site for site in there if site == own or _works_in(who, site)]
    if area is None and own and len(found) != 1:
        found = [own]
    if not found:
        if area is not None:
            who.require_area(area)
        raise NotFound("site.not_found", "范围内没有已启用积分制的社区", "no site is scored there")
    if len(found) > 1:
        named = ", ".join(site.area for site in found)
        raise invalid([{"field": "area", "message": f"name one community: {named}"}])
    return found[0]


def _works_in(who: Principal, site: Site) -> bool:
    community = Area.parse(site.area)
    return any(community.contains(area) or area.contains(community) for area in who.areas)


def own_site(tx: Transaction, who: Principal) -> Site | None:
    """The site where the asker is a member, or None."""
    query = select(sites).join(members, and_(members.c.site == sites.c.site, members.c.left_at.is_(None)))
    row = tx.execute(query.where(members.c.person_id == who.id)).first()
    return _site(row) if row else None


def _site(row: Row[Any]) -> Site:
    return Site(row.site, row.name, row.area, PeriodKind(row.period_kind), row.revision, row.boards_version)
