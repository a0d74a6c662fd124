from services.intake.grids.ground import Ground, wrong_boundaries
from services.intake.grids.model import Grid, GridKind, GridStatus


def a_grid(area, west, east, kind=GridKind.BASE, status=GridStatus.ACTIVE):
    ring = ((west, 35.0), (east, 35.0), (east, 35.01), (west, 35.01))
    return Grid(area, "here", area, kind, status, None, (), ring, ())


WEST = a_grid("14080200299900100", 110.00, 110.01)
EAST = a_grid("14080200299900200", 110.01, 110.02)
MICRO = a_grid("14080200299900101", 110.00, 110.005, GridKind.MICRO)
GONE = a_grid("14080200299900300", 110.02, 110.03, status=GridStatus.RETIRED)


def codes_at(lng, lat):
    return [grid.area for grid in Ground([EAST, WEST, MICRO, GONE]).at(lng, lat)]


def test_a_point_lies_in_its_grid_the_micro_grid_first():
    assert codes_at(110.015, 35.005) == [EAST.area]
    assert codes_at(110.002, 35.005) == [MICRO.area, WEST.area]


def test_a_point_on_a_shared_boundary_belongs_to_the_lower_code():
    assert codes_at(110.01, 35.005)[0] == WEST.area


def test_a_point_beside_or_in_a_retired_grid_lies_nowhere():
    assert codes_at(110.025, 35.005) == []
    assert codes_at(111.0, 35.005) == []


def test_no_grids_have_no_ground():
    assert Ground([]).at(110.0, 35.0) == []


def test_neighbours_may_touch_and_micro_grids_lie_within():
    assert wrong_boundaries([WEST, EAST, MICRO]) == {}


def test_grids_that_overlap_or_cross_themselves_are_named():
    over = a_grid("14080200299900400", 110.005, 110.015)
    bow = Grid(
        "14080200299900500",
        "here",
        "",
        GridKind.BASE,
        GridStatus.ACTIVE,
        None,
        (),
        ((110.1, 35.0), (110.2, 35.1), (110.2, 35.0), (110.1, 35.1)),
        (),
    )
    wrong = wrong_boundaries([WEST, over, bow])
    assert wrong[over.area] == f"overlaps {WEST.area}"
    assert "no ring" in wrong[bow.area]
