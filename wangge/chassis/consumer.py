"""The entrypoint through which a nameko service takes messages: by queue, in batches, drained on stop.

Each queue of the cell is a lane: one batch in flight at a time, so the order of a partition key is kept. While a batch
runs, the next one gathers; an idle process starts at once (wangge.chassis.patience). One greenlet alone writes to the connection.

Guarantee: a message is acknowledged only after `Inbox.process` has settled it; on stop, what was begun is finished and
acknowledged, what was not is given back. Limit: a connection lost in between redelivers settled messages, which the
inbox absorbs.

A message that kills the process is delivered again and again, and so is whatever else was in the process's hands. So
that the broker gives up the culprit alone, a lane takes one message at a time after each connecting until one proved
harmless, and suspects of all lanes run one at a time, in a chance order: whoever runs before the culprit is let off.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from time import monotonic
from typing import Any

import amqp
import eventlet
from eventlet.event import Event as Signal
from eventlet.semaphore import Semaphore
from nameko.extensions import Entrypoint

from wangge.chassis import broker, failpoints, metrics
from wangge.chassis.delivery import Delivery
from wangge.chassis.faults import classify
from wangge.chassis.logging import get_logger
from wangge.chassis.patience import ENOUGH, Patience
from wangge.chassis.topology import Topology

log = get_logger(__name__)

#: Seconds the reader waits for the broker before it sends what is to be acknowledged.
READ_SECONDS = 0.02

#: Seconds a stopping consumer waits for what was begun.
DRAIN_SECONDS = 25

#: Seconds between probes of a database that is away.
PROBE_SECONDS = 0.5

#: Seconds within which suspects of different lanes draw lots for their turn.
LOTS_SECONDS = 0.2


class Lane:
    """One queue: what was delivered and not begun, and what is to be acknowledged."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.channel: Any = None
        self.generation = 0
        self.waiting: deque[Delivery] = deque()
        self.settled_tag = 0
        self.acknowledged_tag = 0
        self.in_flight = 0
        self.is_wary = True
        self.was_harmless = False
        self._arrived = Signal()
        self._enough = Signal()

    def opened(self, channel: Any) -> None:
        """A new channel, one message at a time: what an older one delivered will be delivered again."""
        self.channel = channel
        self.generation += 1
        self.is_wary = True
        self.waiting.clear()
        self.settled_tag = self.acknowledged_tag = 0

    def receive(self, message: amqp.Message) -> None:
        """Called by the reader for each message."""
        self.waiting.append(_delivery(message, self.generation))
        if not self._arrived.ready():
            self._arrived.send(None)
        if len(self.waiting) >= ENOUGH and not self._enough.ready():
            self._enough.send(None)

    def take(self, most: int, patience: Callable[[], float] = lambda: 0.0) -> list[Delivery]:
        """Wait for messages, with `patience` seconds for more of them, take up to `most`; a suspect is taken alone."""
        self._await_first()
        if len(self.waiting) < ENOUGH and not self.is_wary and (seconds := patience()):
            self._enough = Signal()
            with eventlet.Timeout(seconds, False):
                self._enough.wait()
            self._await_first()  # a new channel may have taken them away
        batch = [self.waiting.popleft()]
        while (
            not batch[0].is_suspect and self.waiting and len(batch) < most and not self.waiting[0].is_suspect
        ):
            batch.append(self.waiting.popleft())
        self.in_flight = len(batch)
        return batch

    def _await_first(self) -> None:
        while not self.waiting:
            self._arrived = Signal()
            self._arrived.wait()

    def settled(self, batch: list[Delivery]) -> None:
        """The batch is in the database: acknowledge it, unless its channel is gone."""
        self.in_flight = 0
        if batch[-1].generation == self.generation:
            self.settled_tag = batch[-1].tag
            self.was_harmless = not batch[-1].is_suspect

    def consume(self, prefetch: int) -> None:
        """Called by the reader alone: have up to `prefetch` messages delivered ahead."""
        self.channel.basic_qos(0, prefetch, False)
        self.channel.basic_consume(self.queue, callback=self.receive)

    def trust(self, prefetch: int) -> None:
        """Called by the reader alone: once the one message proved harmless, have more delivered ahead.

        The consumer is cancelled while that message is not acknowledged, so nothing else is in our hands: a replica
        that takes over then takes over in order.
        """
        if self.is_wary and self.was_harmless and self.settled_tag > self.acknowledged_tag:
            for tag in list(self.channel.callbacks):
                self.channel.basic_cancel(tag)
            self.is_wary = False
            self.acknowledge()
            self.consume(prefetch)

    def acknowledge(self) -> None:
        """Called by the reader alone: acknowledge all that was settled."""
        if self.channel is not None and self.settled_tag > self.acknowledged_tag:
            self.channel.basic_ack(self.settled_tag, multiple=True)
            self.acknowledged_tag = self.settled_tag
            failpoints.reach("consumer.acknowledged")


class Consumer(Entrypoint):  # type: ignore[misc]
    """Feeds batches of one cell to the service method it decorates: `consume(self, batch)`.

    The method must settle the whole batch or raise `Infrastructure`; then the same batch is given again once the
    database answers.
    """

    def __init__(self, **kwargs: Any) -> None:
        self._connection: Any = None
        self._attempt = 0
        self._stopping: Any = False
        self._reader: Any = None
        self._lanes: list[Lane] = []
        self._workers: list[Any] = []
        self._suspects = Semaphore()
        self._patience = Patience()
        self.ticked_at = monotonic()
        self.trouble = "not connected yet"
        super().__init__(**kwargs)

    def setup(self) -> None:
        """Know the lanes of this process's cell."""
        settings = self.container.app.settings
        topology = Topology(settings.service, settings.cell, settings.lanes)
        self._lanes = [Lane(queue) for queue in topology.queues]
        self._dead = Lane(topology.dead)
        self.container.app.consumer = self

    def start(self) -> None:
        """Read from the broker and work the lanes."""
        self._reader = self.container.spawn_managed_thread(self._read, identifier="consumer")
        for lane in [*self._lanes, self._dead]:
            thread = self.container.spawn_managed_thread(
                lambda lane=lane: self._work(lane), identifier=lane.queue
            )
            self._workers.append(thread)

    def stop(self) -> None:
        """Give back what was not begun, finish and acknowledge what was."""
        self._stopping = True
        with eventlet.Timeout(DRAIN_SECONDS + 5, False):
            self._reader.wait()
        for worker in self._workers:
            worker.kill()
        metrics.CONSUMING.set(0)

    def kill(self) -> None:
        """The container dies: let go of the broker, it will deliver again."""
        self._stopping = True
        broker.drop(self._connection)

    @property
    def is_consuming(self) -> bool:
        """Whether this process is connected and takes messages."""
        return self._connection is not None and not self._stopping

    # the reader: the only greenlet that touches the connection

    def _read(self) -> None:
        while not self._stopping:
            try:
                self._connect()
                while not self._stopping:
                    self._turn(READ_SECONDS)
                self._drain()
            except (OSError, amqp.AMQPError) as error:
                self.trouble = str(classify(error))
                log.warning("consuming interrupted", cause=self.trouble)
                broker.drop(self._connection)
                self._connection = None
                metrics.CONSUMING.set(0)
                self._attempt += 1
                eventlet.sleep(broker.backoff(self._attempt))
        broker.drop(self._connection)
        self._connection = None

    def _connect(self) -> None:
        app = self.container.app
        self._connection = broker.connect(
            app.settings.amqp_uris, self._attempt, app.settings.heartbeat_seconds
        )
        for lane in [*self._lanes, self._dead]:
            channel = self._connection.channel()
            channel.auto_decode = False
            lane.opened(channel)
            lane.consume(1)
        self._attempt = 0
        metrics.CONSUMING.set(1)
        log.info("consuming", queues=[lane.queue for lane in self._lanes])

    def _turn(self, seconds: float) -> None:
        self.ticked_at = monotonic()
        try:
            self._connection.drain_events(timeout=seconds)
        except TimeoutError:
            self._connection.heartbeat_tick()
        for lane in [*self._lanes, self._dead]:
            lane.trust(2 * self.container.app.settings.batch_size)
            lane.acknowledge()

    def _drain(self) -> None:
        # not cancelled: a replica would be given later messages while these are still in our hands
        lanes = [*self._lanes, self._dead]
        until = monotonic() + DRAIN_SECONDS
        while any(lane.in_flight for lane in lanes) and monotonic() < until:
            eventlet.sleep(0.01)
        for lane in lanes:
            lane.acknowledge()
        # closing the channels gives back whatever was not begun
        self._connection.close()
        log.info("consumer drained")

    # the lanes

    def _work(self, lane: Lane) -> None:
        while True:
            batch = lane.take(self.container.app.settings.batch_size, self._seconds_for_more)
            if self._stopping:
                lane.in_flight = 0
                return
            with self._alone() if batch[0].is_suspect else nullcontext():
                is_settled = self._settle(lane, batch)
            if is_settled:
                lane.settled(batch)
            else:
                lane.in_flight = 0

    def _seconds_for_more(self) -> float:
        return self._patience.seconds(others_work=any(lane.in_flight for lane in self._lanes))

    def _settle(self, lane: Lane, batch: list[Delivery]) -> bool:
        """Run the batch until it is settled; False when the process stops while the database is away."""
        run = self._quarantine if lane is self._dead else self._run
        while not (is_settled := run(batch)) and not self._stopping:
            self._await_database()
            batch = [delivery.again() for delivery in batch]
        return is_settled

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only suspect that runs."""
        eventlet.sleep(random.uniform(0, LOTS_SECONDS))  # noqa: S311 (draws lots, guards nothing)
        with self._suspects:
            yield

    def _run(self, batch: list[Delivery]) -> bool:
        """Run the service method in a nameko worker; False when the database is away."""
        outcome = Signal()

        def finished(context: Any, result: Any, exc_info: Any) -> Any:
            outcome.send(exc_info)
            return result, None

        self.container.spawn_worker(self, (batch,), {}, handle_result=finished)
        failure = outcome.wait()
        return failure is None or _waits(failure[1])

    def _quarantine(self, batch: list[Delivery]) -> bool:
        """Hold messages that were delivered too often; False when the database is away."""
        try:
            self.container.app.quarantine_dead(batch)
        except Exception as error:
            return _waits(error)
        return True

    def _await_database(self) -> None:
        while not self._stopping:
            eventlet.sleep(PROBE_SECONDS)
            try:
                self.container.app.database.ping()
            except Exception as error:
                log.info("database still away", cause=str(classify(error)))
            else:
                return


consume = Consumer.decorator


def _waits(error: BaseException) -> bool:
    """Log why a batch must wait; always False, since only an away database leaves a batch unsettled."""
    log.warning("batch waits for the database", cause=str(classify(error)))
    return False


def _delivery(message: amqp.Message, generation: int) -> Delivery:
    info = message.delivery_info
    properties = message.properties
    headers = properties.get("application_headers") or {}
    body = message.body
    return Delivery(
        body=body.encode() if isinstance(body, str) else bytes(body),
        exchange=info["exchange"],
        routing_key=info["routing_key"],
        message_id=str(properties.get("message_id") or ""),
        login=str(properties.get("user_id") or ""),
        redelivered=bool(info["redelivered"]),
        delivery_count=int(headers.get("x-delivery-count", 0)),
        headers=headers,
        tag=info["delivery_tag"],
        generation=generation,
    )
