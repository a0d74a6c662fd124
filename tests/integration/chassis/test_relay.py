"""What the broker confirmed before it refused is not told again; the rest is told once there is room."""

import amqp
import orjson
import pytest

from wangge.chassis import broker

ROOM = 3


@pytest.fixture
def small_queue(probe):
    """A neighbour's queue that takes three of the probe's facts and refuses further ones."""
    connection = broker.connect((probe.amqp_uri,))
    channel = connection.channel()
    limits = {"x-max-length": ROOM, "x-overflow": "reject-publish"}
    channel.queue_declare("small", durable=True, auto_delete=False, arguments=limits)
    channel.queue_bind("small", "probe.events", "#")
    yield channel
    connection.close()


def taken(channel: amqp.Channel) -> list[int]:
    """The numbers of all facts in the queue, taken out."""
    numbers = []
    while message := channel.basic_get("small", no_ack=True):
        numbers.append(orjson.loads(message.body)["data"]["number"])
    return numbers


def waiting(probe) -> int:
    return probe.sql("SELECT count(*) AS n FROM outbox WHERE published_at IS NULL")[0]["n"]


def test_a_round_that_is_refused_in_the_middle_counts_as_far_as_it_was_confirmed(
    probe, small_queue, eventually
):
    probe.tell(*({"key": "k1", "number": number} for number in range(8)))
    eventually(lambda: len(probe.sql("SELECT 1 FROM outbox")) == 8 and waiting(probe) == 8 - ROOM, 30)
    heard = taken(small_queue)
    assert heard == list(range(ROOM))
    eventually(lambda: heard.extend(taken(small_queue)) or len(set(heard)) == 8, 60)
    eventually(lambda: waiting(probe) == 0, 30)
