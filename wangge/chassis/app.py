"""Holds what a service process works with, as plain objects that need no nameko: database, clock, Redis, keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import amqp
from sqlalchemy import delete, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert

from wangge.chassis import broker, schema, topology
from wangge.chassis.auth import Authenticator
from wangge.chassis.backlog import Backlog
from wangge.chassis.cells import Cell, Cells
from wangge.chassis.clock import Clock, MovableClock, WallClock
from wangge.chassis.database import Database
from wangge.chassis.delivery import Delivery, read
from wangge.chassis.errors import Permanent
from wangge.chassis.hand_over import HandOver
from wangge.chassis.held import HeldEvents
from wangge.chassis.inbox import Handlers, Inbox
from wangge.chassis.retrying import Retrying
from wangge.chassis.settings import Settings
from wangge.chassis.sharing import Sharing
from wangge.chassis.tables import KEPT_DAYS, clock_position, idempotency_key, outbox
from wangge.chassis.tables import inbox as inbox_table
from wangge.chassis.topology import Topology
from wangge.chassis.transaction import Transaction
from wangge.chassis.transit import Transit
from wangge.chassis.workbench import Workbench
from wangge.contracts.envelope import Event
from wangge.contracts.registry import Registry

if TYPE_CHECKING:
    from redis import Redis

#: What helps where a queue or exchange exists that was declared differently.
OTHER_ARGUMENTS = (
    "What exists keeps its arguments: declare the new ones as a cell of another name (WANGGE_CELL), let the old one "
    "run empty under the version that made it, and delete it then. A limit alone is an operator's policy and needs "
    "no new queue. See docs/runbook.md, 'A queue with other arguments'."
)

#: Rows of one table that one turn of the purge removes.
PURGE = 5000


class App:
    """One service process. `handlers` is set by the service once it exists."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        migrations: dict[str, Path],
        deadline: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self.settings = settings
        self.registry = registry
        self.migrations = migrations
        self.clock: Clock = MovableClock() if settings.movable_clock else WallClock()
        self.database = Database(settings, self.clock, registry)
        self.backlog = Backlog(self.database, settings.outbox_most, settings.outbox_seconds)
        self.authenticator = Authenticator(settings.keys_dir)
        self.held = HeldEvents()
        self.retrying = Retrying(
            self.database, registry, settings.retry_attempts, settings.retry_age_seconds, deadline
        )
        self.workbench = Workbench(registry)
        self.cells = Cells(settings.service)
        self.transit = Transit(self.topology)
        self.hand_over = HandOver(
            self.database, settings.service, self.broker_channel, settings.hand_over_seconds
        )
        self.inbox = Inbox(self.database, registry, self.held, deadline, self.transit)
        self.handlers = Handlers({})
        self.service: Any = None
        self.consumer: Any = None
        self.relay: Any = None
        self.sharing: dict[str, Sharing[Any, Any]] = {}
        """Where commands of one route meet that share their transactions, by method and path."""
        self.is_draining = False
        self.clock_moved: list[Callable[[], None]] = []

    @cached_property
    def redis(self) -> Redis:
        """Redis, for a service that `uses_redis`; the library is loaded only then."""
        from redis import Redis  # noqa: PLC0415

        return Redis.from_url(
            self.settings.redis_uri,
            socket_timeout=2,
            socket_connect_timeout=2,
            health_check_interval=30,
            decode_responses=True,
        )

    @property
    def topology(self) -> Topology:
        """The names of this process's cell on the broker."""
        return Topology(self.settings.service, self.settings.cell, self.settings.lanes)

    def migrate(self) -> None:
        """Bring the database to its head."""
        schema.migrate(self.database.engine, self.migrations)

    def is_migrated(self) -> bool:
        """Whether the database is at its head."""
        return schema.is_at_head(self.database.engine, self.migrations)

    def find_clock(self) -> None:
        """Let a movable clock stand where it stood."""
        if isinstance(self.clock, MovableClock):
            with self.database.connect() as connection:
                stood = connection.execute(select(clock_position.c.stands_at)).scalar()
            if stood:
                self.clock.set(stood)

    def declare(self) -> None:
        """Register this cell and declare it on the broker.

        Raises `OSError`, `amqp.AMQPError`, `Permanent`, or `Conflict` (cells).
        """
        settings = self.settings
        with self.database.begin() as tx:
            self.cells.join(tx, Cell(settings.cell, settings.areas, settings.lanes))
        with self.broker_channel() as channel:
            try:
                topology.declare(channel, self.topology, sorted(self.handlers.by_type), self.registry)
            except amqp.PreconditionFailed as other:
                raise Permanent("queue.other_arguments", f"{other.reply_text}. {OTHER_ARGUMENTS}") from other
        self.hand_over.restore(settings.cell)
        self.hand_over.advance()

    def broker_channel(self) -> AbstractContextManager[amqp.Channel]:
        """A channel of its own for declarations, closed with its connection."""
        return _OneChannel(self.settings.amqp_uris)

    def save_clock(self) -> None:
        """Remember where a movable clock stands, and let sweeps look at once."""
        if isinstance(self.clock, MovableClock):
            row = {"id": 1, "stands_at": self.clock.stands_at}
            statement = insert(clock_position).values(row)
            with self.database.connect() as connection:
                connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=row))
        for look in self.clock_moved:
            look()

    def quarantine_dead(self, batch: Sequence[Delivery]) -> None:
        """Hold messages that the broker gave up delivering, unless their effect is there already."""
        fault = Permanent(
            "delivery_limit", f"delivered {topology.DELIVERY_LIMIT} times without being settled"
        )
        with self.database.begin() as tx:
            for delivery in map(_as_published, batch):
                event = self._try_read(delivery)
                if event and self.held.was_processed(tx, event):
                    continue
                if self.held.quarantine(tx, delivery, event, fault):
                    self.handlers.quarantined(tx, delivery, fault)

    def _try_read(self, delivery: Delivery) -> Event | None:
        try:
            return read(delivery, self.registry)
        except Permanent:
            return None

    def purge(self, tx: Transaction) -> int:
        """Remove a portion of published facts, message marks and idempotency keys past their keeping time."""
        past = func.now() - timedelta(days=KEPT_DAYS)
        removed = 0
        for table, age in (
            (outbox, outbox.c.published_at),
            (inbox_table, inbox_table.c.processed_at),
            (idempotency_key, idempotency_key.c.created_at),
        ):
            portion: Any = select(literal_column("ctid")).select_from(table).where(age < past).limit(PURGE)
            removed += tx.execute(delete(table).where(literal_column("ctid").in_(portion))).rowcount
        return removed

    def close(self) -> None:
        """Give connections back."""
        self.database.close()
        if "redis" in vars(self):
            self.redis.close()


def _as_published(delivery: Delivery) -> Delivery:
    """A dead letter under the exchange and key that it was published with: its sender is to be answered."""
    death = next(iter(delivery.headers.get("x-death") or ()), None)
    if death is None:
        return delivery
    return replace(delivery, exchange=death["exchange"], routing_key=next(iter(death["routing-keys"]), ""))


class _OneChannel:
    def __init__(self, uris: tuple[str, ...]) -> None:
        self._uris = uris
        self._connection: Any = None

    def __enter__(self) -> amqp.Channel:
        self._connection = broker.connect(self._uris)
        return self._connection.channel()

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._connection.close()
        else:
            broker.drop(self._connection)
