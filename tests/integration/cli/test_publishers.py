"""An outside system publishes with a login of its own, by tools that are not ours, and can do nothing else."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import amqp
import pytest
import requests

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


#: Queues of others; those of services have names that no service uses, for one may be running beside.
QUEUES = ("receipts.somebody-else", "intake.other.0", "intake.other-dead", "dispatch.other.0")
EXCHANGES = ("receipts", "intake.events", "intake.other-inbox")


@pytest.fixture
def others(servers: LocalSystem) -> None:
    """Queues and exchanges of others, with a message in each queue."""
    with publishers.connection(servers.addresses.amqp_uri) as admin, admin.channel() as channel:
        declare_receipts(channel, "somebody-else")
        for exchange in EXCHANGES:
            channel.exchange_declare(exchange, "topic", durable=True, auto_delete=False)
        for queue in QUEUES[1:]:
            channel.queue_declare(
                queue, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"}
            )
        for queue in QUEUES:
            channel.basic_publish(amqp.Message("for somebody else"), "", queue)


#: What a publisher might try, each on a channel of its own.
ATTEMPTS: dict[str, Callable[[amqp.Channel, str], Any]] = {
    **{f"read {queue}": lambda channel, _, queue=queue: channel.basic_get(queue) for queue in QUEUES},
    "consume another's receipts": lambda channel, _: channel.basic_consume(QUEUES[0]),
    "purge another's receipts": lambda channel, _: channel.queue_purge(QUEUES[0]),
    "write receipts": lambda channel, login: publish(channel, "receipts", login),
    "write a service's facts": lambda channel, _: publish(channel, "intake.events", "report.accepted"),
    "write a service's inbox": lambda channel, _: publish(channel, "intake.other-inbox", "x"),
    "write straight into a queue": lambda channel, _: publish(channel, "", QUEUES[1]),
    "declare a queue": lambda channel, _: channel.queue_declare("mine"),
    "declare a queue that deletes itself": lambda channel, _: channel.queue_declare("", exclusive=True),
    "declare an exchange": lambda channel, _: channel.exchange_declare("mine", "topic"),
    "delete its own receipts queue": lambda channel, login: channel.queue_delete(f"receipts.{login}"),
    "delete the exchange incidents": lambda channel, _: channel.exchange_delete("incidents"),
    "listen to others' incidents": lambda channel, login: channel.queue_bind(
        f"receipts.{login}", "incidents", "#"
    ),
    "get others' receipts into its own queue": lambda channel, login: channel.queue_bind(
        f"receipts.{login}", "receipts", "#"
    ),
    "stop its own receipts": lambda channel, login: channel.queue_unbind(
        f"receipts.{login}", "receipts", login
    ),
    "send incidents on elsewhere": lambda channel, _: channel.exchange_bind(
        "intake.events", "incidents", "#"
    ),
}


def publish(channel: amqp.Channel, exchange: str, routing_key: str) -> None:
    channel.confirm_select()
    channel.basic_publish_confirm(amqp.Message("forged"), exchange, routing_key)


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_publisher_can_do_nothing_but_publish_and_read_its_receipts(
    publisher: Publisher, url: str, others: None, attempt: str
) -> None:
    with publishers.connection(url) as connection, pytest.raises(amqp.AccessRefused):
        ATTEMPTS[attempt](connection.channel(), publisher.login)


def test_a_publisher_does_not_get_at_the_brokers_management(
    servers: LocalSystem, publisher: Publisher
) -> None:
    password = publishers.password_of(servers.directory, publisher.login)
    for path in ("/overview", "/queues", f"/users/{publisher.login}"):
        url = f"{servers.addresses.management_url}/api{path}"
        assert requests.get(url, auth=(publisher.login, password), timeout=10).status_code == 401


def test_a_publisher_cannot_exhaust_the_brokers_connections(url: str) -> None:
    opened = [publishers.connection(url) for _ in range(publishers.MOST_CONNECTIONS)]
    try:
        for connection in opened:
            connection.connect()
        with pytest.raises(amqp.NotAllowed, match="limit"):
            publishers.connection(url).connect()
    finally:
        for connection in opened:
            connection.collect()


def test_a_wrong_routing_key_is_not_refused_by_the_broker(
    publisher: Publisher, url: str, arrived: amqp.Channel
) -> None:
    """It gets a receipt that says what is wrong, instead of a closed channel."""
    with publishers.connection(url) as connection, connection.channel() as channel:
        channel.confirm_select()
        channel.basic_publish_confirm(amqp.Message("{}"), "incidents", "nonsense")
    assert arrived.basic_get("seen", no_ack=True).delivery_info["routing_key"] == "nonsense"


@pytest.mark.parametrize("login", ["intake", "wangge", "guest", "unknown"])
def test_a_login_of_the_system_itself_is_not_given_away(servers: LocalSystem, login: str) -> None:
    with pytest.raises(CommandFailed, match="choose another"):
        publishers.add(servers.addresses, servers.directory, Publisher(login, "https://x.example", "14"))


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
