from dataclasses import replace

from services.intake.grids.model import Grid, GridKind, GridStatus, by_address, retired, reused


def a_grid(area, *keywords, status=GridStatus.ACTIVE):
    ring = ((110.0, 35.0), (110.1, 35.0), (110.1, 35.1))
    return Grid(area, "here", area, GridKind.BASE, status, None, (), ring, keywords)


YARD = a_grid("14080200299900100", "家属院", "家属院北院")
GATE = a_grid("14080200299900200", "院北院门")


def test_the_longest_keyword_wins_and_then_the_lower_code():
    assert by_address("家属院门口", [GATE, YARD]) is YARD
    assert (
        by_address("家属院北院门口", [YARD, replace(GATE, address_keywords=("家属院北院门",))]).area
        == GATE.area
    )
    same = replace(GATE, address_keywords=("家属院",))
    assert by_address("家属院", [same, YARD]) is YARD


def test_a_retired_grid_is_nowhere():
    assert by_address("家属院", [retired(YARD)]) is None
    assert by_address("别处", [YARD]) is None


def test_a_retired_code_is_never_used_again():
    before = {YARD.area: retired(YARD), GATE.area: GATE}
    assert reused(before, {YARD.area: YARD, GATE.area: GATE}) == [YARD.area]
    assert reused(before, {YARD.area: retired(YARD)}) == []
    assert reused({}, {YARD.area: YARD}) == []
