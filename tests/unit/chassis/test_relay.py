"""What counts as confirmed, whatever order the broker answers in."""

import pytest

from wangge.chassis.relay import Relay

ROWS = ["a", "b", "c", "d", "e"]


@pytest.fixture
def relay() -> Relay:
    """A relay that has sent five facts under the numbers 1 to 5."""
    made = Relay(None, ("amqp://probe:secret@127.0.0.1//",))
    made._tag = 5
    made._unconfirmed = {1, 2, 3, 4, 5}
    return made


def test_a_confirm_of_all_up_to_a_number_does_not_mean_the_refused_one_among_them(relay):
    relay._nacked(2, multiple=False)
    relay._acked(5, multiple=True)
    assert relay._confirmed(ROWS) == ["a"]


def test_a_refusal_of_all_up_to_a_number_means_those_that_were_not_confirmed_before(relay):
    relay._acked(2, multiple=True)
    relay._nacked(4, multiple=True)
    relay._acked(5, multiple=False)
    assert relay._confirmed(ROWS) == ["a", "b"]


def test_confirms_out_of_order_count_up_to_the_first_that_is_open(relay):
    for tag in (5, 1, 2):
        relay._acked(tag, multiple=False)
    assert relay._confirmed(ROWS) == ["a", "b"]
    relay._acked(4, multiple=True)
    assert relay._confirmed(ROWS) == ROWS
