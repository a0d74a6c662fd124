"""Publishes many messages fast, each confirmed by the broker."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import amqp

from wangge.chassis import broker

#: Seconds without any confirm after which the broker counts as silent.
SILENT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message on its way to an exchange."""

    body: bytes
    exchange: str
    routing_key: str
    headers: dict[str, Any] = field(default_factory=dict)
    user_id: str = ""
    """The login that the broker is to vouch for, where one is given."""


def publish_all(uri: str, messages: Iterable[Outgoing]) -> int:
    """Publish in order and return once every message is confirmed; answers how many there were."""
    connection = broker.connect((uri,))
    channel = connection.channel()
    channel.confirm_select()
    confirmed = _Confirmed()
    channel.events["basic_ack"].add(confirmed)
    sent = 0
    for message in messages:
        sent += 1
        vouched = {"user_id": message.user_id} if message.user_id else {}
        outgoing = amqp.Message(message.body, delivery_mode=2, application_headers=message.headers, **vouched)
        channel.basic_publish(outgoing, message.exchange, message.routing_key)
    while confirmed.up_to < sent:
        connection.drain_events(timeout=SILENT_SECONDS)
    connection.close()
    return sent


class _Confirmed:
    """The number up to which all messages are confirmed; confirms may come out of order."""

    def __init__(self) -> None:
        self.up_to = 0
        self._ahead: set[int] = set()

    def __call__(self, tag: int, multiple: bool) -> None:
        self._ahead.update(range(self.up_to + 1, tag + 1) if multiple else (tag,))
        while self.up_to + 1 in self._ahead:
            self.up_to += 1
            self._ahead.discard(self.up_to)
