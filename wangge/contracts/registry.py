"""Finds the contract of an event type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from marshmallow import Schema

from wangge.contracts import quick
from wangge.contracts.fields import Contract

Shape = type[Contract]

BASE_URI = "https://wangge.example/schemas"


@dataclass(frozen=True)
class EventType:
    """One event of the published language.

    `type` is `<entity>.<fact>.v<major>`; `owner` publishes it on `exchange`; `subject` is the data field that
    names the aggregate; `partition` the one that keeps the order (the subject where not given). One that is not urgent
    may leave a second later: it tells what was done, and nobody's work waits for it.
    """

    type: str
    owner: str
    schema: Shape
    subject: str
    partition: str = ""
    exchange: str = ""
    is_urgent: bool = True

    @property
    def name(self) -> str:
        """`case.closed` of `case.closed.v1`: the first words of the routing key."""
        return self.type.rpartition(".")[0]

    @property
    def on_exchange(self) -> str:
        """The exchange that carries it."""
        return self.exchange or f"{self.owner}.events"

    @property
    def summary(self) -> str:
        """What it tells, in one sentence."""
        return (self.schema.__doc__ or "").strip().split("\n")[0]

    @property
    def dataschema(self) -> str:
        """The address that the envelope's `dataschema` carries."""
        return f"{BASE_URI}/{self.type}.json"

    @cached_property
    def loader(self) -> Schema:
        """A ready instance of the schema."""
        return self.schema()

    def load(self, data: Any) -> dict[str, Any]:
        """The data of an event as it came. Raises marshmallow's `ValidationError` naming every wrong field."""
        loaded: dict[str, Any] = quick.load(self.loader, data)
        return loaded

    def dump(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The data of an event as it goes out. Raises marshmallow's `ValidationError` when they break the contract."""
        dumped: dict[str, Any] = quick.dump(self.loader, data)
        quick.load(self.loader, dumped)
        return dumped


class Registry:
    """All contracts by type. Raises `ValueError` when two claim one type."""

    def __init__(self, events: Iterable[EventType]) -> None:
        self._events: dict[str, EventType] = {}
        for event in events:
            if event.type in self._events:
                raise ValueError(f"two contracts for {event.type}")
            self._events[event.type] = event

    def __getitem__(self, event_type: str) -> EventType:
        return self._events[event_type]

    def __iter__(self) -> Iterator[EventType]:
        return iter(self._events.values())

    def get(self, event_type: str) -> EventType | None:
        """The contract, or None for a type that nobody published."""
        return self._events.get(event_type)
