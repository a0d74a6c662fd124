"""Remembers the units."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Column, Index, Table, Text, select
from sqlalchemy.dialects.postgresql import JSONB

from services.intake.metadata import metadata
from services.intake.saving import save, within
from services.intake.units.model import Unit, UnitStatus
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

units = Table(
    "units",
    metadata,
    Column("unit_id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("area", Text, nullable=False),
    Column("parent", Text),
    Column("duties", JSONB, nullable=False),
    Column("status", Text, nullable=False),
    Index("unit_site", "site"),
)


def of_site(tx: Transaction, site: str) -> dict[str, Unit]:
    """Every unit that the site ever listed, by id."""
    rows = tx.execute(select(units).where(units.c.site == site)).mappings()
    return {row["unit_id"]: _unit(row) for row in rows}


def owners(tx: Transaction, unit_ids: Collection[str]) -> dict[str, str]:
    """Which site each of these units belongs to."""
    rows = tx.execute(select(units.c.unit_id, units.c.site).where(units.c.unit_id.in_(unit_ids)))
    return {row.unit_id: row.site for row in rows}


def put(tx: Transaction, changed: Sequence[Unit]) -> None:
    """Write these units."""
    save(tx, units, [_row(unit) for unit in changed])


def listed(
    tx: Transaction, scope: tuple[Area, ...], area: Area | None, status: str | None, after: str, limit: int
) -> list[Unit]:
    """Units in the scope, and in `area`, by id."""
    query = select(units).where(units.c.unit_id > after, within(units.c.area, scope))
    if area:
        query = query.where(within(units.c.area, [area]))
    if status:
        query = query.where(units.c.status == status)
    return [_unit(row) for row in tx.execute(query.order_by(units.c.unit_id).limit(limit)).mappings()]


def _row(unit: Unit) -> dict[str, Any]:
    return {
        "unit_id": unit.unit_id,
        "site": unit.site,
        "name": unit.name,
        "kind": unit.kind,
        "area": unit.area,
        "parent": unit.parent,
        "duties": list(unit.duties),
        "status": unit.status,
    }


def _unit(row: Any) -> Unit:
    return Unit(
        unit_id=row["unit_id"],
        site=row["site"],
        name=row["name"],
        kind=row["kind"],
        area=row["area"],
        parent=row["parent"],
        duties=tuple(row["duties"]),
        status=UnitStatus(row["status"]),
    )
