"""A lane has one message delivered at a time until one proved harmless, and gives nothing away out of order."""

from types import SimpleNamespace

import eventlet
import pytest

from wangge.chassis.consumer import Lane
from wangge.chassis.delivery import SUSPECT_DELIVERIES
from wangge.chassis.patience import ENOUGH

FULL = 40


class Channel:
    """Notes what it is asked for."""

    def __init__(self):
        self.asked = []
        self.callbacks = {}

    def basic_qos(self, size, count, a_global):
        self.asked.append(("qos", count))

    def basic_consume(self, queue, callback):
        self.callbacks["tag"] = callback
        self.asked.append(("consume", queue))

    def basic_cancel(self, tag):
        del self.callbacks[tag]
        self.asked.append(("cancel", tag))

    def basic_ack(self, tag, multiple):
        self.asked.append(("ack", tag))


def a_message(tag, deliveries=0):
    return SimpleNamespace(
        body=b"{}",
        properties={"application_headers": {"x-delivery-count": deliveries}},
        delivery_info={
            "exchange": "e",
            "routing_key": "k",
            "redelivered": deliveries > 0,
            "delivery_tag": tag,
        },
    )


@pytest.fixture
def channel():
    return Channel()


@pytest.fixture
def lane(channel):
    """Just opened."""
    opened = Lane("q")
    opened.opened(channel)
    opened.consume(1)
    channel.asked.clear()
    return opened


def settle(lane, tag, deliveries=0):
    lane.receive(a_message(tag, deliveries))
    lane.settled(lane.take(20))
    lane.trust(FULL)
    lane.acknowledge()


def test_a_harmless_message_is_acknowledged_after_the_cancel_and_before_more_is_asked_for(lane, channel):
    settle(lane, 1)
    assert channel.asked == [("cancel", "tag"), ("ack", 1), ("qos", FULL), ("consume", "q")]


def test_more_is_asked_for_once(lane, channel):
    settle(lane, 1)
    channel.asked.clear()
    settle(lane, 2)
    assert channel.asked == [("ack", 2)]


def test_a_suspect_that_was_settled_leaves_the_lane_wary(lane, channel):
    settle(lane, 1, deliveries=SUSPECT_DELIVERIES)
    assert channel.asked == [("ack", 1)]
    settle(lane, 2)
    assert ("qos", FULL) in channel.asked


def test_a_new_channel_makes_the_lane_wary_again(lane, channel):
    settle(lane, 1)
    lane.opened(Channel())
    assert lane.is_wary


def test_what_an_older_channel_delivered_is_not_acknowledged_on_a_new_one(lane, channel):
    lane.receive(a_message(7))
    batch = lane.take(20)
    fresh = Channel()
    lane.opened(fresh)
    lane.settled(batch)
    lane.trust(FULL)
    lane.acknowledge()
    assert fresh.asked == []


@pytest.fixture
def trusted(lane):
    """One message proved harmless."""
    settle(lane, 1)
    return lane


def taking(lane, seconds):
    """A batch being taken with this patience."""
    taken = eventlet.spawn(lane.take, 100, lambda: seconds)
    eventlet.sleep(0.01)
    return taken


def tags(taken):
    with eventlet.Timeout(5):
        return [delivery.tag for delivery in taken.wait()]


def test_a_lane_that_waits_for_more_takes_what_came_meanwhile(trusted):
    trusted.receive(a_message(2))
    taken = taking(trusted, 0.1)
    trusted.receive(a_message(3))
    assert tags(taken) == [2, 3]


def test_nobody_waits_for_more_than_enough(trusted):
    trusted.receive(a_message(2))
    taken = taking(trusted, 60)
    for tag in range(3, 2 + ENOUGH):
        trusted.receive(a_message(tag))
    assert tags(taken) == list(range(2, 2 + ENOUGH))


def test_without_patience_a_lane_begins_at_once(trusted):
    trusted.receive(a_message(2))
    assert tags(eventlet.spawn(trusted.take, 100, lambda: 0.0)) == [2]


def test_a_wary_lane_waits_for_nothing(lane):
    lane.receive(a_message(1))
    assert tags(taking(lane, 60)) == [1]


def test_what_waited_on_a_channel_that_is_gone_is_left_to_the_new_one(trusted):
    trusted.receive(a_message(2))
    taken = taking(trusted, 0.1)
    trusted.opened(Channel())
    eventlet.sleep(0.2)
    assert not taken.dead
    trusted.receive(a_message(1))
    assert tags(taken) == [1]
