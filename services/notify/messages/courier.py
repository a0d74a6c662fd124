"""Brings queued messages to their providers: taken in one short transaction, sent outside of any, settled in another.

Guarantee: every message ends delivered or dead, also through kill -9 at any instant; at least once to its provider: a
process killed between sending and settling leaves a lease, and when that ends the message is sent again, under the same
message id. The fact `message.delivered` or `message.failed` is told once. Limit: a recipient has only so many under way
at once, so a slow one waits for itself while the others go on.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import eventlet
from eventlet import GreenPool
from eventlet.event import Event as Signal
from nameko.extensions import Entrypoint

from services.notify.contacts import store as contact_store
from services.notify.contacts.model import Address, Channel
from services.notify.messages import model, store, waking
from services.notify.messages.channels import Provider, failed, providers
from services.notify.messages.model import Message, MessageState, Outcome
from services.notify.messages.planning import fact_of
from services.notify.settings import NotifySettings
from services.notify.sites import store as site_store
from wangge.chassis.app import App
from wangge.chassis.faults import classify
from wangge.chassis.logging import bound, get_logger
from wangge.chassis.transaction import Cause, Transaction

log = get_logger(__name__)

#: Seconds to leave a database alone that did not answer.
AWAY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message on its way with the address it goes to; none where the recipient has none any more."""

    message: Message
    address: Address | None


class Courier:
    """Takes due messages and sends them, `deliveries` at once. A plain object: the entrypoint below drives it."""

    def __init__(self, app: App, settings: NotifySettings, by_channel: Mapping[Channel, Provider]) -> None:
        self._app = app
        self._settings = settings
        self._providers = by_channel
        self._pool = GreenPool(settings.deliveries)
        self._under_way: Counter[tuple[str, Channel]] = Counter()

    def send_due(self, wake: Callable[[], None]) -> int:
        """Begin as many deliveries as there is room for, answer how many; `wake` is called as each one ends."""
        parcels = self._take()
        for parcel in parcels:
            self._under_way[_to(parcel.message)] += 1
            self._pool.spawn_n(self._carry, parcel, wake)
        return len(parcels)

    def wait(self) -> None:
        """Wait for what is under way; each delivery is cut off by itself."""
        self._pool.waitall()

    def _take(self) -> list[Parcel]:
        room = self._pool.free()
        if room <= 0:
            return []
        with self._app.database.begin() as tx:
            chosen = self._choose(store.due(tx, self._busy()), room)
            sites = {site: site_store.of_site(tx, site) for site in {message.site for message in chosen}}
            sent = []
            for message in chosen:
                taken = model.send(message, sites[message.site].retries.tries)
                if taken.state is MessageState.DEAD:
                    self._bury(tx, taken)
                else:
                    sent.append(taken)
            store.take(tx, sent, timedelta(seconds=self._settings.lease_seconds))
            known = contact_store.addresses_of(tx, {_to(message) for message in sent}) if sent else {}
        return [Parcel(message, known.get(_to(message))) for message in sent]

    def _busy(self) -> list[tuple[str, Channel]]:
        return [to for to, count in self._under_way.items() if count >= self._settings.deliveries_each]

    def _choose(self, due: list[Message], room: int) -> list[Message]:
        """The longest waiting ones, without giving one recipient all the room."""
        chosen: list[Message] = []
        counts = Counter(self._under_way)
        for message in due:
            if len(chosen) < room and counts[_to(message)] < self._settings.deliveries_each:
                counts[_to(message)] += 1
                chosen.append(message)
        return chosen

    def _bury(self, tx: Transaction, message: Message) -> None:
        store.save(tx, message)
        tx.cause = _cause(message)
        tx.record("message.failed.v1", {**fact_of(message, tx), "reason": message.last_error})

    def _carry(self, parcel: Parcel, wake: Callable[[], None]) -> None:
        message = parcel.message
        with bound(message_id=message.message_id, correlation_id=message.correlation_id):
            try:
                self._settle(message, self._send(parcel))
            except Exception as error:  # noqa: BLE001 (told apart by classify; unsettled, it is sent again after its lease)
                log.warning("delivery not settled", cause=str(classify(error)))
            finally:
                self._under_way[_to(message)] -= 1
                self._under_way += Counter()  # drops those with nothing under way
                wake()

    def _send(self, parcel: Parcel) -> Outcome:
        if parcel.address is None:
            return failed("the recipient has no such address any more", is_permanent=True)
        cut_off = eventlet.Timeout(self._settings.cut_off_seconds)
        try:
            return self._providers[parcel.message.channel].send(parcel.message, parcel.address)
        except eventlet.Timeout as over:
            if over is not cut_off:
                raise
            return failed(f"not done within {self._settings.cut_off_seconds:g} s")
        finally:
            cut_off.cancel()

    def _settle(self, message: Message, outcome: Outcome) -> None:
        with self._app.database.begin(_cause(message)) as tx:
            site = site_store.of_site(tx, message.site)
            delay = timedelta(seconds=site.retries.delay_seconds(message.attempts, random.random()))  # noqa: S311 (spreads load)
            not_before = model.earliest(site, message.channel, message.is_urgent, tx.now)
            after = model.settle(message, outcome, site.retries, not_before, tx.now)
            if not store.settle(tx, after, outcome.detail, delay):
                log.info("delivery outlived its lease")
                return
            if after.state is MessageState.DELIVERED:
                tx.record("message.delivered.v1", fact_of(after, tx))
            elif after.state is MessageState.DEAD:
                tx.record("message.failed.v1", {**fact_of(after, tx), "reason": outcome.detail})
        log.info(
            "delivery ended",
            channel=message.channel,
            state=after.state,
            attempt=message.attempts,
            why=outcome.detail,
        )


class CourierRound(Entrypoint):  # type: ignore[misc]
    """Drives the process's courier through the method it decorates: `(self, courier, wake) -> int` begins deliveries.

    On stop, nothing new is begun, and what is under way is finished.
    """

    def __init__(self, **kwargs: Any) -> None:
        self._stopping = False
        self._waker = waking.courier
        self._thread: Any = None
        self._courier: Any = None
        self._look_seconds = 0.0
        super().__init__(**kwargs)

    def setup(self) -> None:
        """Make the courier."""
        settings = NotifySettings.from_environment()
        self._courier = Courier(self.container.app, settings, providers(settings))
        self._look_seconds = settings.look_seconds

    def start(self) -> None:
        """Begin looking for due messages."""
        self.container.app.clock_moved.append(self._waker.wake)
        self._thread = self.container.spawn_managed_thread(self._run, identifier="courier")

    def stop(self) -> None:
        """Begin nothing more, finish what is under way."""
        self._stopping = True
        self._waker.wake()
        self._thread.wait()
        self._courier.wait()

    def _run(self) -> None:
        while not self._stopping:
            if not self._turn():
                self._waker.sleep(self._look_seconds)

    def _turn(self) -> int:
        outcome = Signal()

        def finished(_context: Any, result: Any, exc_info: Any) -> Any:
            outcome.send((result, exc_info))
            return result, None

        self.container.spawn_worker(self, (self._courier, self._waker.wake), {}, handle_result=finished)
        begun, failure = outcome.wait()
        if failure:
            log.warning("due messages could not be taken", cause=str(classify(failure[1])))
            self._waker.sleep(AWAY_SECONDS)
        return begun or 0


def deliver(method: Callable[..., int]) -> Callable[..., int]:
    """Make a service method `(self, courier, wake) -> int` begin the due deliveries; see `CourierRound`."""
    entry: Callable[..., int] = CourierRound.decorator(method)
    return entry


def _to(message: Message) -> tuple[str, Channel]:
    return (message.recipient, message.channel)


def _cause(message: Message) -> Cause:
    return Cause(message.correlation_id, message.event_id)
