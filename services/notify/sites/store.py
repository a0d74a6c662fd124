"""Remembers what each site was given, and keeps the rules of a revision in memory, since a revision never changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Column, DateTime, Row, Table, Text, Time, func, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert

from services.notify.metadata import metadata
from services.notify.remembering import forget, remembered
from services.notify.routes import store as route_store
from services.notify.routes.model import Route
from services.notify.sites.model import QuietHours, Retries, Site, area_taken, community_of
from services.notify.templates import store as template_store
from services.notify.templates.model import Template
from wangge.chassis.transaction import Transaction

sites = Table(
    "sites",
    metadata,
    Column("site", Text, primary_key=True),
    Column("area", Text, nullable=False, unique=True, comment="community, 12 digits"),
    Column("name", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("names", JSONB, nullable=False, comment="Chinese names of codes"),
    Column("quiet_from", Time),
    Column("quiet_to", Time),
    Column("retries", JSONB, nullable=False),
    Column("applied_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """All that a site says about telling."""

    site: Site
    routes: Mapping[str, tuple[Route, ...]]
    """By event name, in the order of the pack."""
    templates: Mapping[str, Template]


_REVISION = text("SELECT site, revision FROM sites WHERE area = :area")

_remembered: dict[str, Rules] = {}


def find(tx: Transaction, site: str) -> Site | None:
    """The site as it was last applied, or None."""
    row = tx.execute(select(sites).where(sites.c.site == site)).one_or_none()
    return _site(row) if row else None


def of_site(tx: Transaction, site: str) -> Site:
    """The site of a message: it was applied once, and sites are never removed."""
    return _site(tx.execute(select(sites).where(sites.c.site == site)).one())


def rules_over(tx: Transaction, area: str) -> Rules | None:
    """The rules of the community that an area lies in; None where no site was applied for it."""
    community = community_of(area)
    if community is None:
        return None
    return remembered(tx, "rules", [community], lambda _: {community: _rules_of(tx, community)}, None)[
        community
    ]


def _rules_of(tx: Transaction, community: str) -> Rules | None:
    revision = tx.execute(_REVISION, {"area": community}).one_or_none()
    if revision is None:
        return None
    known = _remembered.get(revision.site)
    if known is None or known.site.revision != revision.revision:
        known = _remembered[revision.site] = _rules(tx, revision.site)
    return known


def save(tx: Transaction, site: Site) -> dict[str, int]:
    """Keep the site's own part; answers how many names and settings changed. Raises `Conflict` (`site.area_taken`)."""
    other = select(sites.c.site).where(sites.c.area == site.area, sites.c.site != site.site)
    if taken := tx.execute(other).scalar():
        raise area_taken(site.area, taken)
    before = find(tx, site.site)
    row = _row(site)
    tx.execute(
        insert(sites)
        .values(row)
        .on_conflict_do_update(index_elements=["site"], set_={**row, "applied_at": func.now()})
    )
    forget(tx)
    if before is None:
        return {"names": len(site.names), "settings": 1}
    names = {code for code, _ in before.names.items() ^ site.names.items()}
    settings = (before.quiet, before.retries, before.name) != (site.quiet, site.retries, site.name)
    return {"names": len(names), "settings": int(settings)}


def _rules(tx: Transaction, site: str) -> Rules:
    return Rules(of_site(tx, site), route_store.by_event(tx, site), template_store.by_code(tx, site))


def _row(site: Site) -> dict[str, Any]:
    return {
        "site": site.site,
        "area": site.area,
        "name": site.name,
        "revision": site.revision,
        "names": dict(site.names),
        "quiet_from": site.quiet.from_ if site.quiet else None,
        "quiet_to": site.quiet.to if site.quiet else None,
        "retries": asdict(site.retries),
    }


def _site(row: Row[Any]) -> Site:
    return Site(
        site=row.site,
        area=row.area,
        name=row.name,
        revision=row.revision,
        names=row.names,
        quiet=QuietHours(row.quiet_from, row.quiet_to) if row.quiet_from is not None else None,
        retries=Retries(**row.retries),
    )
