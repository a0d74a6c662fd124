"""Decides where a report belongs: given grid code, else point on the ground, else address keyword, else community.

Pure: which grids cover the point is given.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from services.intake.grids.model import Grid, by_address
from wangge.contracts.areas import Area, Level


class LocatedBy(StrEnum):
    """What told where a report belongs."""

    GRID_CODE = "grid_code"
    POINT = "point"
    ADDRESS = "address"
    COMMUNITY = "community"


class Place(Protocol):
    """A community with its active grids."""

    @property
    def area(self) -> Area: ...
    @property
    def grids(self) -> Mapping[str, Grid]: ...
    @property
    def label(self) -> str: ...


SomePlace = TypeVar("SomePlace", bound=Place)


@dataclass(frozen=True, slots=True)
class Told:
    """What a report says of its place. `covering` are the active grids at its point, the narrowest first."""

    area: Area | None
    has_point: bool
    covering: Sequence[Grid]
    address: str | None


@dataclass(frozen=True, slots=True)
class Located:
    """Where a report belongs, and what told so."""

    area: Area
    community: Area
    by: LocatedBy


class Misplaced(ValueError):
    """A place that cannot be; `field` says which field is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def candidates(area: Area | None, reach: Sequence[Area], known: Iterable[SomePlace]) -> list[SomePlace]:
    """The communities in which a report may lie: within the sender's `reach` (empty: anywhere) and the given area.

    Raises `Misplaced` (`area`) for an area outside the reach, or where no community is known.
    """
    if area and reach and not _overlap(area, reach):
        raise Misplaced("area", f"{area} is outside the sender's areas {', '.join(map(str, reach))}")
    found = [
        place
        for place in known
        if (not reach or _overlap(place.area, reach)) and (area is None or _overlap(place.area, [area]))
    ]
    if not found:
        where = str(area) if area else "the sender's areas"
        raise Misplaced("area", f"no community is known in {where}")
    return found


def locate(told: Told, reach: Sequence[Area], places: Sequence[Place]) -> Located:
    """Where the report belongs among `places`. Raises `Misplaced` saying which field is wrong."""
    located = _grid_given(told, places) or _grid_at(told, places) or _grid_named(told, places)
    if located is None:
        located = _community(told, places)
    if reach and not any(each.contains(located.area) for each in reach):
        raise Misplaced("area", f"{located.area} is outside the sender's areas {', '.join(map(str, reach))}")
    return located


def _grid_given(told: Told, places: Sequence[Place]) -> Located | None:
    if told.area is None or told.area.level not in {Level.GRID, Level.MICRO}:
        return None
    for place in places:
        if told.area.code in place.grids:
            return Located(told.area, place.area, LocatedBy.GRID_CODE)
    return None


def _grid_at(told: Told, places: Sequence[Place]) -> Located | None:
    for grid in told.covering:
        for place in places:
            if grid.area in place.grids:
                return Located(Area.parse(grid.area), place.area, LocatedBy.POINT)
    return None


def _grid_named(told: Told, places: Sequence[Place]) -> Located | None:
    if not told.address:
        return None
    grid = by_address(told.address, (grid for place in places for grid in place.grids.values()))
    if grid is None:
        return None
    area = Area.parse(grid.area)
    return Located(area, next(place.area for place in places if place.area.contains(area)), LocatedBy.ADDRESS)


def _community(told: Told, places: Sequence[Place]) -> Located:
    names = "、".join(place.label for place in places)
    if told.has_point:
        raise Misplaced("location", f"the point is in no grid of {names}")
    if len(places) > 1:
        raise Misplaced("location", f"a point, an address or an area must tell which of {names}")
    return Located(places[0].area, places[0].area, LocatedBy.COMMUNITY)


def _overlap(area: Area, others: Sequence[Area]) -> bool:
    return any(other.contains(area) or area.contains(other) for other in others)
