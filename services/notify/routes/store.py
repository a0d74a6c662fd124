"""Remembers each site's routes in the order of its pack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, Column, Row, SmallInteger, Table, Text, delete, insert, select
from sqlalchemy.dialects.postgresql import ARRAY

from services.notify.metadata import metadata
from services.notify.routes.model import Route
from wangge.chassis.transaction import Transaction

routes = Table(
    "routes",
    metadata,
    Column("site", Text, primary_key=True),
    Column("position", SmallInteger, primary_key=True),
    Column("event", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("to", ARRAY(Text), nullable=False),
    Column("is_urgent", Boolean, nullable=False),
)


def of_site(tx: Transaction, site: str) -> list[Route]:
    """The routes of a site, in the order of its pack."""
    rows = tx.execute(select(routes).where(routes.c.site == site).order_by(routes.c.position))
    return [_route(row) for row in rows]


def by_event(tx: Transaction, site: str) -> Mapping[str, tuple[Route, ...]]:
    """The routes of a site by the name of the fact that they tell."""
    found: dict[str, tuple[Route, ...]] = {}
    for route in of_site(tx, site):
        found[route.event] = (*found.get(route.event, ()), route)
    return found


def replace(tx: Transaction, site: str, wanted: Sequence[Route]) -> int:
    """Put these routes in the place of the site's; answers how many came or went."""
    before = of_site(tx, site)
    if before == list(wanted):
        return 0
    tx.execute(delete(routes).where(routes.c.site == site))
    if wanted:
        tx.execute(insert(routes), [_row(site, position, route) for position, route in enumerate(wanted)])
    return len(set(before) ^ set(wanted))


def _row(site: str, position: int, route: Route) -> dict[str, Any]:
    return {
        "site": site,
        "position": position,
        "event": route.event,
        "template": route.template,
        "to": list(route.to),
        "is_urgent": route.is_urgent,
    }


def _route(row: Row[Any]) -> Route:
    return Route(row.event, row.template, tuple(row.to), row.is_urgent)
