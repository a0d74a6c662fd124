"""Publishes like an outside system that is in a hurry: confirms are awaited, but not one by one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import amqp

from wangge.chassis import broker


class Publisher:
    """One connection with pipelined confirms."""

    def __init__(self, uri: str) -> None:
        self.connection = broker.connect((uri,))
        self._channel = self.connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._acked)
        self._sent = self._confirmed = 0
        self._singles: set[int] = set()

    def publish(self, message: amqp.Message, exchange: str, routing_key: str) -> None:
        """Send one message; its confirm is awaited later."""
        self._channel.basic_publish(message, exchange, routing_key)
        self._sent += 1

    def settle(self, at_most: int = 0) -> None:
        """Wait until at most so many messages are unconfirmed. Raises `TimeoutError`."""
        while self._sent - self._confirmed - len(self._singles) > at_most:
            self.connection.drain_events(timeout=20)

    def close(self) -> None:
        """Wait for all confirms, and leave."""
        self.settle()
        self.connection.close()

    def _acked(self, tag: int, multiple: bool) -> None:
        if multiple:
            self._confirmed = max(self._confirmed, tag)
            self._singles = {single for single in self._singles if single > tag}
        else:
            self._singles.add(tag)


def paced(items: Sequence[Any], rate: float) -> Iterator[Any]:
    """The items at a steady rate a second; one that is late is followed at once by the next, so the rate holds."""
    began = time.perf_counter()
    for number, item in enumerate(items):
        wait = began + number / rate - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        yield item
