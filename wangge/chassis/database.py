"""Opens transactions on the service's own PostgreSQL database.

Guarantee: `begin()` commits everything or nothing, and wakes the relay after a commit that recorded urgent facts.
Limit: a connection lost while committing leaves it unknown whether the commit happened; the caller must be
idempotent (the inbox is, and so is a request with an `Idempotency-Key`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine, text

from wangge.chassis.clock import Clock
from wangge.chassis.logging import get_logger
from wangge.chassis.pipelining import Pipeline, try_before_use
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
#: Milliseconds after which a running statement ends whose client has gone: it may hold marks that others wait for.
CLIENT_CHECK = 1_000

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
        """Call `wake` after every commit that recorded urgent facts."""
        self._wake.append(wake)

    @contextmanager
    def begin(self, cause: Cause = NO_CAUSE) -> Iterator[Transaction]:
        """A transaction: committed when the block ends, rolled back when it raises."""
        tx = None
        try:
            with self.connect() as pipeline:
                tx = Transaction(pipeline, self._clock.now(), self._service, self._registry, cause)
                yield tx
                tx.flush()
        except BaseException:
            if tx is not None:
                tx.rolled_back()
            raise
        tx.committed()
        if tx.is_urgent:
            for wake in self._wake:
                wake()

    @contextmanager
    def connect(self) -> Iterator[Pipeline]:
        """A transaction for machinery (relay, sweeps of the chassis), which tells no facts."""
        with self.engine.connect() as connection:
            pipeline = Pipeline(connection)
            try:
                yield pipeline
                pipeline.commit()
            except BaseException:
                pipeline.roll_back()
                raise

    @contextmanager
    def look(self) -> Iterator[Pipeline]:
        """A connection for a look at what is committed: each statement sees its own instant, and ends by itself."""
        with self.engine.connect() as connection:
            yield Pipeline(connection, beginning="")

    def ping(self) -> None:
        """Raise what the driver raises unless the database answers."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def connect(uri: str, pool_size: int) -> Engine:
    """An engine for pipelines, with the timeouts that keep a stuck statement from holding a worker."""
    options = " ".join(
        f"-c {name}={value}"
        for name, value in {
            "statement_timeout": STATEMENT_TIMEOUT,
            "lock_timeout": LOCK_TIMEOUT,
            "idle_in_transaction_session_timeout": IDLE_TIMEOUT,
            "client_connection_check_interval": CLIENT_CHECK,
            "timezone": "UTC",
        }.items()
    )
    engine = create_engine(
        uri,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,  # they hold what people wrote, and an error's text is logged
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=10,
        pool_use_lifo=True,  # the one used last: its server process has everything at hand
        connect_args={
            "options": options,
            "connect_timeout": 5,
            "tcp_user_timeout": 10_000,
            "keepalives_idle": 30,
        },
    )
    try_before_use(engine)
    return engine
