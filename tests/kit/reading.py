"""Reads a running system into records: all databases, and all queues of all cells, dead ones too."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import quote

import psycopg2
import psycopg2.extras

from kit import queries
from kit.records import INCIDENT, Effect, Heard, Held, Receipt, Records, ServiceRecords, Sum, Told
from wangge.chassis import broker
from wangge.cli.local import SERVICES, LocalSystem
from wangge.cli.local.rabbitmq import RabbitMQ

#: Queues that belong to publishers: what waits there is theirs to take.
PUBLISHERS_OWN = "receipts."


@dataclass(frozen=True, slots=True)
class Pulse:
    """A few counts that tell whether a system still does something, and whether anything is pending."""

    pending: int
    deferred: int
    heard: int
    told: int
    queued: int

    @property
    def is_idle(self) -> bool:
        """Nothing waits that is known to wait; a delivery in flight does not show."""
        return not (self.pending or self.deferred or self.queued)


class Reader:
    """Reads the databases of `services` and the queues of one virtual host."""

    def __init__(
        self,
        databases: Mapping[str, str],
        rabbitmq: RabbitMQ,
        listeners: Mapping[str, tuple[str, ...]],
        amqp_uri: str | None = None,
    ) -> None:
        self._databases = {name: uri.replace("+psycopg2", "") for name, uri in databases.items()}
        self._rabbitmq = rabbitmq
        self._amqp_uri = amqp_uri
        self._listeners = listeners

    @classmethod
    def of(cls, system: LocalSystem) -> "Reader":
        """The four services of a local system."""
        databases = {name: system.postgres.service_url(name) for name in SERVICES}
        return cls(databases, system.rabbitmq, subscriptions())

    def rows(self, service: str, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of one service's database."""
        connection = psycopg2.connect(self._databases[service])
        try:
            with connection, connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(statement, values)
                return [dict(row) for row in cursor.fetchall()]
        finally:
            connection.close()

    def queues(self) -> dict[str, int]:
        """By name, the messages that wait; those delivered and not acknowledged are not among them."""
        uri = self._amqp_uri or self._rabbitmq.url()
        connection = broker.connect((uri,))
        channel = connection.channel()
        vhost = quote(connection.virtual_host, safe="")
        names = [queue["name"] for queue in self._rabbitmq.call("GET", f"/queues/{vhost}?columns=name")]
        waiting = {
            name: int(channel.queue_declare(name, passive=True).message_count)
            for name in names
            if not name.startswith(PUBLISHERS_OWN)
        }
        connection.close()
        return waiting

    def pulse(self) -> Pulse:
        """The counts of this instant."""
        counts = [self.rows(service, queries.PULSE)[0] for service in self._databases]
        summed = {name: sum(count[name] for count in counts) for name in counts[0]}
        return Pulse(queued=sum(self.queues().values()), **summed)

    def read(self) -> Records:
        """Everything."""
        services = {name: self._service(name) for name in self._databases}
        return Records(services, self._listeners, self.queues(), is_answered="intake" in services)

    def _service(self, name: str) -> ServiceRecords:
        return ServiceRecords(
            told=tuple(Told(owner=name, **row) for row in self.rows(name, queries.TOLD)),
            heard=tuple(Heard(**row) for row in self.rows(name, queries.HEARD)),
            held=tuple(Held(**row) for row in self.rows(name, queries.HELD)),
            effects=tuple(Effect(**row) for row in self._all(name, queries.EFFECTS)),
            receipts=tuple(Receipt(**row) for row in self._all(name, queries.RECEIPTS)),
            sums=tuple(Sum(**row) for row in self._all(name, queries.SUMS)),
        )

    def _all(self, name: str, statements: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        return [row for statement in statements.get(name, []) for row in self.rows(name, statement)]


def subscriptions() -> dict[str, tuple[str, ...]]:
    """Which services handle each event type, as their classes say."""
    found: dict[str, tuple[str, ...]] = {INCIDENT: ()}
    for service in SERVICES:
        for event_type in _handled(service):
            found[event_type] = (*found.get(event_type, ()), service)
    return found


def _handled(service: str) -> set[str]:
    module = import_module(f"services.{service}.service")
    classes = [value for value in vars(module).values() if getattr(value, "name", None) == service]
    return {
        event_type
        for service_class in classes
        for name in dir(service_class)
        if (event_type := getattr(getattr(service_class, name, None), "__wangge_event__", None))
    }
