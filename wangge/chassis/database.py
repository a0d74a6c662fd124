"""Opens transactions on the service's own PostgreSQL database and keeps its schema current.

Guarantee: `begin()` commits everything or nothing, and wakes the relay after a commit that recorded facts.
Limit: a connection lost while committing leaves it unknown whether the commit happened; the caller must be
idempotent (the inbox is, and so is a request with an `Idempotency-Key`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text

from wangge.chassis.clock import Clock
from wangge.chassis.logging import get_logger
from wangge.chassis.settings import Settings
from wangge.chassis.transaction import Cause, Transaction
from wangge.contracts.registry import Registry

log = get_logger(__name__)

#: Milliseconds a statement may run: below the handler's own limit.
STATEMENT_TIMEOUT = 25_000
#: Milliseconds to wait for a lock before it counts as a temporary fault.
LOCK_TIMEOUT = 10_000
#: Milliseconds a transaction may idle before the server ends it.
IDLE_TIMEOUT = 60_000

#: Any number, the same in all processes: serialises migrations of one database.
MIGRATION_LOCK = 7_203_001

CHASSIS_MIGRATIONS = Path(__file__).parent / "migrations"

NO_CAUSE = Cause()


class Database:
    """The service's database: a pool of connections, transactions and health."""

    def __init__(self, settings: Settings, clock: Clock, registry: Registry) -> None:
        self._service = settings.service
        self._clock = clock
        self._registry = registry
        self._wake: list[Callable[[], None]] = []
        self.engine = connect(settings.database_uri, settings.pool_size)

    def on_recorded(self, wake: Callable[[], None]) -> None:
        """Call `wake` after every commit that recorded facts."""
        self._wake.append(wake)

    @contextmanager
    def begin(self, cause: Cause = NO_CAUSE) -> Iterator[Transaction]:
        """A transaction: committed when the block ends, rolled back when it raises."""
        with self.engine.connect() as connection:
            with connection.begin():
                tx = Transaction(connection, self._clock.now(), self._service, self._registry, cause)
                yield tx
                tx.flush()
            tx.committed()
        if tx.has_recorded:
            for wake in self._wake:
                wake()

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection of its own transaction for machinery (relay, sweeps of the chassis)."""
        with self.engine.begin() as connection:
            yield connection

    def ping(self) -> None:
        """Raise what the driver raises unless the database answers."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def connect(uri: str, pool_size: int) -> Engine:
    """An engine with the timeouts that keep a stuck statement from holding a worker."""
    options = " ".join(
        f"-c {name}={value}"
        for name, value in {
            "statement_timeout": STATEMENT_TIMEOUT,
            "lock_timeout": LOCK_TIMEOUT,
            "idle_in_transaction_session_timeout": IDLE_TIMEOUT,
            "timezone": "UTC",
        }.items()
    )
    return create_engine(
        uri,
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={
            "options": options,
            "connect_timeout": 5,
            "tcp_user_timeout": 10_000,
            "keepalives_idle": 30,
        },
    )


def migrate(engine: Engine, locations: dict[str, Path]) -> None:
    """Bring the schema to its head, under an advisory lock, so that replicas may start together.

    `locations` maps a version table to its folder of Alembic migrations; the chassis's own come first.
    """
    with engine.connect() as connection:
        connection.execute(text("SET statement_timeout = 0; SET lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()
        try:
            for version_table, location in _all(locations).items():
                command.upgrade(_config(connection, version_table, location), "head")
                connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
            connection.execute(text("RESET statement_timeout; RESET lock_timeout"))
            connection.commit()


def is_at_head(engine: Engine, locations: dict[str, Path]) -> bool:
    """Whether every migration known to this process has been applied."""
    with engine.connect() as connection:
        for version_table, location in _all(locations).items():
            context = MigrationContext.configure(connection, opts={"version_table": version_table})
            script = ScriptDirectory.from_config(_config(connection, version_table, location))
            if context.get_current_revision() != script.get_current_head():
                return False
    return True


def _all(locations: dict[str, Path]) -> dict[str, Path]:
    return {"chassis_version": CHASSIS_MIGRATIONS, **locations}


def _config(connection: Connection, version_table: str, location: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(location))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = version_table
    return config
