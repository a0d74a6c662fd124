"""Lets the messages of a batch in as far as their senders' quota and pace go; answers the others at once, in bulk.

A refused message costs no report work: it is not read by its contract, marked or kept; one transaction writes the
receipts of all of them. Guarantee: every message that is not let in has its receipt before it is acknowledged. Limit:
a change of limits is seen one batch later; a message that was refused just before a crash comes again and may then be taken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.intake.directory import DirectoryCache
from services.intake.publishers import quota
from services.intake.publishers.model import (
    QUOTA_EXCEEDED,
    Limits,
    Over,
    Publishers,
    answer_to,
    day_of,
    over_quota,
)
from services.intake.publishers.pace import Pace
from services.intake.receipts import store
from services.intake.receipts.model import Receipt, again, refused
from services.intake.receipts.quarantine import INCIDENTS, LOGIN_CHARACTERS, REPORTED
from services.intake.receipts.telling import tell
from wangge.chassis import metrics
from wangge.chassis.app import App
from wangge.chassis.claims import claim_of
from wangge.chassis.delivery import Delivery
from wangge.chassis.errors import Infrastructure
from wangge.chassis.faults import classify
from wangge.chassis.logging import get_logger
from wangge.chassis.transaction import Transaction

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outside:
    """A message beyond its sender's limits."""

    delivery: Delivery
    login: str
    over: Over


@dataclass(frozen=True, slots=True)
class Gate:
    """The way from the queue to the inbox."""

    app: App
    directory: DirectoryCache
    pace: Pace

    def admitted(self, batch: list[Delivery]) -> list[Delivery]:
        """Those that are let in, in their order. Raises `Infrastructure` when the database is away.

        A fault of the gate itself lets all of them in: the day's quota is kept once more where they are taken.
        """
        try:
            outside = self._outside(batch)
            let_in = self._answer(outside) if outside else []
        except Exception as error:
            fault = classify(error)
            if isinstance(fault, Infrastructure):
                raise fault from error
            log.exception("the gate failed, the batch is let in")
            return batch
        answered = {id(one.delivery) for one in outside} - {id(delivery) for delivery in let_in}
        return [delivery for delivery in batch if id(delivery) not in answered]

    def _outside(self, batch: Sequence[Delivery]) -> list[Outside]:
        directory = self.directory.latest
        if directory is None:
            return []
        return [
            one
            for login, deliveries in _by_sender(batch, directory.publishers).items()
            for one in self._beyond(login, directory.publishers.limits_of(login), deliveries)
        ]

    def _beyond(self, login: str, limits: Limits, deliveries: Sequence[Delivery]) -> list[Outside]:
        now = self.app.clock.now()
        room = len(deliveries)
        if limits.quota_per_day is not None:
            room = min(room, max(0, limits.quota_per_day - quota.seen(login, day_of(now))))
        admitted, too_fast = self.pace.over(self.app.redis, login, limits, room)
        found = [Outside(delivery, login, too_fast) for delivery in deliveries[admitted:room] if too_fast]
        if room < len(deliveries):
            used_up = over_quota(limits.quota_per_day or 0, now)
            found += [Outside(delivery, login, used_up) for delivery in deliveries[room:]]
        return found

    def _answer(self, outside: Sequence[Outside]) -> list[Delivery]:
        """Answer the messages; gives back those for which there is room after all."""
        with self.app.database.begin() as tx:
            let_in, beyond = _with_room(tx, outside)
            claims = [(one.login, claim_of(one.delivery).message_id) for one in beyond]
            known = store.find_many(tx, claims)
            new = []
            for one, key in zip(beyond, claims, strict=True):
                receipt = known.get(key)
                if receipt and receipt.is_kept:
                    store.repeat(tx, receipt)
                    tell(tx, again(receipt))
                else:
                    new.append(_refusal(one, key[1]))
            if new:
                store.put(tx, *new)
            for receipt in new:
                tell(tx, receipt)
        metrics.EVENTS.labels(REPORTED, "not_admitted").inc(len(beyond))
        log.info("messages beyond their sender's limits", refused=len(new), repeated=len(beyond) - len(new))
        return let_in


def _by_sender(batch: Sequence[Delivery], known: Publishers) -> Mapping[str, list[Delivery]]:
    """The incidents that came for the first time, by the login that is answered; what comes again was let in before."""
    found: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in batch:
        if delivery.exchange == INCIDENTS and not delivery.redelivered:
            source = "" if delivery.login else claim_of(delivery).source
            found[answer_to(delivery.login, source, known)[:LOGIN_CHARACTERS]].append(delivery)
    return found


def _with_room(tx: Transaction, outside: Sequence[Outside]) -> tuple[list[Delivery], list[Outside]]:
    """What the day's quota leaves room for, by what is committed now: another process may have seen it otherwise."""
    logins = {one.login for one in outside if one.over.code == QUOTA_EXCEEDED}
    taken = quota.taken(tx, logins, day_of(tx.now)) if logins else {}
    let_in, beyond = [], []
    for one in outside:
        if (
            one.login in logins
            and one.over.code == QUOTA_EXCEEDED
            and taken.get(one.login, 0) < one.over.most
        ):
            taken[one.login] = taken.get(one.login, 0) + 1
            let_in.append(one.delivery)
        else:
            beyond.append(one)
    return let_in, beyond


def _refusal(one: Outside, message_id: str) -> Receipt:
    return refused(one.login, message_id, one.over.code, one.over.message, one.over.retry_at)
