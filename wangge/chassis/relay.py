"""Publishes recorded facts after commit: in order, confirmed, at least once.

Guarantee: every outbox row is published and confirmed, however often the process or the broker dies; facts leave in
the order of their rows, one process of the service at a time. A row counts as published only once the broker has
confirmed it. Limits: a crash between confirm and mark publishes again, under the same event id (the inbox absorbs it); a
queue that is full for a moment may take a later fact of a round before an earlier one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NoReturn

import amqp
from sqlalchemy import select, text

from wangge.chassis import broker, failpoints, metrics
from wangge.chassis.database import Database
from wangge.chassis.errors import Infrastructure
from wangge.chassis.faults import classify
from wangge.chassis.logging import get_logger
from wangge.chassis.tables import outbox
from wangge.contracts.envelope import CONTENT_TYPE

log = get_logger(__name__)

#: Rows of one publishing round.
ROUND = 500

#: Rows sent at once: enough to save system calls, little enough for a slow line.
GATHERED = 50

#: Seconds for one round, from the first row sent to the last confirm.
CONFIRM_SECONDS = 10.0

#: Seconds after a refusal in which the confirms of what was sent before it may still come: they wait for the disk.
REFUSED_SECONDS = 1.0

#: Any number: serialises the relays of one database.
RELAY_LOCK = 7_203_002


#: The marks of a round may be lost with the server: its facts are then published again, as after a crash before them.
_NEED_NOT_WAIT = text("SET LOCAL synchronous_commit = off")

_LOCK = text("SELECT pg_advisory_xact_lock(:key)")

_PENDING = text(
    "SELECT id, event_id, exchange, routing_key, partitionkey, type, body FROM outbox "
    "WHERE published_at IS NULL ORDER BY id LIMIT :round"
)

_MARK = text(
    "UPDATE outbox SET published_at = clock_timestamp(), is_unroutable = id = ANY(CAST(:unrouted AS bigint[])) "
    "WHERE id = ANY(:ids)"
)


class Relay:
    """Moves rows from the outbox to the broker. Not thread-safe: one owner calls `publish_pending`."""

    def __init__(self, database: Database, uris: tuple[str, ...]) -> None:
        self._database = database
        self._uris = uris
        self._login = broker.login_of(uris[0])
        self._connection: Any = None
        self._channel: Any = None
        self._attempt = 0
        self._tag = self._before_round = 0
        self._unconfirmed: set[int] = set()
        self._returned: set[str] = set()
        self._refused: set[int] = set()
        self._refused_until = float("inf")
        self.is_blocked = False
        self.trouble = ""

    def publish_pending(self) -> int:
        """Publish up to `ROUND` pending facts; answers how many. Raises `Infrastructure` when the broker is away."""
        if self._connection is None and not self._has_pending():
            return 0
        self._ensure_connected()
        with self._database.connect() as connection:
            connection.write(_NEED_NOT_WAIT)
            connection.write(_LOCK, {"key": RELAY_LOCK})
            rows = connection.execute(_PENDING, {"round": ROUND}).all()
            failure = None
            if rows:
                failpoints.reach("relay.selected")
                failure = self._publish(rows)
                failpoints.reach("relay.confirmed")
                self._mark(connection, self._confirmed(rows))
        if failure is not None:
            raise failure
        self._attempt = 0
        return len(rows)

    def idle(self) -> None:
        """Answer the broker's heartbeats while there is nothing to publish."""
        if self._connection is None:
            return
        try:
            self._drain(0.001)
            self._connection.heartbeat_tick()
        except Exception as error:
            log.info("publishing connection lost while idle", cause=str(error))
            self.disconnect()

    def disconnect(self) -> None:
        """Let go of the broker without waiting for it."""
        broker.drop(self._connection)
        self._connection = self._channel = None
        self.is_blocked = False

    def _has_pending(self) -> bool:
        with self._database.look() as connection:
            # in the order of the index of pending ones: statistics of a backlog that is gone must not bring a scan
            pending = (
                select(outbox.c.id).where(outbox.c.published_at.is_(None)).order_by(outbox.c.id).limit(1)
            )
            return connection.execute(pending).first() is not None

    def _ensure_connected(self) -> None:
        if self._connection is not None:
            return
        try:
            self._connection = broker.connect(
                self._uris, self._attempt, on_blocked=self._blocked, on_unblocked=self._unblocked
            )
            self._channel = self._connection.channel()
            self._channel.confirm_select()
            self._channel.events["basic_ack"].add(self._acked)
            self._channel.events["basic_nack"].add(self._nacked)
            self._channel.events["basic_return"].add(self._was_returned)
        except (OSError, amqp.AMQPError) as error:
            self._fail("connect", error)
        self._tag = 0

    def _publish(self, rows: Any) -> Infrastructure | None:
        """Publish and wait for the confirms; answers what went wrong, for what was confirmed before must be marked.

        Else a round that is too much for a slow line or a full queue would be published again and again, for ever.
        """
        self._before_round = self._tag
        self._unconfirmed.clear()
        self._returned.clear()
        self._refused.clear()
        self._refused_until = float("inf")
        try:
            until = time.monotonic() + CONFIRM_SECONDS
            for start in range(0, len(rows), GATHERED):
                # on a slow line, and after a refusal, the rest goes with the next round
                if time.monotonic() < until and not self._refused:
                    self._send(rows[start : start + GATHERED])
            self._await_confirms(until)
        except (OSError, amqp.AMQPError) as error:
            return self._failure("publish", error)
        except Infrastructure as failure:
            return failure
        return None

    def _send(self, rows: Any) -> None:
        with broker.gathered(self._connection):
            for row in rows:
                self._tag += 1
                self._unconfirmed.add(self._tag)
                self._channel.basic_publish(self._message(row), row.exchange, row.routing_key, mandatory=True)

    def _confirmed(self, rows: Any) -> Any:
        """The rows up to the first one without a confirm: those after it are published again, in order."""
        first_open = min(self._unconfirmed | self._refused, default=self._tag + 1)
        return rows[: first_open - self._before_round - 1]

    def _message(self, row: Any) -> amqp.Message:
        return amqp.Message(
            row.body.encode(),
            content_type=CONTENT_TYPE,
            delivery_mode=2,
            message_id=row.event_id,
            type=row.type,
            app_id=self._login,
            user_id=self._login,
            application_headers={"partitionkey": row.partitionkey},
        )

    def _await_confirms(self, until: float) -> None:
        while self._unconfirmed:
            left = min(until, self._refused_until) - time.monotonic()
            if left <= 0:
                break
            self._drain(left)
        if self._refused:
            # a leader election may refuse everything on this channel for ever: start afresh
            self._fail("nack", ConnectionError(f"the broker refused {len(self._refused)} facts"))
        if self._unconfirmed:
            self._fail("confirm", TimeoutError(f"{len(self._unconfirmed)} facts unconfirmed"))

    def _drain(self, seconds: float) -> None:
        try:
            self._connection.drain_events(timeout=seconds)
        except TimeoutError:
            return

    def _mark(self, connection: Any, rows: Any) -> None:
        if not rows:
            return
        ids = [row.id for row in rows]
        unrouted = [row.id for row in rows if row.event_id in self._returned]
        connection.write(_MARK, {"ids": ids, "unrouted": unrouted})
        metrics.published(len(ids) - len(unrouted), len(unrouted))

    def _fail(self, cause: str, error: Exception) -> NoReturn:
        raise self._failure(cause, error) from error

    def _failure(self, cause: str, error: Exception) -> Infrastructure:
        self.disconnect()
        self._attempt += 1
        metrics.PUBLISH_FAILED.labels(cause).inc()
        fault = classify(error)
        return Infrastructure(f"{cause}: {fault}")

    def _acked(self, tag: int, multiple: bool) -> None:
        if multiple:
            self._unconfirmed -= {waiting for waiting in self._unconfirmed if waiting <= tag}
        else:
            self._unconfirmed.discard(tag)

    def _nacked(self, tag: int, multiple: bool) -> None:
        # kept apart: a later confirm of all up to some number does not mean these
        if not self._refused:
            self._refused_until = time.monotonic() + REFUSED_SECONDS
        refused = {waiting for waiting in self._unconfirmed if waiting <= tag} if multiple else {tag}
        self._refused |= refused
        self._unconfirmed -= refused

    def _was_returned(self, exception: Any, exchange: str, routing_key: str, message: amqp.Message) -> None:
        self._returned.add(message.properties["message_id"])

    def _blocked(self, reason: str) -> None:
        self.is_blocked = True
        log.warning("broker blocks publishing", reason=reason)

    def _unblocked(self) -> None:
        self.is_blocked = False


def run(relay: Relay, wait: Callable[[float], None], stopping: Callable[[], bool]) -> None:
    """Publish whenever woken, and every second what a crash left; back off while the broker is away."""
    attempt = 0
    while not stopping():
        try:
            published = relay.publish_pending()
            attempt, relay.trouble = 0, ""
        except Exception as error:
            relay.trouble = str(classify(error))
            log.warning("publishing failed", cause=relay.trouble)
            published = 0
            wait(broker.backoff(attempt))
            attempt += 1
            continue
        if published < ROUND:
            relay.idle()
            wait(1.0)
