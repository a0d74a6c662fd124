"""Says what a manifest is: the messages that first came on one day, by what became of them, with their digests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Part:
    """The messages with one outcome: how many, how often they came in all, the digest over their ids."""

    outcome: str
    messages: int
    received: int
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """One day of a publisher. A message belongs to the day of its first receipt, whatever becomes of it later.

    `is_over`: no further message will belong to it; outcomes may still change by a replay or a later sending.
    """

    publisher: str
    day: date
    messages: int
    received: int
    digest: str
    outcomes: Sequence[Part]
    is_over: bool

    @property
    def repeated(self) -> int:
        """How often a message came that had come before."""
        return self.received - self.messages
