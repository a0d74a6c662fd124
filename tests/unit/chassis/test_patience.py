"""A lane alone begins at once; the more the lanes of a process work, the longer each waits to do more at a time."""

import pytest

from wangge.chassis.patience import GROWTH, LEAST_SECONDS, MOST_SECONDS, Patience


def test_nobody_waits_while_the_others_rest():
    patience = Patience()
    assert [patience.seconds(others_work=False) for _ in range(3)] == [0, 0, 0]


def test_it_grows_while_others_work_up_to_a_bound():
    patience = Patience()
    waits = [patience.seconds(others_work=True) for _ in range(100)]
    assert waits[:5] == [0, 0, 0, 0, 0]
    assert next(wait for wait in waits if wait) == pytest.approx(LEAST_SECONDS, rel=GROWTH - 1)
    assert waits == sorted(waits)
    assert waits[-1] == MOST_SECONDS


def test_it_is_gone_soon_after_the_others_rest():
    patience = Patience()
    for _ in range(100):
        patience.seconds(others_work=True)
    assert [patience.seconds(others_work=False) for _ in range(10)][-1] == 0


def test_lanes_that_meet_now_and_then_do_not_wait():
    patience = Patience()
    assert {patience.seconds(others_work=turn % 3 > 0) for turn in range(300)} == {0}
