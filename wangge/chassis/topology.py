"""Declares what a service needs on the broker; the same declaration any number of times changes nothing.

    incidents | <owner>.events   topic
        └─ bound by consumed fact ─> <service>.inbox   topic, what no cell's areas claim goes on to <service>.home
                └─ bound by area ──> <service>.<cell>  consistent hash on the header `partitionkey`
                                        └──> <service>.<cell>.<n>   quorum, one active consumer each
    <service>.marks                direct, to each of these queues by its name: marks of a hand-over

Guarantee: messages of one partition key pass one queue, so they are processed in order. A queue's arguments never
change: a new set of arguments is a new cell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from amqp import Channel

from wangge.contracts.areas import Area, Level
from wangge.contracts.registry import Registry

#: Deliveries after which a message counts as what kills the process, and goes to `<service>.dead`.
DELIVERY_LIMIT = 20

#: Days that a publisher may leave its receipts unread; they stay readable over HTTP.
RECEIPT_DAYS = 7

HOME = "home"

RESERVED = frozenset({"events", "inbox", "dead", "marks"})
"""What no cell may be called: the service's own exchanges bear these names."""


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
    def marks(self) -> str:
        """Exchange by which one queue is reached by its name: it carries the marks of a hand-over, nothing else."""
        return f"{self.service}.marks"

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


def declare(channel: Channel, topology: Topology, consumed: Iterable[str], contracts: Registry) -> None:
    """Declare the exchanges and queues of a cell whose service consumes the event types `consumed`.

    Its areas are bound by `bind`, once the hand-over of their messages has begun (`wangge.chassis.hand_over`).
    """
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
    declare_cell(channel, topology)


def bind(channel: Channel, topology: Topology, areas: Iterable[str]) -> None:
    """From now on the messages of these areas go to the cell."""
    for key in keys_of(areas):
        channel.exchange_bind(topology.exchange, topology.inbox, key)


def unbind(channel: Channel, topology: Topology, areas: Iterable[str]) -> None:
    """From now on the messages of these areas go home."""
    for key in keys_of(areas):
        channel.exchange_unbind(topology.exchange, topology.inbox, key)


def keys_of(areas: Iterable[str]) -> list[str]:
    """The binding keys by which a cell claims areas: entity, fact, the words of the area, whatever lies inside."""
    return [f"*.*.{'.'.join(_prefix(Area.parse(area)))}.#" for area in areas]


def is_claimed(areas: Iterable[str], routing_key: str) -> bool:
    """Whether the bindings of these areas match the routing key of a message, as the broker matches it."""
    words = routing_key.split(".")[2:]
    prefixes = (_prefix(Area.parse(area)) for area in areas)
    return any(words[: len(prefix)] == prefix for prefix in prefixes)


def message_count(channel: Channel, topology: Topology) -> tuple[int, int]:
    """Messages that wait in the cell's queues, delivered ones not counted, and consumers of the queues."""
    found = [channel.queue_declare(queue, passive=True) for queue in topology.queues]
    return sum(each.message_count for each in found), sum(each.consumer_count for each in found)


def remove_cell(channel: Channel, topology: Topology) -> None:
    """Delete the cell's queues and exchange, with whatever they hold: the caller has seen that it is nothing."""
    for queue in topology.queues:
        channel.queue_delete(queue)
    channel.exchange_delete(topology.exchange)


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


def declare_cell(channel: Channel, topology: Topology) -> None:
    """Declare the cell's exchange and queues, which get no messages yet."""
    _durable_exchange(channel, topology.marks, "direct")
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
        channel.queue_bind(queue, topology.marks, queue)


def _prefix(area: Area) -> list[str]:
    # a grid's own code ends in micro-grid 00: leave it out, so that its micro-grids match too
    return list(area.words[:-1] if area.level is Level.GRID else area.words)


def _durable_exchange(
    channel: Channel, name: str, kind: str, arguments: dict[str, str] | None = None
) -> None:
    channel.exchange_declare(name, kind, durable=True, auto_delete=False, arguments=arguments)
