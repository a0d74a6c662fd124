"""Remembers the publishers; of their API keys only the digests."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB

from services.intake.metadata import metadata
from services.intake.publishers.model import Limits, Publisher, Publishers, PublisherStatus
from services.intake.saving import save
from wangge.chassis.errors import NotFound
from wangge.chassis.transaction import Transaction

publishers = Table(
    "publishers",
    metadata,
    Column("login", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("channels", JSONB, nullable=False),
    Column("areas", JSONB, nullable=False),
    Column("is_user_id_required", Boolean, nullable=False),
    Column("is_auto_accepted", Boolean, nullable=False),
    Column("api_key_sha256", Text),
    Column("status", Text, nullable=False),
    Column("quota_per_day", BigInteger),
    Column("pace_per_minute", BigInteger),
    Index("publisher_source", "source", unique=True, postgresql_where=text("status = 'active'")),
    Index("publisher_site", "site"),
)


def of_site(tx: Transaction, site: str) -> dict[str, Publisher]:
    """Every publisher that the site ever listed, by login."""
    rows = tx.execute(select(publishers).where(publishers.c.site == site)).mappings()
    return {row["login"]: _publisher(row) for row in rows}


def of_others(
    tx: Transaction, site: str, logins: Collection[str], sources: Collection[str]
) -> list[Publisher]:
    """Publishers of other sites that have one of these logins, or one of these sources now."""
    columns = publishers.c
    same_source = columns.source.in_(sources) & (columns.status == PublisherStatus.ACTIVE)
    query = select(publishers).where(columns.site != site, or_(columns.login.in_(logins), same_source))
    return [_publisher(row) for row in tx.execute(query).mappings()]


def active(tx: Transaction) -> Publishers:
    """The publishers that may send now."""
    query = select(publishers).where(publishers.c.status == PublisherStatus.ACTIVE)
    found = [_publisher(row) for row in tx.execute(query).mappings()]
    return Publishers(
        by_login={one.login: one for one in found},
        by_source={one.source: one for one in found},
        by_key={one.api_key_sha256: one for one in found if one.api_key_sha256},
    )


def find(tx: Transaction, login: str) -> Publisher:
    """The publisher, ended or not. Raises `NotFound`."""
    row = tx.execute(select(publishers).where(publishers.c.login == login)).mappings().first()
    if row is None:
        raise no_publisher(login)
    return _publisher(row)


def no_publisher(login: str) -> NotFound:
    """The refusal for a publisher that is not there, or not for the asker."""
    return NotFound("publisher.not_found", "没有这个发布方", f"no publisher {login}")


def put(tx: Transaction, changed: Sequence[Publisher]) -> None:
    """Write these publishers; those that end come first, so that a successor may take the source."""
    in_order = sorted(changed, key=lambda publisher: publisher.status is PublisherStatus.ACTIVE)
    for publisher in in_order:
        save(tx, publishers, [_row(publisher)])


def listed(tx: Transaction, after: str, limit: int) -> list[Publisher]:
    """Publishers by login."""
    query = select(publishers).where(publishers.c.login > after).order_by(publishers.c.login).limit(limit)
    return [_publisher(row) for row in tx.execute(query).mappings()]


def _row(publisher: Publisher) -> dict[str, Any]:
    return {
        "login": publisher.login,
        "site": publisher.site,
        "source": publisher.source,
        "name": publisher.name,
        "channels": sorted(publisher.channels),
        "areas": list(publisher.areas),
        "is_user_id_required": publisher.is_user_id_required,
        "is_auto_accepted": publisher.is_auto_accepted,
        "api_key_sha256": publisher.api_key_sha256,
        "status": publisher.status,
        "quota_per_day": publisher.limits.quota_per_day,
        "pace_per_minute": publisher.limits.pace_per_minute,
    }


def _publisher(row: Any) -> Publisher:
    return Publisher(
        login=row["login"],
        site=row["site"],
        source=row["source"],
        name=row["name"],
        channels=frozenset(row["channels"]),
        areas=tuple(row["areas"]),
        is_user_id_required=row["is_user_id_required"],
        is_auto_accepted=row["is_auto_accepted"],
        api_key_sha256=row["api_key_sha256"],
        status=PublisherStatus(row["status"]),
        limits=Limits(row["quota_per_day"], row["pace_per_minute"]),
    )
