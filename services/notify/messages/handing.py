"""Joins the transactions that write messages with this process's courier: it is woken, or given them at once.

A message for which the courier has room is written as already on its way and carried right after the commit: neither a
second transaction nor a look into the table stands in between. Guarantee: it is carried only if the commit succeeded;
one that was written as on its way and not carried (the process was killed in between) is sent when its lease ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from services.notify.contacts.model import Address, Channel
from services.notify.messages.model import Message
from wangge.chassis.service import Waker

#: Woken after a commit that queued messages; other processes' couriers find them at their next look.
waker = Waker()

To = tuple[str, Channel]
"""A recipient and the channel by which to reach them."""


def to_of(message: Message) -> To:
    """Whom a message goes to."""
    return (message.recipient, message.channel)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message on its way with the address it goes to; none where the recipient has none any more."""

    message: Message
    address: Address | None


class Carrier(Protocol):
    """What the courier is to those who write messages."""

    @property
    def lease(self) -> timedelta:
        """How long a message on its way is waited for."""
        ...

    def claim(self, to: To) -> bool:
        """Keep room for one message to this recipient; False where there is none."""
        ...

    def give_up(self, to: To) -> None:
        """Give claimed room back."""
        ...

    def carry(self, parcels: Sequence[Parcel]) -> None:
        """Begin to carry messages for which room was claimed."""
        ...


class Nobody:
    """Where no courier works: everything is left to those of other processes."""

    lease = timedelta()

    def claim(self, _to: To) -> bool:
        """There is no room."""
        return False

    def give_up(self, to: To) -> None:
        """Nothing was claimed."""

    def carry(self, parcels: Sequence[Parcel]) -> None:
        """Nothing was claimed."""


class Hand:
    """Holds the process's courier while it works."""

    def __init__(self) -> None:
        self.courier: Carrier = Nobody()


hand = Hand()
