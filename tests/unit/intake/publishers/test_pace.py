"""The pace of publishers, as one process keeps it while Redis is away."""

import pytest
import redis

from services.intake.publishers.model import Limits
from services.intake.publishers.pace import Pace

LIMITS = Limits(quota_per_day=None, pace_per_minute=10)


class Away:
    """A Redis that does not answer."""

    def __getattr__(self, name):
        raise redis.ConnectionError("away")


class Attempt:
    """What the pace sees of a transaction."""

    def __init__(self):
        self._after_rollback = []

    def after_rollback(self, act):
        self._after_rollback.append(act)

    def roll_back(self):
        for act in self._after_rollback:
            act()


@pytest.fixture
def pace():
    return Pace()


def refused(pace, attempt, number):
    """How many of so many messages of one transaction may not be brought."""
    found = [pace.over_one(attempt, Away(), "camera", LIMITS) for _ in range(number)]
    return sum(over is not None for over in found)


def foresee(pace, attempt, number):
    pace.foresee(attempt, Away(), {"camera": number}, {"camera": LIMITS})


def test_messages_of_one_transaction_are_counted_once_for_all(pace):
    first, second = Attempt(), Attempt()
    foresee(pace, first, 6)
    assert refused(pace, first, 6) == 0
    foresee(pace, second, 6)
    assert refused(pace, second, 6) == 2
    assert refused(pace, Attempt(), 3) == 3


def test_messages_that_are_brought_again_after_a_rollback_are_not_counted_again(pace):
    together = Attempt()
    foresee(pace, together, 8)
    assert refused(pace, together, 8) == 0
    together.roll_back()
    assert sum(refused(pace, Attempt(), 1) for _ in range(8)) == 0
    assert sum(refused(pace, Attempt(), 1) for _ in range(8)) == 6


def test_what_was_refused_is_not_let_in_by_a_rollback(pace):
    together = Attempt()
    foresee(pace, together, 15)
    together.roll_back()
    assert sum(refused(pace, Attempt(), 1) for _ in range(15)) == 5
