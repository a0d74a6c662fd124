"""Remembers the categories of each site."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Boolean, Column, SmallInteger, Table, Text, delete, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB

from services.intake.categories.model import Category
from services.intake.metadata import metadata
from services.intake.saving import save
from wangge.chassis.transaction import Transaction

categories = Table(
    "categories",
    metadata,
    Column("site", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("position", SmallInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("keywords", JSONB, nullable=False),
    Column("urgency", Text),
    Column("is_on_spot", Boolean, nullable=False),
)


def of_site(tx: Transaction, site: str) -> dict[str, Category]:
    """The site's categories, by code."""
    rows = tx.execute(select(categories).where(categories.c.site == site)).mappings()
    return {row["code"]: _category(row) for row in rows}


def everything(tx: Transaction) -> list[Category]:
    """The categories of all sites, by site and priority."""
    query = select(categories).order_by(categories.c.site, categories.c.position)
    return [_category(row) for row in tx.execute(query).mappings()]


def put(tx: Transaction, changed: Sequence[Category]) -> None:
    """Write these categories."""
    save(tx, categories, [_row(category) for category in changed])


def remove(tx: Transaction, site: str, codes: Collection[str]) -> None:
    """Take categories off the list; reports keep their codes."""
    if codes:
        tx.execute(delete(categories).where(categories.c.site == site, categories.c.code.in_(codes)))


def listed(tx: Transaction, site: str | None, after: tuple[str, str], limit: int) -> list[Category]:
    """Categories by site and code."""
    key = tuple_(categories.c.site, categories.c.code)
    query = select(categories).where(key > after).order_by(categories.c.site, categories.c.code).limit(limit)
    if site:
        query = query.where(categories.c.site == site)
    return [_category(row) for row in tx.execute(query).mappings()]


def _row(category: Category) -> dict[str, Any]:
    return {
        "site": category.site,
        "code": category.code,
        "position": category.position,
        "name": category.name,
        "keywords": list(category.keywords),
        "urgency": category.urgency,
        "is_on_spot": category.is_on_spot,
    }


def _category(row: Any) -> Category:
    return Category(
        site=row["site"],
        code=row["code"],
        position=row["position"],
        name=row["name"],
        keywords=tuple(row["keywords"]),
        urgency=row["urgency"],
        is_on_spot=row["is_on_spot"],
    )
