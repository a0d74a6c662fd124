"""Remembers the catalogues of the sites."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, Boolean, Column, Row, Table, Text, bindparam, delete, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from services.dispatch.calendars.model import Limit
from services.dispatch.categories.model import Category, ClockFrom
from services.dispatch.metadata import metadata
from services.dispatch.sites.model import Site
from wangge.chassis.transaction import Transaction

category = Table(
    "categories",
    metadata,
    Column("site", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("family", Text, nullable=False),
    Column("limit", Text, nullable=False),
    Column("clock_from", Text, nullable=False),
    Column("lead", Text),
    Column("assist", ARRAY(Text), nullable=False),
    Column("level", Text, nullable=False),
    Column("closing_condition", Text, nullable=False),
    Column("on_spot_allowed", Boolean, nullable=False),
    Column("needs_check", Boolean, nullable=False),
    Column("pool", Boolean, nullable=False),
    Column("units_allowed", ARRAY(Text), nullable=False),
)

BY_CODE = select(category).where(
    category.c.site == bindparam("of_site"),
    or_(category.c.code == bindparam("given"), category.c.code == bindparam("default")),
)


_known: dict[str, tuple[str, dict[str, Category]]] = {}
"""By site, its revision and the categories that were asked for: a revision never changes."""


def of_site(tx: Transaction, site: Site, code: str) -> Category:
    """The site's category of this code, else the one it files unknown matters under."""
    revision, found = _known.get(site.site, ("", {}))
    if revision != site.revision:
        found = {}
        _known[site.site] = (site.revision, found)
    if code not in found:
        found[code] = _find(tx, site.site, code, site.default_category)
    return found[code]


def _find(tx: Transaction, site: str, code: str, default: str) -> Category:
    wanted = tx.execute(BY_CODE, {"of_site": site, "given": code, "default": default})
    rows = {row.code: row for row in wanted}
    return _category(rows.get(code) or rows[default])


def replace_all(tx: Transaction, site: str, catalogue: Iterable[Mapping[str, Any]]) -> int:
    """Make these the site's catalogue; answers how many rows changed, came or went."""
    wanted = {row["code"]: {"site": site, **row} for row in catalogue}
    rows = tx.execute(select(category).where(category.c.site == site)).mappings()
    present = {row["code"]: dict(row) for row in rows}
    gone = [code for code in present if code not in wanted]
    if gone:
        tx.execute(delete(category).where(category.c.site == site, category.c.code.in_(gone)))
    changed = [row for code, row in wanted.items() if row != present.get(code)]
    if changed:
        statement = insert(category)
        updated = {
            column.name: statement.excluded[column.name]
            for column in category.c
            if column.name not in ("site", "code")
        }
        tx.execute(statement.on_conflict_do_update(index_elements=["site", "code"], set_=updated), changed)
    return len(gone) + len(changed)


def listed(tx: Transaction, site: str | None, after: Sequence[Any] | None, limit: int) -> Sequence[Row[Any]]:
    """Up to `limit` rows by site and code, after the given key."""
    wanted = select(category).order_by(category.c.site, category.c.code).limit(limit)
    if site:
        wanted = wanted.where(category.c.site == site)
    if after:
        wanted = wanted.where(tuple_(category.c.site, category.c.code) > tuple_(*map(str, after)))
    return tx.execute(wanted).all()


def _category(row: Row[Any]) -> Category:
    return Category(
        code=row.code,
        name=row.name,
        family=row.family,
        limit=Limit.parse(row.limit),
        clock_from=ClockFrom(row.clock_from),
        lead=row.lead,
        assist=tuple(row.assist),
        level=row.level,
        closing_condition=row.closing_condition,
        on_spot_allowed=row.on_spot_allowed,
        needs_check=row.needs_check,
        pool=row.pool,
        units_allowed=tuple(row.units_allowed),
    )
