"""Remembers the sites as applied, and the version of the directory that tells every process when to read it anew."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Float,
    Integer,
    SmallInteger,
    Table,
    Text,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.intake.metadata import metadata
from services.intake.saving import save, within
from services.intake.sites.model import Nearness, Rejection, Site
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

#: Serialises the application of site packs; any number that no other lock of this database has.
APPLY_LOCK = 7_203_101

sites = Table(
    "sites",
    metadata,
    Column("site", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("area", Text, nullable=False, unique=True),
    Column("revision", Text, nullable=False),
    Column("lng", Float, nullable=False),
    Column("lat", Float, nullable=False),
    Column("default_category", Text, nullable=False),
    Column("auto_accept", JSONB, nullable=False),
    Column("rejections", JSONB, nullable=False),
    Column("near_metres", Integer, nullable=False),
    Column("near_hours", Integer, nullable=False),
    Column("applied_at", DateTime(timezone=True), nullable=False),
)

directory_version = Table(
    "directory_versions",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("version", BigInteger, nullable=False),
)


def lock(tx: Transaction) -> None:
    """Let one site pack be applied at a time."""
    tx.execute(select(func.pg_advisory_xact_lock(APPLY_LOCK)))


VERSION = text("SELECT version FROM directory_versions")


def version(tx: Transaction) -> int:
    """The directory's version: it grows with every change."""
    return int(tx.execute(VERSION).scalar_one())


def changed(tx: Transaction) -> None:
    """Tell every process that the directory has changed."""
    tx.execute(update(directory_version).values(version=directory_version.c.version + 1))


def find(tx: Transaction, site: str) -> Site | None:
    """A site as applied."""
    row = tx.execute(select(sites).where(sites.c.site == site)).mappings().first()
    return _site(row) if row else None


def owner_of(tx: Transaction, area: str) -> str | None:
    """Which site has this community."""
    owner: str | None = tx.execute(select(sites.c.site).where(sites.c.area == area)).scalar()
    return owner


def everything(tx: Transaction) -> list[Site]:
    """Every site."""
    return [_site(row) for row in tx.execute(select(sites)).mappings()]


def listed(tx: Transaction, areas: tuple[Area, ...], after: str, limit: int) -> list[Site]:
    """Sites in these areas, by name of their folder."""
    query = select(sites).where(sites.c.site > after, within(sites.c.area, areas))
    return [_site(row) for row in tx.execute(query.order_by(sites.c.site).limit(limit)).mappings()]


def put(tx: Transaction, site: Site) -> None:
    """Add a site or replace its settings."""
    row = {
        "site": site.site,
        "name": site.name,
        "area": site.area,
        "revision": site.revision,
        "lng": site.lng,
        "lat": site.lat,
        "default_category": site.default_category,
        "auto_accept": sorted(site.auto_accept),
        "rejections": [
            {"reason": rule.reason, "keywords": list(rule.keywords), "reply": rule.reply}
            for rule in site.rejections
        ],
        "near_metres": site.near.metres,
        "near_hours": site.near.hours,
        "applied_at": tx.now,
    }
    save(tx, sites, [row])


def _site(row: Any) -> Site:
    return Site(
        site=row["site"],
        name=row["name"],
        area=row["area"],
        revision=row["revision"],
        lng=row["lng"],
        lat=row["lat"],
        default_category=row["default_category"],
        auto_accept=frozenset(row["auto_accept"]),
        rejections=tuple(
            Rejection(rule["reason"], tuple(rule["keywords"]), rule["reply"]) for rule in row["rejections"]
        ),
        near=Nearness(row["near_metres"], row["near_hours"]),
    )
