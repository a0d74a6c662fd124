"""Those who ask at the same time share one answer, and nobody gets one that is older than the question."""

import eventlet
import pytest

from wangge.chassis.errors import Infrastructure
from wangge.chassis.shared_answer import SharedAnswer


class Asked:
    """Counts how often it is asked; answers the count once the pause is over."""

    def __init__(self, fails_at=0):
        self.times = 0
        self.at_once = 0
        self._fails_at = fails_at

    def __call__(self):
        self.times += 1
        self.at_once += 1
        number = self.times
        assert self.at_once == 1
        eventlet.sleep(0.01)
        self.at_once -= 1
        if number == self._fails_at:
            raise KeyError(number)
        return number


def test_who_comes_while_one_asks_shares_the_next_answer():
    shared, asked = SharedAnswer(), Asked()
    first = eventlet.spawn(shared.get, asked)
    eventlet.sleep(0)
    late = [eventlet.spawn(shared.get, asked) for _ in range(20)]
    assert (first.wait(), {one.wait() for one in late}) == (1, {2})
    assert shared.get(asked) == 3


def test_all_who_share_a_question_get_its_fault_and_the_next_is_asked_anew():
    shared, asked = SharedAnswer(), Asked(fails_at=2)
    first = eventlet.spawn(shared.get, asked)
    eventlet.sleep(0)
    late = [eventlet.spawn(shared.get, asked) for _ in range(3)]
    assert first.wait() == 1
    for one in late:
        with pytest.raises(KeyError):
            one.wait()
    assert shared.get(asked) == 3


def test_whoever_is_killed_while_they_wait_for_their_turn_leaves_nobody_hanging():
    shared, asked = SharedAnswer(), Asked()
    first = eventlet.spawn(shared.get, asked)
    eventlet.sleep(0)
    killed = eventlet.spawn(shared.get, asked)
    eventlet.sleep(0)
    sharing = eventlet.spawn(shared.get, asked)
    eventlet.sleep(0)
    killed.kill()
    assert first.wait() == 1
    with pytest.raises(Infrastructure), eventlet.Timeout(1):
        sharing.wait()
    assert shared.get(asked) == 2
