"""Answers in which grid a point lies, from the boundaries, in memory (shapely's R-tree)."""

from collections.abc import Iterable

import shapely
from shapely import STRtree
from shapely.geometry import Point, Polygon

from services.intake.grids.model import Grid, GridKind, GridStatus

#: Square degrees (about one square metre here) by which two neighbours may overlap: drawing is not exact.
OVERLAP = 1e-10


class Ground:
    """The active grids on the ground."""

    def __init__(self, grids: Iterable[Grid]) -> None:
        self._grids = [grid for grid in grids if grid.status is GridStatus.ACTIVE]
        shapes = [Polygon(grid.boundary) for grid in self._grids]
        shapely.prepare(shapes)
        self._tree = STRtree(shapes)

    def at(self, lng: float, lat: float) -> list[Grid]:
        """The grids that cover the point, micro-grids first; on a shared boundary the lower code first."""
        found = [self._grids[i] for i in self._tree.query(Point(lng, lat), predicate="covered_by")]
        return sorted(found, key=lambda grid: (grid.kind is not GridKind.MICRO, grid.area))


def wrong_boundaries(grids: Iterable[Grid]) -> dict[str, str]:
    """What is wrong with the boundaries, by grid: one that crosses itself, two that overlap."""
    standing = [grid for grid in grids if grid.status is not GridStatus.RETIRED]
    shapes = {grid.area: Polygon(grid.boundary) for grid in standing}
    wrong = {
        area: f"the boundary is no ring: {shapely.is_valid_reason(shape)}"
        for area, shape in shapes.items()
        if not shape.is_valid
    }
    leaves = [grid for grid in standing if grid.kind is not GridKind.MICRO and grid.area not in wrong]
    tree = STRtree([shapes[grid.area] for grid in leaves])
    for i, grid in enumerate(leaves):
        for j in tree.query(shapes[grid.area], predicate="intersects"):
            other = leaves[int(j)]
            if j < i and shapes[grid.area].intersection(shapes[other.area]).area > OVERLAP:
                wrong[grid.area] = f"overlaps {other.area}"
    return wrong
