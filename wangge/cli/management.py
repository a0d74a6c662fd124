"""RabbitMQ's management API of a running system, spoken to as its administrator."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import requests

from wangge.cli.errors import CommandFailed
from wangge.cli.local import Addresses

#: Seconds for one call.
API_SECONDS = 30.0


@dataclass(frozen=True)
class Lane:
    """A queue as the broker sees it. The figures are up to `STATISTICS_SECONDS` old."""

    name: str
    ready: int
    unacknowledged: int
    consumers: int

    @property
    def holds(self) -> int:
        """Messages that are not settled."""
        return self.ready + self.unacknowledged


#: Seconds by which the management API's figures may lag behind: it collects them every 5 s.
STATISTICS_SECONDS = 10.0


@dataclass(frozen=True)
class Management:
    """Questions to the broker, and what only its administrator may do."""

    addresses: Addresses

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON that it answers, or None.

        Raises:
            CommandFailed: it is away or says no.
        """
        admin = urlsplit(self.addresses.amqp_uri)
        credentials = (unquote(admin.username or ""), unquote(admin.password or ""))
        url = f"{self.addresses.management_url}/api{path}"
        try:
            answer = requests.request(method, url, json=body, auth=credentials, timeout=API_SECONDS)
            answer.raise_for_status()
        except requests.RequestException as failure:
            where = self.addresses.management_url
            raise CommandFailed(f"RabbitMQ's management at {where} failed: {failure}") from failure
        return answer.json() if answer.content else None

    @property
    def vhost(self) -> str:
        """The virtual host as a part of a path."""
        return quote(unquote(urlsplit(self.addresses.amqp_uri).path[1:]) or "/", safe="")

    def lanes(self, service: str) -> dict[str, list[Lane]]:
        """The queues of each cell of a service, by the cell's name."""
        found: dict[str, list[Lane]] = {}
        for queue in self.call("GET", f"/queues/{self.vhost}"):
            parts = re.fullmatch(rf"{re.escape(service)}\.([a-z][a-z0-9_]*)\.\d+", queue["name"])
            if parts:
                found.setdefault(parts[1], []).append(_lane(queue))
        return found

    def claims(self, service: str) -> dict[str, list[str]]:
        """The areas, as dotted words, that each cell's exchange is bound to, by the cell's name."""
        found: dict[str, list[str]] = {}
        bindings = self.call("GET", f"/exchanges/{self.vhost}/{service}.inbox/bindings/source")
        for binding in bindings:
            cell = binding["destination"].removeprefix(f"{service}.")
            words = binding["routing_key"].removeprefix("*.*.").removesuffix(".#")
            found.setdefault(cell, []).append(words)
        return found


def _lane(queue: dict[str, Any]) -> Lane:
    return Lane(
        queue["name"],
        queue.get("messages_ready", 0),
        queue.get("messages_unacknowledged", 0),
        queue.get("consumers", 0),
    )
