"""Remembers the grids, the retired ones too."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Index, Integer, Table, Text, select
from sqlalchemy.dialects.postgresql import JSONB

from services.intake.grids.model import Grid, GridKind, GridStatus
from services.intake.metadata import metadata
from services.intake.saving import save, within
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

grids = Table(
    "grids",
    metadata,
    Column("area", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("households", Integer),
    Column("required_roles", JSONB, nullable=False),
    Column("boundary", JSONB, nullable=False),
    Column("address_keywords", JSONB, nullable=False),
    Index("grid_site", "site"),
)


def of_site(tx: Transaction, site: str) -> dict[str, Grid]:
    """Every grid that the site ever listed, by code."""
    rows = tx.execute(select(grids).where(grids.c.site == site)).mappings()
    return {row["area"]: _grid(row) for row in rows}


def active(tx: Transaction) -> list[Grid]:
    """Every active grid, by code."""
    query = select(grids).where(grids.c.status == GridStatus.ACTIVE).order_by(grids.c.area)
    return [_grid(row) for row in tx.execute(query).mappings()]


def put(tx: Transaction, changed: Sequence[Grid]) -> None:
    """Write these grids."""
    save(tx, grids, [_row(grid) for grid in changed])


def listed(
    tx: Transaction, scope: tuple[Area, ...], area: Area | None, status: str | None, after: str, limit: int
) -> list[Grid]:
    """Grids in the scope, and in `area`, by code."""
    query = select(grids).where(grids.c.area > after, within(grids.c.area, scope))
    if area:
        query = query.where(within(grids.c.area, [area]))
    if status:
        query = query.where(grids.c.status == status)
    return [_grid(row) for row in tx.execute(query.order_by(grids.c.area).limit(limit)).mappings()]


def _row(grid: Grid) -> dict[str, Any]:
    return {
        "area": grid.area,
        "site": grid.site,
        "name": grid.name,
        "kind": grid.kind,
        "status": grid.status,
        "households": grid.households,
        "required_roles": dict(grid.required_roles),
        "boundary": [list(point) for point in grid.boundary],
        "address_keywords": list(grid.address_keywords),
    }


def _grid(row: Any) -> Grid:
    return Grid(
        area=row["area"],
        site=row["site"],
        name=row["name"],
        kind=GridKind(row["kind"]),
        status=GridStatus(row["status"]),
        households=row["households"],
        required_roles=tuple(sorted(row["required_roles"].items())),
        boundary=tuple((float(lng), float(lat)) for lng, lat in row["boundary"]),
        address_keywords=tuple(row["address_keywords"]),
    )
