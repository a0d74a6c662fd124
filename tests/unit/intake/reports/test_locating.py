from dataclasses import dataclass

import pytest

from services.intake.grids.model import Grid, GridKind, GridStatus
from services.intake.reports.locating import LocatedBy, Misplaced, Told, candidates, locate
from wangge.contracts.areas import Area

WEST, EAST = Area.parse("140802002998"), Area.parse("140802002999")


def a_grid(area, *keywords, kind=GridKind.BASE):
    ring = ((110.0, 35.0), (110.1, 35.0), (110.1, 35.1))
    return Grid(area, "here", area, kind, GridStatus.ACTIVE, None, (), ring, keywords)


@dataclass(frozen=True)
class Place:
    area: Area
    grids: dict
    label: str


YARD = a_grid("14080200299800100", "家属院", "家属院北院")
MARKET = a_grid("14080200299800200", "西街市场", "西街")
MICRO = a_grid("14080200299800201", kind=GridKind.MICRO)
FAR = a_grid("14080200299900100", "东街", "北院门")
WESTERN = Place(WEST, {grid.area: grid for grid in (YARD, MARKET, MICRO)}, "西 (140802002998)")
EASTERN = Place(EAST, {FAR.area: FAR}, "东 (140802002999)")
BOTH = [WESTERN, EASTERN]


def told(area=None, point=False, covering=(), address=None):
    return Told(Area.parse(area) if area else None, point, covering, address)


def where(said, reach=(), known=BOTH):
    return locate(said, reach, candidates(said.area, reach, known))


def field_of(said, reach=(), known=BOTH):
    with pytest.raises(Misplaced) as wrong:
        where(said, reach, known)
    return wrong.value.field


def test_a_given_grid_wins_over_the_point_and_the_address():
    found = where(told(YARD.area, True, [MARKET], "西街市场"))
    assert (found.area.code, found.community, found.by) == (YARD.area, WEST, LocatedBy.GRID_CODE)


def test_a_given_micro_grid_is_a_grid():
    assert where(told(MICRO.area)).area.code == MICRO.area


def test_an_unknown_grid_of_a_known_community_leaves_it_to_the_point_and_the_address():
    unknown = "14080200299800700"
    assert where(told(unknown, True, [MARKET])).by is LocatedBy.POINT
    assert where(told(unknown, address="家属院门口")).by is LocatedBy.ADDRESS
    assert where(told(unknown)).area == WEST


def test_the_point_wins_over_the_address():
    found = where(told(point=True, covering=[MARKET], address="家属院"))
    assert (found.area.code, found.by) == (MARKET.area, LocatedBy.POINT)


def test_the_narrowest_grid_at_the_point_is_taken():
    assert where(told(point=True, covering=[MICRO, MARKET])).area.code == MICRO.area


def test_the_longest_keyword_in_the_address_wins():
    assert where(told(address="电业局家属院北院门口")).area.code == YARD.area
    assert where(told(address="西街市场北院门外")).area.code == MARKET.area


def test_the_address_helps_a_point_that_lies_in_no_grid():
    found = where(told(point=True, address="西街口"))
    assert (found.area.code, found.by) == (MARKET.area, LocatedBy.ADDRESS)


def test_a_given_community_keeps_the_address_within_it():
    assert where(told(EAST.code, address="西街 东街")).area.code == FAR.area


def test_the_community_itself_is_enough_where_it_is_given():
    found = where(told(WEST.code))
    assert (found.area, found.by) == (WEST, LocatedBy.COMMUNITY)


def test_the_only_community_within_reach_is_meant_where_nothing_is_said():
    assert where(told(), [WEST]).area == WEST
    assert where(told(), [Area.parse("140802")], [WESTERN]).area == WEST


def test_nothing_said_within_reach_of_two_communities_is_wrong():
    assert field_of(told(), [Area.parse("140802")]) == "location"


def test_a_point_in_no_grid_is_wrong_and_names_the_communities():
    with pytest.raises(Misplaced, match="西 .140802002998.") as wrong:
        where(told(point=True), [WEST])
    assert wrong.value.field == "location"
    assert field_of(told(WEST.code, point=True)) == "location"


def test_an_area_outside_the_reach_is_wrong():
    assert field_of(told(EAST.code), [WEST]) == "area"
    assert field_of(told(FAR.area), [WEST]) == "area"


def test_a_wider_area_than_the_reach_is_narrowed_to_it():
    assert where(told("140802"), [WEST]).area == WEST


def test_an_area_where_no_community_is_known_is_wrong():
    assert field_of(told("110101001001")) == "area"


def test_a_point_in_another_community_is_no_point_within_reach():
    assert field_of(told(point=True, covering=[FAR]), [WEST]) == "location"


def test_a_sender_of_one_grid_reaches_nothing_beside_it():
    reach = [Area.parse(YARD.area)]
    assert where(told(point=True, covering=[YARD]), reach).area.code == YARD.area
    assert field_of(told(point=True, covering=[MARKET]), reach) == "area"
    assert field_of(told(), reach) == "area"
