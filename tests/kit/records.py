"""What the checker is given: plain records of what was told, heard, held and brought about, and what waits in queues.

They are read from a running system by `kit.reading`, or written by hand in the checker's own tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

#: Publishers outside tell this; it is the ledger of the test that knows what was sent, no outbox.
INCIDENT = "incident.reported.v1"


@dataclass(frozen=True, slots=True)
class Told:
    """A fact committed to its owner's outbox, or a message whose arrival the broker confirmed to the test."""

    event_id: str
    type: str
    owner: str
    subject: str = ""
    partitionkey: str = ""
    #: 1, 2, … within its aggregate; None where nobody promised an order.
    sequence: int | None = None
    is_published: bool = True
    is_routed: bool = True

    @property
    def aggregate(self) -> str:
        """What its sequence counts along: `case:HX-1`."""
        return f"{self.type.partition('.')[0]}:{self.subject}"


@dataclass(frozen=True, slots=True)
class Heard:
    """A mark in a service's inbox."""

    event_id: str
    type: str
    at: datetime
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A held event of a service."""

    event_id: str
    type: str
    state: str
    cause: str
    partitionkey: str = ""

    @property
    def was_replayed(self) -> bool:
        """Whether it comes after later ones of its key rightly, since an operator let it in again."""
        return self.state == "done" and self.cause != "temporary"


@dataclass(frozen=True, slots=True)
class Effect:
    """A row that an event brought about: `what` it is and its `key`, by which there may be one only.

    `cause` is the event's id where the row names it; `place` the row's place in the order of effects where it has one.
    """

    what: str
    key: str
    cause: str = ""
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a publisher was answered, and how often it was told so."""

    message_id: str
    outcome: str
    times_told: int = 1


@dataclass(frozen=True, slots=True)
class Sum:
    """A total as a service states it, and what its parts add up to."""

    what: str
    stated: Decimal
    parts: Decimal


@dataclass(frozen=True)
class ServiceRecords:
    """One service's database."""

    told: tuple[Told, ...] = ()
    heard: tuple[Heard, ...] = ()
    held: tuple[Held, ...] = ()
    effects: tuple[Effect, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    sums: tuple[Sum, ...] = ()


@dataclass(frozen=True)
class Records:
    """A whole system at one instant.

    `listeners`: by event type, the services that handle it. `queues`: by name, the messages that wait in it.
    `is_answered`: whether publishers get receipts.
    """

    services: Mapping[str, ServiceRecords]
    listeners: Mapping[str, tuple[str, ...]]
    queues: Mapping[str, int] = field(default_factory=dict)
    is_answered: bool = True
