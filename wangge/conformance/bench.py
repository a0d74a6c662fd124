"""The bench on which an implementation is tested: sends to its queues alone, sees what it acknowledges and what it tells.

What it sends goes to the exchange of the tested cell, not to the owners' exchanges, so no other subscriber gets it; what
the tested program tells in answer goes where facts go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import amqp
import orjson

from wangge.chassis import broker
from wangge.chassis.topology import Topology
from wangge.cli.management import STATISTICS_SECONDS, Management
from wangge.conformance.samples import Samples
from wangge.contracts.areas import Area
from wangge.contracts.envelope import CONTENT_TYPE, Event
from wangge.contracts.events import REGISTRY, SUBSCRIPTIONS

#: Seconds between looks.
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Told:
    """A fact that the tested program published: its body, its AMQP properties, its routing key."""

    body: bytes
    properties: dict[str, Any]
    routing_key: str

    @property
    def document(self) -> dict[str, Any]:
        """The envelope, or nothing where it is none."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass
class Bench:
    """One run against one cell of one service. `seconds`: how long it may take to settle or to tell something."""

    management: Management
    service: str
    cell: str
    samples: Samples
    url: str | None = None
    health_url: str | None = None
    seconds: float = 30.0
    told: list[Told] = field(default_factory=list)
    receipts: list[Told] = field(default_factory=list)
    elsewhere: set[str] = field(default_factory=set)
    left: int = 0
    sent: dict[str, Event] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Connect, and listen to what the service tells from now on."""
        self._connection = broker.connect((self.management.addresses.amqp_uri,), confirm_publish=True)
        self._channel = self._connection.channel()
        self._listening = self._connection.channel()
        self._listening.auto_decode = False
        queue = self._listening.queue_declare("", exclusive=True, auto_delete=True).queue
        for exchange in sorted({contract.on_exchange for contract in REGISTRY}):
            self._listening.queue_bind(queue, exchange, "#")
        self._listening.basic_consume(queue, callback=self._heard, no_ack=True)
        self.lanes = sorted(lane.name for lane in self.management.lanes(self.service).get(self.cell, []))
        return self

    def __exit__(self, *error: object) -> None:
        broker.drop(self._connection)

    @property
    def consumed(self) -> tuple[str, ...]:
        """What the contracts say that it listens to."""
        return SUBSCRIPTIONS[self.service]

    @property
    def names(self) -> Topology:
        """The cell's names on the broker."""
        return Topology(self.service, self.cell, len(self.lanes))

    def queue_arguments(self) -> dict[str, dict[str, Any]]:
        """Type, durability and arguments of each of its queues."""
        found = self.management.call("GET", f"/queues/{self.management.vhost}")
        return {queue["name"]: queue for queue in found if queue["name"] in self.lanes}

    def exchange(self, name: str) -> dict[str, Any] | None:
        """An exchange as the broker knows it."""
        every = self.management.call("GET", f"/exchanges/{self.management.vhost}")
        return next((each for each in every if each["name"] == name), None)

    def bindings_of(self, name: str) -> list[dict[str, Any]]:
        """The bindings that lead out of an exchange."""
        path = f"/exchanges/{self.management.vhost}/{name}/bindings/source"
        found: list[dict[str, Any]] = self.management.call("GET", path)
        return found

    def send(self, *events: Event) -> None:
        """Publish events to the tested cell, each confirmed."""
        for event in events:
            self.sent[event.id] = event
            self.send_raw(event.to_json(), event)

    def send_raw(self, body: bytes, like: Event) -> None:
        """Publish a body under the key and the routing key of an event."""
        area = f".{Area.parse(like.area).routing}" if like.area else ""
        message = amqp.Message(
            body,
            content_type=CONTENT_TYPE,
            delivery_mode=2,
            message_id=like.id,
            type=like.type,
            application_headers={"partitionkey": like.partitionkey},
        )
        contract = REGISTRY[like.type]
        # what comes from outside has one listener, who looks at where it came in
        exchange = contract.on_exchange if contract.owner == "external" else self.names.exchange
        self._channel.basic_publish(message, exchange, f"{like.name}{area}", mandatory=True)

    def settles(self) -> bool:
        """Whether everything sent is acknowledged within `seconds` (and the age of the broker's figures).

        What stays behind is not held against the points that follow.
        """
        until = time.monotonic() + self.seconds + STATISTICS_SECONDS
        # figures older than what was just sent may still say 0: they count once they cannot be
        seen_from = time.monotonic() + STATISTICS_SECONDS
        while time.monotonic() < until:
            self.listen(LOOK_SECONDS)
            if time.monotonic() > seen_from and self._holds() <= self.left:
                return True
        self.left = self._holds()
        return False

    def _holds(self) -> int:
        lanes = self.management.lanes(self.service).get(self.cell, [])
        return sum(lane.holds for lane in lanes)

    def listen(self, seconds: float) -> None:
        """Take in what is told for a while."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                self._connection.drain_events(timeout=left)
            except TimeoutError:
                break
        self._connection.heartbeat_tick()

    def until(self, is_true: Callable[[], Any]) -> Any:
        """What it answers once it is true, or at last."""
        until = time.monotonic() + self.seconds
        while not (found := is_true()) and time.monotonic() < until:
            self.listen(LOOK_SECONDS)
        return found

    def told_of(self, events: Iterable[Event]) -> list[Told]:
        """The facts that name one of these as their cause."""
        ids = {event.id for event in events}
        chains = {event.correlationid for event in events}
        return [
            told
            for told in self.told
            if told.document.get("causationid") in ids or told.document.get("correlationid") in chains
        ]

    def told_here(self) -> list[Told]:
        """The facts of the tested area, whatever they say of their cause, unless it is an event of somebody else."""
        area = Area.parse(self.samples.area)
        return [
            told
            for told in self.told
            if _lies_in(told.document.get("area"), area)
            and told.document.get("causationid") not in self.elsewhere
        ]

    def _heard(self, message: amqp.Message) -> None:
        body = message.body.encode() if isinstance(message.body, str) else bytes(message.body)
        told = Told(body, dict(message.properties), message.delivery_info["routing_key"])
        match message.delivery_info["exchange"]:
            case "receipts":
                self.receipts.append(told)
            case exchange if exchange == f"{self.service}.events":
                self.told.append(told)
            case _:
                self.elsewhere.add(str(told.document.get("id")))


def _lies_in(code: Any, area: Area) -> bool:
    try:
        return area.contains(Area.parse(str(code)))
    except ValueError:
        return True  # a wrong area is judged, not overlooked
