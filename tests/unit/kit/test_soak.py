"""The schedule of a soak follows from its seed alone."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.soak import KINDS, LASTS, PAUSE, TAKES, Soak, command, schedule

SEEDS = st.integers(0, 10_000)


@given(SEEDS, st.floats(0.1, 20))
def test_the_same_seed_gives_the_same_schedule(seed, minutes):
    assert schedule(seed, minutes) == schedule(seed, minutes)


@given(SEEDS, st.floats(0.1, 10), st.floats(0.1, 10))
def test_a_longer_soak_begins_like_a_shorter_one(seed, minutes, more):
    shorter = schedule(seed, minutes)
    assert schedule(seed, minutes + more)[: len(shorter)] == shorter


@given(SEEDS, st.floats(0.1, 20))
def test_a_schedule_is_as_long_as_was_asked_to_within_one_act(seed, minutes):
    thought = sum(act.pause + max(act.seconds, TAKES) for act in schedule(seed, minutes))
    assert minutes * 60 <= thought <= minutes * 60 + PAUSE[1] + LASTS[1]


@given(SEEDS)
def test_each_act_strikes_what_its_kind_may_strike(seed):
    for act in schedule(seed, 3):
        assert act.target in KINDS[act.kind][0]
        assert PAUSE[0] <= act.pause <= PAUSE[1]
        assert LASTS[0] <= act.seconds <= LASTS[1]


def test_different_seeds_differ_and_all_kinds_come_up():
    several = [schedule(seed, 3) for seed in range(20)]
    assert len({tuple(each) for each in several}) == 20
    assert {act.kind for act in chain(*several)} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_can_be_done(kind):
    assert callable(getattr(Soak, f"_{kind}"))


def test_the_command_that_replays_names_seed_and_minutes():
    assert command(7, 3.0).endswith("tests/faults/soak.py --seed 7 --minutes 3")
