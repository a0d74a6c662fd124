"""Remembers each site's templates."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Column, Table, Text, delete, select
from sqlalchemy.dialects.postgresql import insert

from services.notify.metadata import metadata
from services.notify.templates.model import Template
from wangge.chassis.transaction import Transaction

templates = Table(
    "templates",
    metadata,
    Column("site", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
)


def by_code(tx: Transaction, site: str) -> Mapping[str, Template]:
    """The templates of a site by their codes."""
    rows = tx.execute(select(templates).where(templates.c.site == site).order_by(templates.c.code))
    return {row.code: Template(row.code, row.title, row.text) for row in rows}


def replace(tx: Transaction, site: str, wanted: Collection[Template]) -> int:
    """Put these templates in the place of the site's; answers how many were added, changed or removed."""
    before = by_code(tx, site)
    changed = [template for template in wanted if before.get(template.code) != template]
    gone = before.keys() - {template.code for template in wanted}
    if changed:
        statement = insert(templates).values([_row(site, template) for template in changed])
        new = {"title": statement.excluded.title, "text": statement.excluded.text}
        tx.execute(statement.on_conflict_do_update(index_elements=["site", "code"], set_=new))
    if gone:
        tx.execute(delete(templates).where(templates.c.site == site, templates.c.code.in_(gone)))
    return len(changed) + len(gone)


def _row(site: str, template: Template) -> dict[str, Any]:
    return {"site": site, "code": template.code, "title": template.title, "text": template.text}
