"""Moves the messages of a cell that nobody serves home: each is confirmed there before it is acknowledged here.

Guarantee: none is lost, and those of a key keep their order. Limit: killed between confirm and acknowledgement, it
leaves a message in both places; home recognises it by its id.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import amqp

from wangge.chassis.topology import HOME, Topology
from wangge.chassis.transit import GIVEN_BACK
from wangge.cli import publishers
from wangge.cli.errors import CommandFailed
from wangge.cli.management import Management

#: Seconds without another message after which a queue counts as emptied.
QUIET_SECONDS = 2.0

#: Seconds to wait for a confirm.
CONFIRM_SECONDS = 10.0


def give_back(management: Management, service: str, cell: str, queues: list[str]) -> int:
    """Move everything in the cell's queues to `<service>.home`; answers how many messages.

    Raises:
        CommandFailed: the broker refused a message, or another consumer has a queue.
    """
    with _mover(management, service, cell) as uri, publishers.connection(uri) as connection:
        home = Topology(service)
        return sum(_empty(connection, queue, home.exchange, home.marks) for queue in queues)


@contextmanager
def _mover(management: Management, service: str, cell: str) -> Iterator[str]:
    """A login for this one act: it may pass on what others have signed (`user_id`), from these queues to home."""
    login, password = f"mover-{secrets.token_hex(6)}", secrets.token_urlsafe(24)
    management.call("PUT", f"/users/{login}", {"password": password, "tags": "impersonator"})
    try:
        management.call(
            "PUT",
            f"/permissions/{management.vhost}/{login}",
            {"configure": "^$", "write": rf"^{service}\.{HOME}$", "read": rf"^{service}\.{cell}\.[0-9]+$"},
        )
        parts = urlsplit(management.addresses.amqp_uri)
        place = f"{login}:{quote(password, safe='')}@{parts.hostname}:{parts.port or 5672}"
        yield urlunsplit(parts._replace(netloc=place))
    finally:
        management.call("DELETE", f"/users/{login}")


def _empty(connection: amqp.Connection, queue: str, home: str, marks: str) -> int:
    """Move what the queue has; a mark of the hand-over that the cell did not live to see is let go."""
    reading, writing = connection.channel(), connection.channel()
    reading.auto_decode = False
    arrived: list[amqp.Message] = []
    reading.basic_qos(0, 100, False)
    tag = reading.basic_consume(queue, callback=arrived.append)
    moved = 0
    while _is_more(connection, arrived):
        while arrived:
            message = arrived.pop(0)
            if message.delivery_info["exchange"] != marks:
                _move(writing, message, home)
                moved += 1
            message.channel.basic_ack(message.delivery_info["delivery_tag"])
    reading.basic_cancel(tag)
    reading.close()
    writing.close()
    return moved


def _is_more(connection: amqp.Connection, arrived: list[amqp.Message]) -> bool:
    try:
        while not arrived:
            connection.drain_events(timeout=QUIET_SECONDS)
    except TimeoutError:
        return False
    return True


def _move(writing: amqp.Channel, message: amqp.Message, home: str) -> None:
    properties: dict[str, Any] = dict(message.properties)
    headers = properties.pop("application_headers", None) or {}
    kept = {name: value for name, value in headers.items() if name != "x-delivery-count"}
    copy = amqp.Message(
        message.body,
        application_headers={**kept, GIVEN_BACK: message.delivery_info["exchange"]},
        **properties,
    )
    key = message.delivery_info["routing_key"]
    try:
        writing.basic_publish_confirm(copy, home, key, mandatory=True, confirm_timeout=CONFIRM_SECONDS)
    except (amqp.AMQPError, OSError) as refused:
        raise CommandFailed(
            f"{home} did not take a message ({refused}); what was not moved is where it was."
        ) from refused
