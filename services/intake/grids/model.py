"""Decides about grids: which codes may be used, and which grid an address names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class GridKind(StrEnum):
    """基础网格, 专属网格 (a school, a company), 微网格."""

    BASE = "base"
    DEDICATED = "dedicated"
    MICRO = "micro"


class GridStatus(StrEnum):
    """Where a grid is in its life; a retired one never comes back."""

    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Grid:
    """A piece of a community. `area` is its 17 digits, `boundary` one ring of (lng, lat)."""

    area: str
    site: str
    name: str
    kind: GridKind
    status: GridStatus
    households: int | None
    required_roles: tuple[tuple[str, int], ...]
    boundary: tuple[tuple[float, float], ...]
    address_keywords: tuple[str, ...]


def retired(grid: Grid) -> Grid:
    """The grid once its site no longer lists it."""
    return replace(grid, status=GridStatus.RETIRED)


def reused(before: Mapping[str, Grid], after: Mapping[str, Grid]) -> list[str]:
    """Codes that were retired and are wanted again: never allowed, old records would change their meaning."""
    return [
        area
        for area, grid in after.items()
        if grid.status is not GridStatus.RETIRED
        and area in before
        and before[area].status is GridStatus.RETIRED
    ]


def by_address(address: str, grids: Iterable[Grid]) -> Grid | None:
    """The active grid one of whose address keywords stands in `address`; the longest keyword wins."""
    found = [
        (len(keyword), grid)
        for grid in grids
        if grid.status is GridStatus.ACTIVE
        for keyword in grid.address_keywords
        if keyword in address
    ]
    return min(found, key=lambda each: (-each[0], each[1].area))[1] if found else None
