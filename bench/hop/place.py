"""Makes a fresh place for one round: a database, a virtual host with the queues, the messages in them, and a gate.

The gate is a consumer of every queue that came first; the queues have a single active consumer, so whoever subscribes
later waits. When it leaves, work begins: the rate is counted from that instant, with everybody connected and warm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import amqp
import orjson
import psycopg2
from sqlalchemy import create_engine

from bench.hop.implementations import REPOSITORY, Cell, Worded
from bench.hop.messages import COMMUNITIES
from bench.hop.work import FACT_EXCHANGE
from bench.publishing import Publisher
from wangge.chassis import broker, schema, topology
from wangge.chassis.topology import Topology
from wangge.cli.local import LocalSystem
from wangge.contracts.areas import Area
from wangge.contracts.events import REGISTRY

TEMPLATE = "hop_template"
MIGRATIONS = {"alembic_version": REPOSITORY / "bench/hop/ours/migrations"}

#: Queues of all processes together.
LANES = 4

#: Cells by number of processes: one cell takes everything, or each takes one community.
CELLS: dict[int, dict[str, tuple[str, ...]]] = {
    1: {topology.HOME: ()},
    2: {"east": (COMMUNITIES[0],), "west": (COMMUNITIES[1],)},
}

#: The queue of somebody who listens to the facts.
FACTS = "facts"


def prepare(system: LocalSystem) -> None:
    """Make the database that every round's database is a copy of."""
    engine = create_engine(system.postgres.create_database(TEMPLATE))
    schema.migrate(engine, MIGRATIONS)
    engine.dispose()


def copy_of_template(system: LocalSystem, name: str) -> str:
    """A database with the empty tables of the hop; answers its address."""
    with _postgres(system.postgres.url()) as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    return system.postgres.url().removesuffix("postgres") + name


class Place:
    """The database and the queues of one round."""

    def __init__(self, system: LocalSystem, processes: int) -> None:
        self._system = system
        self.name = f"hop_{uuid4().hex[:12]}"
        self._areas = CELLS[processes]
        self.amqp_uri = system.rabbitmq.create_vhost(self.name)
        self.database_uri = copy_of_template(system, self.name)
        self._connection = broker.connect((self.amqp_uri,), confirm_publish=True)
        self._channel = self._connection.channel()
        self._gate = self._connection.channel()
        for cell, areas in self._areas.items():
            names = Topology("hop", cell, LANES // processes)
            topology.declare(self._channel, names, ["incident.reported.v1"], REGISTRY)
            topology.bind(self._channel, names, areas)
        self._channel.queue_declare(
            FACTS, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"}
        )
        self._channel.queue_bind(FACTS, FACT_EXCHANGE, "#")

    @property
    def cells(self) -> list[Cell]:
        """What each process is given."""
        lanes = LANES // len(self._areas)
        return [
            Cell(
                name,
                areas,
                tuple(Topology("hop", name, lanes).queues),
                self.database_uri.replace("postgresql:", "postgresql+psycopg2:"),
                self.amqp_uri,
                self._system.redis.url(),
                self._system.keys_dir,
            )
            for name, areas in self._areas.items()
        ]

    @property
    def queues(self) -> list[str]:
        """All queues of the round."""
        return [queue for cell in self.cells for queue in cell.queues]

    def close_gate(self) -> None:
        """Be the first consumer of every queue, so that nobody else gets anything."""
        self._gate.basic_qos(0, 1, False)
        for queue in self.queues:
            self._gate.basic_consume(queue, callback=lambda message: None)

    def fill(self, events: Sequence[dict[str, Any]], messages: Iterable[Worded]) -> None:
        """Publish the messages, as fast as the broker confirms them."""
        publisher = Publisher(self.amqp_uri)
        for event, message in zip(events, messages, strict=True):
            publisher.publish(_as_amqp(event, message), "incidents", _routing_key(event))
            publisher.settle(at_most=500)
        publisher.close()

    def is_subscribed(self) -> bool:
        """Whether every queue has a consumer beside the gate."""
        consumers = Counter(
            each["queue"]["name"] for each in self._system.rabbitmq.call("GET", f"/consumers/{self.name}")
        )
        return all(consumers[queue] > 1 for queue in self.queues)

    def open_gate(self) -> datetime:
        """Let the others begin; answers when."""
        at = datetime.now(UTC)
        self._gate.close()
        return at

    def facts(self) -> int:
        """Facts that have arrived."""
        count: int = self._declared(FACTS).message_count
        return count

    def left(self) -> int:
        """Messages that are still in the queues."""
        return sum(self._declared(queue).message_count for queue in self.queues)

    def heard(self) -> list[dict[str, Any]]:
        """The facts, taken from the listener's queue."""
        heard: list[dict[str, Any]] = []
        wanted = self.facts()
        channel = self._connection.channel()
        channel.auto_decode = False
        channel.basic_consume(FACTS, no_ack=True, callback=lambda one: heard.append(orjson.loads(one.body)))
        while len(heard) < wanted:
            self._connection.drain_events(timeout=10)
        channel.close()
        return heard

    def row(self, statement: str) -> tuple[Any, ...]:
        """The one row of a question to the round's database."""
        with _postgres(self.database_uri) as cursor:
            cursor.execute(statement)
            found: tuple[Any, ...] = cursor.fetchone()
            return found

    def checkpoint(self) -> None:
        """Let PostgreSQL write what earlier rounds left, so that this one does not pay for it."""
        with _postgres(self.database_uri) as cursor:
            cursor.execute("CHECKPOINT")

    def remove(self) -> None:
        """Take database and queues away."""
        broker.drop(self._connection)
        self._system.rabbitmq.drop_vhost(self.name)
        self._system.postgres.drop_database(self.name)

    def _declared(self, queue: str) -> Any:
        return self._channel.queue_declare(queue, passive=True)


@contextmanager
def _postgres(uri: str) -> Iterator[Any]:
    with closing(psycopg2.connect(uri)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


def _as_amqp(event: dict[str, Any], message: Worded) -> amqp.Message:
    return amqp.Message(
        message.body,
        content_type=message.content_type,
        content_encoding="utf-8",
        delivery_mode=2,
        message_id=event["id"],
        correlation_id=event["id"],
        application_headers={"partitionkey": event["partitionkey"], **message.headers},
    )


def _routing_key(event: dict[str, Any]) -> str:
    return f"incident.reported.{Area.parse(event['area']).routing}"
