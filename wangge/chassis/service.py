"""The base of every service class, and the decorators with which nouns open their doors.

`@on(type)` handles an event, `@every(seconds)` sweeps, `@route` (wangge.chassis.http) answers HTTP. A service assembles
its nouns: `class Dispatch(CaseEntrypoints, Service): name = "dispatch"`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ClassVar, TypeVar

import eventlet
from eventlet.event import Event as Signal
from nameko.extensions import DependencyProvider, Entrypoint

from wangge.chassis import backlog, metrics, relay
from wangge.chassis.app import App
from wangge.chassis.cell_entrypoints import CellEntrypoints
from wangge.chassis.consumer import consume
from wangge.chassis.delivery import Delivery
from wangge.chassis.errors import Infrastructure, Permanent
from wangge.chassis.faults import classify
from wangge.chassis.health import HealthServer
from wangge.chassis.held_entrypoints import HeldEntrypoints
from wangge.chassis.inbox import Handler, Handlers
from wangge.chassis.logging import get_logger
from wangge.chassis.openapi_entrypoints import OpenApiEntrypoints
from wangge.chassis.relay import Relay
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event

log = get_logger(__name__)

Method = TypeVar("Method", bound=Callable[..., Any])

#: Seconds between looks for held events that are due.
HELD_SECONDS = 0.5

#: Seconds between looks for a hand-over of areas that has a step to take.
HAND_OVER_SECONDS = 1.0

#: Seconds between purges of what is past its keeping time.
PURGE_SECONDS = 3600.0


def on(event_type: str) -> Callable[[Method], Method]:
    """Make a service method `(self, tx, event)` handle events of `event_type` (`case.closed.v1`).

    It runs in the transaction that marks the message as processed; it may run more often than it takes effect, so
    anything outside the database must bear repetition.
    """

    def decorate(method: Method) -> Method:
        method.__wangge_event__ = event_type  # type: ignore[attr-defined]
        return method

    return decorate


class Waker:
    """Lets a loop sleep until it is woken or time is up."""

    def __init__(self) -> None:
        self._signal = Signal()

    def wake(self) -> None:
        """End the present or the next sleep."""
        if not self._signal.ready():
            self._signal.send(None)

    def sleep(self, seconds: float) -> None:
        """Sleep until woken, at most `seconds`."""
        with eventlet.Timeout(seconds, False):
            self._signal.wait()
        if self._signal.ready():
            self._signal = Signal()


class Every(Entrypoint):  # type: ignore[misc]
    """Runs a method `(self, tx) -> int` every `seconds`, and at once while it answers that it did something.

    The method works a bounded portion and answers its size; a fault is logged and the next turn tries again.
    A moved clock makes it look at once.
    """

    def __init__(self, seconds: float, **kwargs: Any) -> None:
        self.seconds = seconds
        self._stopping = False
        self._waker = Waker()
        self._thread: Any = None
        super().__init__(**kwargs)

    def start(self) -> None:
        """Begin sweeping."""
        self.container.app.clock_moved.append(self._waker.wake)
        self._thread = self.container.spawn_managed_thread(self._run, identifier=f"every:{self.method_name}")

    def stop(self) -> None:
        """Finish the present turn and stop."""
        self._stopping = True
        self._waker.wake()
        self._thread.wait()

    def _run(self) -> None:
        while not self._stopping:
            if not self._turn():
                self._waker.sleep(self.seconds)

    def _turn(self) -> int:
        outcome = Signal()

        def finished(context: Any, result: Any, exc_info: Any) -> Any:
            outcome.send((result, exc_info))
            return result, None

        self.container.spawn_worker(self, (), {}, handle_result=finished)
        result, failure = outcome.wait()
        if failure:
            log.warning("sweep failed", sweep=self.method_name, cause=str(classify(failure[1])))
            return 0
        metrics.SWEPT.labels(self.method_name).set_to_current_time()
        return int(result or 0)


def every(seconds: float, *, transaction: bool = True) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Make a service method `(self, tx) -> int` a sweep; see `Every`.

    With `transaction=False` the method is `(self) -> int` and opens its own short transactions, for work that waits
    on the world outside.
    """

    def decorate(method: Callable[..., int]) -> Callable[..., int]:
        @wraps(method)
        def swept(self: Any) -> int:
            if not transaction:
                return method(self)
            with self.app.database.begin() as tx:
                return method(self, tx)

        entry: Callable[..., int] = Every.decorator(seconds)(swept)
        return entry

    return decorate


class AppProvider(DependencyProvider):  # type: ignore[misc]
    """Hands the process's `App` to the service, and runs what belongs to the process: relay, held events, health."""

    def start(self) -> None:
        """Start the loops of this process."""
        app: App = self.container.app
        self._stopping = False
        self._relay_waker = Waker()
        app.relay = Relay(app.database, app.settings.amqp_uris)
        app.database.on_recorded(self._relay_waker.wake)
        self._health = HealthServer(app)
        self._health.start()
        self._relay_thread = eventlet.spawn(
            relay.run, app.relay, self._relay_waker.sleep, lambda: self._stopping
        )
        self._held_thread = eventlet.spawn(self._work_held, app)
        self._backlog_thread = eventlet.spawn(self._watch_backlog, app)

    def stop(self) -> None:
        """Publish what the last handlers recorded, then stop."""
        self._stopping = True
        self._held_thread.kill()
        self._backlog_thread.kill()
        self._relay_waker.wake()
        with eventlet.Timeout(10, False):
            self._relay_thread.wait()
        self._publish_rest()
        self._health.stop()
        self.container.app.close()

    def get_dependency(self, worker_ctx: Any) -> App:
        """The process's app."""
        app: App = self.container.app
        return app

    def _publish_rest(self) -> None:
        app: App = self.container.app
        try:
            while app.relay.publish_pending():
                pass
        except Exception as error:
            log.warning("facts are left for the next start", cause=str(classify(error)))
        app.relay.disconnect()

    def _work_held(self, app: App) -> None:
        while not self._stopping:
            try:
                worked = app.retrying.work(app.handlers)
            except Infrastructure as away:
                log.info("held events wait", cause=str(away))
                worked = 0
            except Exception as error:
                log.error("held events could not be worked", cause=str(classify(error)))
                worked = 0
            if not worked:
                eventlet.sleep(HELD_SECONDS)

    def _watch_backlog(self, app: App) -> None:
        while not self._stopping:
            app.backlog.measure()
            eventlet.sleep(backlog.MEASURE_SECONDS)


class Service(HeldEntrypoints, CellEntrypoints, OpenApiEntrypoints):
    """What every service is: an app, a consumer of its inbox, an operator's doors, its own API page."""

    name: str
    uses_redis: ClassVar[bool] = False
    """Whether it keeps anything in Redis; then its health tells whether Redis answers."""
    app: Any = AppProvider()

    @consume  # type: ignore[untyped-decorator]
    def consume_batch(self, batch: list[Delivery]) -> None:
        """Settle a batch from one lane; a mark passes once everything before it is settled."""
        events, marks = self.app.transit.sort(batch)
        self.app.inbox.process(self.admitted(events), self.app.handlers)
        if marks:
            with self.app.database.begin() as tx:
                self.app.transit.passed(tx, marks)

    @every(HAND_OVER_SECONDS, transaction=False)
    def hand_over_areas(self) -> int:
        """Take the next step of each hand-over of areas between cells."""
        return int(self.app.hand_over.advance())

    @every(PURGE_SECONDS)
    def purge(self, tx: Transaction) -> int:
        """Remove a portion of what is past its keeping time."""
        return int(self.app.purge(tx))

    def admitted(self, batch: list[Delivery]) -> list[Delivery]:
        """Called with every batch before it is read: a service may settle some of it at once, and answers the rest.

        It raises `Infrastructure` only, and then has settled nothing that may not be settled again.
        """
        return batch

    def prepare(self, tx: Transaction, events: Sequence[Event]) -> None:
        """Called with the events of a batch before the first is handled: a service may read for all of them at once."""

    def quarantined(self, tx: Transaction, delivery: Delivery, fault: Permanent) -> None:
        """Called when a message is put into quarantine; a service may answer its sender."""

    def repeated(self, tx: Transaction, event: Event) -> None:
        """Called when a sender sent a message again; a service may answer again."""

    def dropped(self, tx: Transaction, delivery: Delivery, reason: str) -> None:
        """Called when an operator gives a quarantined message up; a service may answer its sender."""


def handlers_of(service: Service) -> Handlers:
    """The event handlers of a service instance.

    Where several nouns handle one type, all run in the one transaction of the message, in the order of their method
    names: they succeed together or are tried again together.
    """
    by_type: dict[str, list[Handler]] = {}
    for name in dir(type(service)):
        event_type = getattr(getattr(type(service), name, None), "__wangge_event__", None)
        if event_type:
            by_type.setdefault(event_type, []).append(getattr(service, name))
    in_turn = {event_type: _in_turn(handlers) for event_type, handlers in by_type.items()}
    return Handlers(in_turn, service.quarantined, service.repeated, service.prepare)


def _in_turn(handlers: list[Handler]) -> Handler:
    def handle(tx: Transaction, event: Event) -> None:
        for handler in handlers:
            handler(tx, event)

    return handlers[0] if len(handlers) == 1 else handle
