"""An outside system publishes with a login of its own, by tools that are not ours, and can do nothing else."""

import json
import uuid
from collections.abc import Iterator

import amqp
import pytest

from wangge.chassis.topology import declare_receipts
from wangge.cli import publishers
from wangge.cli.errors import CommandFailed
from wangge.cli.local import LocalSystem
from wangge.cli.publish import Message, as_message, receipts, send
from wangge.cli.publishers import Publisher
from wangge.cli.stories import amqp_publish

LAMP = {"text": "路灯不亮，晚上看不清路", "channel": "hotline_12345", "external_no": "0052"}


@pytest.fixture
def publisher(servers: LocalSystem) -> Publisher:
    login = f"hotline-{uuid.uuid4().hex[:8]}"
    publisher = Publisher(login, "https://12345.example", "140802002902")
    with publishers.connection(servers.addresses.amqp_uri) as admin, admin.channel() as channel:
        channel.exchange_declare("incidents", "topic", durable=True, auto_delete=False)
    publishers.add(servers.addresses, servers.directory, publisher)
    return publisher


@pytest.fixture
def url(servers: LocalSystem, publisher: Publisher) -> str:
    return publishers.broker_url(servers.addresses, servers.directory, publisher.login)


@pytest.fixture
def arrived(servers: LocalSystem) -> Iterator[amqp.Channel]:
    """A channel with a queue `seen` that gets whatever is published to `incidents`."""
    with publishers.connection(servers.addresses.amqp_uri) as admin, admin.channel() as channel:
        channel.queue_declare("seen", exclusive=True)
        channel.queue_bind("seen", "incidents", "#")
        yield channel


def test_a_message_of_debians_amqp_publish_arrives_as_it_was_written(
    servers: LocalSystem, publisher: Publisher, arrived: amqp.Channel
) -> None:
    message = as_message(LAMP, publisher)
    amqp_publish(servers.addresses, servers.directory, publisher.login, message)
    got = arrived.basic_get("seen", no_ack=True)
    assert json.loads(got.body) == json.loads(message.body)
    assert got.delivery_info["routing_key"] == "incident.reported.14.08.02.002.902"
    assert got.properties["application_headers"]["partitionkey"] == "0052"
    assert got.properties["delivery_mode"] == 2
    assert got.properties["content_type"] == "application/cloudevents+json"


def test_our_own_publishing_names_the_user_that_the_broker_vouches_for(
    publisher: Publisher, url: str, arrived: amqp.Channel
) -> None:
    send(url, publisher.login, [as_message(LAMP, publisher)])
    got = arrived.basic_get("seen", no_ack=True)
    assert got.properties["user_id"] == publisher.login


def test_nobody_publishes_in_anothers_name(publisher: Publisher, url: str) -> None:
    with pytest.raises(CommandFailed, match="user_id"):
        send(url, "somebody-else", [as_message(LAMP, publisher)])


def test_a_publisher_writes_nowhere_else(publisher: Publisher, url: str) -> None:
    with publishers.connection(url) as connection, connection.channel() as channel:
        channel.confirm_select()
        with pytest.raises(amqp.AccessRefused):
            channel.basic_publish_confirm(amqp.Message("x"), "receipts", publisher.login)


def test_a_publisher_reads_no_receipts_of_others(servers: LocalSystem, url: str) -> None:
    with publishers.connection(servers.addresses.amqp_uri) as admin, admin.channel() as channel:
        declare_receipts(channel, "somebody-else")
    with publishers.connection(url) as connection, pytest.raises(amqp.AccessRefused):
        connection.channel().basic_get("receipts.somebody-else")


def test_a_publisher_declares_nothing(url: str) -> None:
    with publishers.connection(url) as connection, pytest.raises(amqp.AccessRefused):
        connection.channel().queue_declare("mine")


def test_to_add_a_publisher_again_changes_nothing(
    servers: LocalSystem, publisher: Publisher, url: str
) -> None:
    publishers.add(servers.addresses, servers.directory, publisher)
    send(url, publisher.login, [as_message(LAMP, publisher)])
    assert Publisher.read(servers.directory, publisher.login) == publisher


def test_receipts_of_the_own_messages_are_taken_and_the_others_stay(
    servers: LocalSystem, publisher: Publisher, url: str
) -> None:
    with publishers.connection(servers.addresses.amqp_uri) as admin, admin.channel() as channel:
        for name in ("other", "mine"):
            receipt = {"data": {"message_id": name, "outcome": "accepted"}}
            channel.basic_publish(amqp.Message(json.dumps(receipt)), "receipts", publisher.login)
    assert [each["message_id"] for each in receipts(url, publisher.login, ["mine"], 10)] == ["mine"]
    assert [each["message_id"] for each in receipts(url, publisher.login, ["other"], 10)] == ["other"]


def test_waiting_for_a_receipt_has_an_end(publisher: Publisher, url: str) -> None:
    assert list(receipts(url, publisher.login, ["never"], 0.2)) == []


def test_an_unknown_publisher_is_told_how_to_become_one(servers: LocalSystem) -> None:
    with pytest.raises(CommandFailed, match="wangge publisher add nobody"):
        Publisher.read(servers.directory, "nobody")


def test_a_broker_that_is_away_is_said_in_plain_words(publisher: Publisher) -> None:
    with pytest.raises(CommandFailed, match="did not take the messages"):
        send("amqp://x:y@127.0.0.1:1/%2F", publisher.login, [Message("i", "k", "p", b"{}")])
