"""Declares what a service needs on the broker; the same declaration any number of times changes nothing.

    incidents | <owner>.events   topic
        └─ bound by consumed fact ─> <service>.inbox   topic, what no cell's areas claim goes on to <service>.home
                └─ bound by area ──> <service>.<cell>  consistent hash on the header `partitionkey`
                                        └──> <service>.<cell>.<n>   quorum, one active consumer each

Guarantee: messages of one partition key pass one queue, so they are processed in order. A queue's arguments never
change: a new set of arguments is a new cell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from amqp import Channel

from wangge.contracts.areas import Area
from wangge.contracts.registry import Registry

#: Deliveries after which a message counts as what kills the process, and goes to `<service>.dead`.
DELIVERY_LIMIT = 20

#: Days that a publisher may leave its receipts unread; they stay readable over HTTP.
RECEIPT_DAYS = 7

HOME = "home"


@dataclass(frozen=True, slots=True)
class Topology:
    """The names on the broker of one cell of one service."""

    service: str
    cell: str = HOME
    lanes: int = 4

    @property
    def events(self) -> str:
        """Exchange on which the service tells its facts."""
        return f"{self.service}.events"

    @property
    def inbox(self) -> str:
        """Exchange at which everything the service consumes arrives."""
        return f"{self.service}.inbox"

    @property
    def exchange(self) -> str:
        """The cell's exchange."""
        return f"{self.service}.{self.cell}"

    @property
    def queues(self) -> list[str]:
        """The cell's queues."""
        return [f"{self.exchange}.{lane}" for lane in range(self.lanes)]

    @property
    def dead(self) -> str:
        """Exchange and queue of messages that were delivered too often."""
        return f"{self.service}.dead"


def declare(
    channel: Channel, topology: Topology, consumed: Iterable[str], areas: Iterable[str], contracts: Registry
) -> None:
    """Declare the exchanges, queues and bindings of a service that consumes the event types `consumed`."""
    _declare_shared(channel, contracts)
    _durable_exchange(
        channel, f"{topology.service}.{HOME}", "x-consistent-hash", {"hash-header": "partitionkey"}
    )
    _durable_exchange(channel, topology.inbox, "topic", {"alternate-exchange": f"{topology.service}.{HOME}"})
    for event_type in consumed:
        contract = contracts[event_type]
        for key in _keys(contract.on_exchange, contract.name):
            channel.exchange_bind(topology.inbox, contract.on_exchange, key)
    _declare_dead(channel, topology)
    _declare_cell(channel, topology, [Area.parse(area) for area in areas])


def declare_receipts(channel: Channel, login: str) -> str:
    """Declare the queue from which a publisher reads its receipts; answers its name."""
    queue = f"receipts.{login}"
    arguments = {"x-queue-type": "quorum", "x-message-ttl": RECEIPT_DAYS * 86_400_000}
    channel.queue_declare(queue, durable=True, auto_delete=False, arguments=arguments)
    channel.queue_bind(queue, "receipts", login)
    return queue


def _declare_shared(channel: Channel, contracts: Registry) -> None:
    for exchange in sorted({contract.on_exchange for contract in contracts}):
        _durable_exchange(channel, exchange, "topic")


def _keys(exchange: str, name: str) -> list[str]:
    # whatever arrives on `incidents` gets a receipt, even under a wrong routing key
    return ["#"] if exchange == "incidents" else [name, f"{name}.#"]


def _declare_dead(channel: Channel, topology: Topology) -> None:
    _durable_exchange(channel, topology.dead, "fanout")
    channel.queue_declare(
        topology.dead, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"}
    )
    channel.queue_bind(topology.dead, topology.dead)


def _declare_cell(channel: Channel, topology: Topology, areas: list[Area]) -> None:
    _durable_exchange(channel, topology.exchange, "x-consistent-hash", {"hash-header": "partitionkey"})
    for queue in topology.queues:
        channel.queue_declare(
            queue,
            durable=True,
            auto_delete=False,
            arguments={
                "x-queue-type": "quorum",
                "x-single-active-consumer": True,
                "x-delivery-limit": DELIVERY_LIMIT,
                "x-dead-letter-exchange": topology.dead,
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            },
        )
        channel.queue_bind(queue, topology.exchange, "10")  # the weight of a queue in the hash
    for area in areas:
        channel.exchange_bind(topology.exchange, topology.inbox, f"#.{_prefix(area)}.#")


def _prefix(area: Area) -> str:
    # a grid's own code ends in micro-grid 00: leave it out, so that its micro-grids match too
    words = area.words
    return ".".join(words[:-1] if words[-1] == "00" and len(words) == 7 else words)


def _durable_exchange(
    channel: Channel, name: str, kind: str, arguments: dict[str, str] | None = None
) -> None:
    channel.exchange_declare(name, kind, durable=True, auto_delete=False, arguments=arguments)
