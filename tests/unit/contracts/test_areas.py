"""Area codes say which place, which place holds it, and which way a message goes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wangge.contracts.areas import ENDS, WIDTHS, Area, Level, overlapping

COMMUNITY = "140802002902"
GRID = COMMUNITY + "00300"
MICRO = COMMUNITY + "00301"


def segment(digits: int) -> st.SearchStrategy[str]:
    return st.integers(1, 10**digits - 1).map(lambda number: f"{number:0{digits}d}")


GRIDS = segment(3).filter(lambda word: word != "600")
WORDS = st.tuples(
    *(
        GRIDS if level is Level.GRID else segment(width)
        for level, width in WIDTHS.items()
        if level is not Level.MICRO
    ),
    st.integers(0, 99).map(lambda number: f"{number:02d}"),
)
AREAS = st.builds(
    lambda words, level: Area.parse("".join(words)[: ENDS[level]]), WORDS, st.sampled_from(list(Level))
)


@pytest.mark.parametrize(
    ("code", "level", "routing"),
    [
        ("14", "province", "14"),
        ("1408", "city", "14.08"),
        ("140802", "county", "14.08.02"),
        ("140802002", "street", "14.08.02.002"),
        (COMMUNITY, "community", "14.08.02.002.902"),
        (GRID, "grid", "14.08.02.002.902.003.00"),
        (MICRO, "micro", "14.08.02.002.902.003.01"),
    ],
)
def test_code_is_cut_as_the_code_itself_is_cut(code: str, level: str, routing: str) -> None:
    area = Area(code)
    assert (area.level, area.routing, str(area)) == (level, routing, code)
    assert area.words == tuple(routing.split("."))
    assert Area.from_words(routing.split(".")) == area


def test_grid_without_its_micro_grid_means_the_whole_grid() -> None:
    assert Area(COMMUNITY + "003") == Area(GRID)
    assert Area.from_words(("14", "08", "02", "002", "902", "003")).code == GRID


def test_parents_are_named_from_the_nearest_up() -> None:
    codes = [parent.code for parent in Area(MICRO).parents]
    assert codes == [GRID, COMMUNITY, "140802002", "140802", "1408", "14"]
    assert Area(GRID).parent == Area(COMMUNITY)
    assert Area("14").parent is None
    assert Area("14").parents == ()


def test_community_and_county_are_found_from_anywhere_below() -> None:
    for code in (MICRO, GRID, COMMUNITY):
        assert Area(code).community == Area(COMMUNITY)
        assert Area(code).county == Area("140802")
    assert Area("140802002").community is None
    assert Area("140802").county == Area("140802")
    assert Area("1408").county is None


def test_grid_contains_its_micro_grids_and_nothing_of_its_neighbour() -> None:
    grid = Area(GRID)
    assert grid.contains(Area(MICRO))
    assert grid.contains(grid)
    assert not Area(MICRO).contains(grid)
    assert not grid.contains(Area(COMMUNITY + "00400"))
    assert not grid.contains(Area(COMMUNITY))
    assert Area("140802002").contains(grid)
    assert not Area("140802001").contains(grid)


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("", "has 0 characters"),
        ("14080", "has 5 characters; allowed are 2, 4, 6, 9, 12, 15 or 17 digits"),
        (GRID + "0", "has 18 characters"),
        ("14o802", "'14o802': only the digits 0-9"),
        ("14\uff10\uff18", "only the digits 0-9"),
        ("14 2", "only the digits 0-9"),
        ("00", "province must not be 00"),
        ("1400", "city must not be 00"),
        ("140800", "county must not be 00"),
        ("140802000", "street must not be 000"),
        ("140802002000", "community must not be 000"),
        (COMMUNITY + "00000", "grid must not be 000"),
        (COMMUNITY + "000", "grid must not be 000"),
        (COMMUNITY + "60000", "grid must be 001-599 (base) or 601-999 (dedicated), not 600"),
    ],
)
def test_bad_code_is_refused_naming_what_is_wrong(code: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Area.parse(code)


@pytest.mark.parametrize("grid", ["001", "599", "601", "999"])
def test_base_and_dedicated_grids_are_accepted_to_their_ends(grid: str) -> None:
    assert Area(COMMUNITY + grid).level is Level.GRID


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("14", "8"), "city must have 2 digits, has 1"),
        (("140", "8"), "province must have 2 digits, has 3"),
        (("14", "08", "02", "002", "902", "003", "00", "00"), "8 words, at most 7"),
        ((), "has 0 characters"),
    ],
)
def test_words_of_the_wrong_shape_are_refused(words: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Area.from_words(words)


def test_parsing_the_same_code_again_gives_the_same_object() -> None:
    assert Area.parse(GRID) is Area.parse(GRID)


@given(AREAS)
def test_every_area_survives_its_text_and_its_words(area: Area) -> None:
    assert Area.parse(str(area)) == area == Area.from_words(area.words)
    assert hash(Area(area.code)) == hash(area)


@given(AREAS, AREAS)
def test_containing_is_the_same_as_being_among_the_parents(one: Area, other: Area) -> None:
    assert one.contains(other) == (one == other or one in other.parents)


@given(AREAS)
def test_parents_contain_the_area_and_sort_before_it(area: Area) -> None:
    for parent in area.parents:
        assert parent.contains(area)
        assert not area.contains(parent)
        assert parent < area


def test_overlapping_areas_are_found_among_some_and_between_two_lists():
    assert overlapping(["140802002", "140802002901", "140109"]) == [("140802002", "140802002901")]
    assert overlapping(["140802002901"], ["140802", "140109"]) == [("140802002901", "140802")]
