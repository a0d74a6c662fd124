"""Gathers the messages of one transaction, writes them at its end in one go, and hands over what may go at once.

Guarantee: one message for an event, a recipient and a channel, however often it is gathered; each fact is told under its
own event's cause.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from weakref import WeakKeyDictionary

from services.notify.contacts import store as contacts
from services.notify.messages import model, store
from services.notify.messages.facts import fact_of
from services.notify.messages.handing import Carrier, Parcel, hand, to_of, waker
from services.notify.messages.model import Message, MessageState
from services.notify.sites.model import Retries
from wangge.chassis.transaction import Cause, Transaction


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to be written, how often it may be tried, and why there is one."""

    message: Message
    retries: Retries
    cause: Cause


def write(tx: Transaction, messages: Collection[Message], retries: Retries) -> None:
    """Write these at the end of the transaction, unless they are there; `retries` are those of their site."""
    if tx not in _letters:
        _letters[tx] = []
        tx.before_commit(lambda: _write(tx, _letters.pop(tx)))
    _letters[tx] += [Letter(message, retries, tx.cause) for message in messages]


_letters: WeakKeyDictionary[Transaction, list[Letter]] = WeakKeyDictionary()


def _write(tx: Transaction, letters: Collection[Letter]) -> None:
    last_cause = tx.cause
    claims = Claims(hand.courier)
    tx.after_rollback(claims.give_up)
    written = [_on_its_way(tx, letter, claims) for letter in letters]
    new = store.add(tx, written, claims.courier.lease)
    claims.give_up_all_but(new)
    for letter, message in zip(letters, written, strict=True):
        if message.state is MessageState.DELIVERED and message.message_id in new:
            tx.cause = letter.cause
            tx.record("message.delivered.v1", fact_of(message, tx))
    tx.cause = last_cause
    _hand_over(tx, claims)
    if any(message.state is MessageState.QUEUED for message in written):
        tx.after_commit(waker.wake)


def _on_its_way(tx: Transaction, letter: Letter, claims: Claims) -> Message:
    """The message as it is written: on its way, where it may go now and there is room for it."""
    message = letter.message
    if message.state is not MessageState.QUEUED or message.not_before > tx.now:
        return message
    return claims.send(message, letter.retries.tries)


def _hand_over(tx: Transaction, claims: Claims) -> None:
    going = claims.messages
    if going:
        known = contacts.addresses_of(tx, {to_of(message) for message in going})
        parcels = [Parcel(message, known.get(to_of(message))) for message in going]
        tx.after_commit(partial(claims.courier.carry, parcels))


class Claims:
    """The room that one transaction has claimed from the courier."""

    def __init__(self, courier: Carrier) -> None:
        self.courier = courier
        self._going: dict[str, Message] = {}

    @property
    def messages(self) -> list[Message]:
        """Those for which there is room."""
        return list(self._going.values())

    def send(self, message: Message, tries: int) -> Message:
        """The message on its way if there is room for it, else as it is."""
        if not self.courier.claim(to_of(message)):
            return message
        sent = self._going[message.message_id] = model.send(message, tries)
        return sent

    def give_up_all_but(self, new: Collection[str]) -> None:
        """Only these messages were written; the others had been before."""
        for message_id in self._going.keys() - set(new):
            self.courier.give_up(to_of(self._going.pop(message_id)))

    def give_up(self) -> None:
        """Nothing was written."""
        self.give_up_all_but(())
