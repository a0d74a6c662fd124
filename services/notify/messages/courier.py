"""Brings queued messages to their providers: taken in one short transaction, sent outside of any, settled in another.

Guarantee: every message ends delivered or dead, also through kill -9 at any instant; at least once to its provider: a
process killed between sending and settling leaves a lease, and when that ends the message is sent again, under the same
message id. The fact `message.delivered` or `message.failed` is told once. Limit: a recipient has only so many under way
at once, so a slow one waits for itself while the others go on.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import eventlet
from eventlet import GreenPool
from eventlet.event import Event as Signal
from nameko.extensions import Entrypoint

from services.notify.contacts import store as contact_store
from services.notify.contacts.model import Channel
from services.notify.messages import model, store
from services.notify.messages.channels import Provider, failed, providers
from services.notify.messages.facts import fact_of
from services.notify.messages.handing import Nobody, Parcel, To, hand, to_of, waker
from services.notify.messages.model import Message, MessageState, Outcome
from services.notify.messages.store import Settled
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
class Ended:
    """A message after one try, not settled yet."""

    message: Message
    outcome: Outcome


class Courier:
    """Takes due messages and sends them, `deliveries` at once. A plain object: the entrypoint below drives it."""

    def __init__(self, app: App, settings: NotifySettings, by_channel: Mapping[Channel, Provider]) -> None:
        self._app = app
        self._settings = settings
        self._providers = by_channel
        self._pool = GreenPool(settings.deliveries)
        self._under_way: Counter[To] = Counter()
        self._ended: list[Ended] = []
        self._is_settling = False

    @property
    def lease(self) -> timedelta:
        """How long a message on its way is waited for."""
        return timedelta(seconds=self._settings.lease_seconds)

    def send_due(self) -> int:
        """Begin as many deliveries as there is room for, answer how many."""
        parcels = self._take()
        for parcel in parcels:
            self._under_way[to_of(parcel.message)] += 1
        self.carry(parcels)
        return len(parcels)

    def claim(self, to: To) -> bool:
        """Keep room for one message to this recipient; False where there is none."""
        has_room = self._room() > 0 and self._under_way[to] < self._settings.deliveries_each
        if has_room:
            self._under_way[to] += 1
        return has_room

    def give_up(self, to: To) -> None:
        """Give claimed room back, and let those be looked for who wait for it."""
        was_full = self._room() <= 0 or self._under_way[to] >= self._settings.deliveries_each
        self._under_way[to] -= 1
        self._under_way += Counter()  # drops those with nothing under way
        if was_full:
            waker.wake()

    def carry(self, parcels: Sequence[Parcel]) -> None:
        """Begin to carry messages for which room was claimed."""
        for parcel in parcels:
            self._pool.spawn_n(self._carry, parcel)

    def wait(self) -> None:
        """Wait for what is under way; each delivery is cut off by itself."""
        self._pool.waitall()

    def _room(self) -> int:
        return self._settings.deliveries - self._under_way.total()

    def _take(self) -> list[Parcel]:
        room = self._room()
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
            store.take(tx, sent, self.lease)
            known = contact_store.addresses_of(tx, {to_of(message) for message in sent}) if sent else {}
        return [Parcel(message, known.get(to_of(message))) for message in sent]

    def _busy(self) -> list[To]:
        return [to for to, count in self._under_way.items() if count >= self._settings.deliveries_each]

    def _choose(self, due: list[Message], room: int) -> list[Message]:
        """The longest waiting ones, without giving one recipient all the room."""
        chosen: list[Message] = []
        counts = Counter(self._under_way)
        for message in due:
            if len(chosen) < room and counts[to_of(message)] < self._settings.deliveries_each:
                counts[to_of(message)] += 1
                chosen.append(message)
        return chosen

    def _bury(self, tx: Transaction, message: Message) -> None:
        store.save(tx, message)
        tx.cause = _cause(message)
        tx.record("message.failed.v1", {**fact_of(message, tx), "reason": message.last_error})

    def _carry(self, parcel: Parcel) -> None:
        message = parcel.message
        with bound(message_id=message.message_id, correlation_id=message.correlation_id):
            try:
                outcome = self._send(parcel)
            except Exception as error:  # noqa: BLE001 (told apart by classify; unsettled, it is sent again after its lease)
                log.warning("delivery without an outcome", cause=str(classify(error)))
                self.give_up(to_of(message))
                return
        self._ended.append(Ended(message, outcome))
        self._settle_ended()

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

    def _settle_ended(self) -> None:
        """Settle what has ended; one does it for all, so that those that end meanwhile are settled together."""
        if self._is_settling:
            return
        self._is_settling = True
        try:
            while self._ended:
                ended, self._ended = self._ended, []
                try:
                    self._settle(ended)
                except Exception as error:  # noqa: BLE001 (unsettled, they are sent again after their lease)
                    log.warning("deliveries not settled", count=len(ended), cause=str(classify(error)))
                finally:
                    for each in ended:
                        self.give_up(to_of(each.message))
        finally:
            self._is_settling = False

    def _settle(self, ended: Sequence[Ended]) -> None:
        with self._app.database.begin() as tx:
            settled = [self._settled(tx, each) for each in ended]
            kept = store.settle(tx, settled)
            for each in settled:
                if each.message.message_id in kept:
                    self._tell(tx, each)
        for each in settled:
            self._log(each, each.message.message_id in kept)

    @staticmethod
    def _settled(tx: Transaction, each: Ended) -> Settled:
        message, outcome = each.message, each.outcome
        if outcome.is_delivered:
            return Settled(model.arrive(message, tx.now), outcome.detail)
        site = site_store.of_site(tx, message.site)
        delay = timedelta(seconds=site.retries.delay_seconds(message.attempts, random.random()))  # noqa: S311 (spreads load)
        not_before = model.earliest(site, message.channel, message.is_urgent, tx.now)
        after = model.settle(message, outcome, site.retries, not_before, tx.now)
        return Settled(after, outcome.detail, delay)

    @staticmethod
    def _tell(tx: Transaction, settled: Settled) -> None:
        after = settled.message
        tx.cause = _cause(after)
        if after.state is MessageState.DELIVERED:
            tx.record("message.delivered.v1", fact_of(after, tx))
        elif after.state is MessageState.DEAD:
            tx.record("message.failed.v1", {**fact_of(after, tx), "reason": settled.detail})

    @staticmethod
    def _log(settled: Settled, is_kept: bool) -> None:
        message = settled.message
        with bound(message_id=message.message_id, correlation_id=message.correlation_id):
            if not is_kept:
                log.info("delivery outlived its lease")
                return
            log.info(
                "delivery ended",
                channel=message.channel,
                state=message.state,
                attempt=message.attempts,
                why=settled.detail,
            )


class CourierRound(Entrypoint):  # type: ignore[misc]
    """Drives the process's courier through the method it decorates: `(self, courier) -> int` begins deliveries.

    On stop, nothing new is begun, and what is under way is finished.
    """

    def __init__(self, **kwargs: Any) -> None:
        self._stopping = False
        self._waker = waker
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
        hand.courier = self._courier
        self.container.app.clock_moved.append(self._waker.wake)
        self._thread = self.container.spawn_managed_thread(self._run, identifier="courier")

    def stop(self) -> None:
        """Begin nothing more, finish what is under way."""
        self._stopping = True
        hand.courier = Nobody()
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

        self.container.spawn_worker(self, (self._courier,), {}, handle_result=finished)
        begun, failure = outcome.wait()
        if failure:
            log.warning("due messages could not be taken", cause=str(classify(failure[1])))
            self._waker.sleep(AWAY_SECONDS)
        return begun or 0


def deliver(method: Callable[..., int]) -> Callable[..., int]:
    """Make a service method `(self, courier) -> int` begin the due deliveries; see `CourierRound`."""
    entry: Callable[..., int] = CourierRound.decorator(method)
    return entry


def _cause(message: Message) -> Cause:
    return Cause(message.correlation_id, message.event_id)
