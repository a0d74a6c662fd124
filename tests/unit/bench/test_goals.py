"""A goal is met by the median of the rounds, and a stream is steady when its backlog stands."""

import pytest

from bench.e2e import Flowed
from bench.goals import judged


def a_hop(*times: float) -> dict[str, dict[str, dict[str, dict[str, list[float]]]]]:
    return {"hop": {"1": {"nameko": {"ours_is_times": list(times)}}}}


@pytest.mark.parametrize(("times", "is_met"), [((4.0, 5.1, 9.0), True), ((4.0, 4.9, 9.0), False)])
def test_hop_is_judged_by_the_round_in_the_middle(times, is_met):
    (goal,) = judged(a_hop(*times))
    assert (goal.key, goal.is_met) == ("hop.nameko.1", is_met)


def test_goals_of_sections_that_were_not_measured_are_not_judged():
    assert judged({}) == []


@pytest.mark.parametrize(
    ("backlog", "is_steady"),
    [([5, 8, 7, 9, 8, 7, 8, 9, 7], True), ([5, 20, 40, 60, 80, 100, 120, 140, 160], False)],
)
def test_stream_is_steady_when_its_backlog_does_not_grow(backlog, is_steady):
    assert Flowed([], backlog).is_steady(100) is is_steady
