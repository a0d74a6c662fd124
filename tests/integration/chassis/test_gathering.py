"""Frames that are sent at once: what the broker says meanwhile is heard right after, whole and in time."""

import time

import amqp
import pytest
from kit.waiting import eventually

from wangge.chassis import broker


@pytest.fixture
def connection(amqp_uri):
    made = broker.connect((amqp_uri,))
    yield made
    broker.drop(made)


def publish(connection, channel, number, exchange):
    with broker.gathered(connection):
        for each in range(number):
            channel.basic_publish(amqp.Message(f"{each}"), exchange, "rest")


def test_channel_that_the_broker_closes_between_two_gatherings_is_told_at_once(connection):
    channel = connection.channel()
    publish(connection, channel, 50, "no-such-exchange")
    time.sleep(0.2)  # the refusal has arrived before the next gathering begins
    publish(connection, channel, 50, "no-such-exchange")
    began = time.monotonic()
    with pytest.raises(amqp.NotFound):
        connection.drain_events(timeout=10)
    assert time.monotonic() - began < 5


def test_gathering_for_a_connection_that_has_ended_is_a_fault_of_the_connection_and_opens_none(connection):
    channel = connection.channel()
    connection.collect()
    with pytest.raises(amqp.RecoverableConnectionError):
        publish(connection, channel, 1, "")
    assert not connection.connected


def test_connection_reads_again_after_a_gathering(connection):
    channel = connection.channel()
    queue, _, _ = channel.queue_declare(exclusive=True)
    with broker.gathered(connection):
        channel.basic_publish(amqp.Message("a"), "", queue)
    assert eventually(lambda: channel.basic_get(queue, no_ack=True)).body == "a"
