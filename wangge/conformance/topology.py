"""Points about what is declared on the broker."""

from __future__ import annotations

from wangge.chassis.topology import HOME, keys_of
from wangge.conformance.bench import Bench
from wangge.conformance.points import Broken, Point, Skipped, require_none
from wangge.contracts.areas import Area
from wangge.contracts.events import REGISTRY


def exchanges(bench: Bench) -> None:
    """Events, inbox and the cell's exchange are there, of their types."""
    wanted = {
        f"{bench.service}.events": ("topic", {}),
        f"{bench.service}.inbox": ("topic", {"alternate-exchange": f"{bench.service}.{HOME}"}),
        bench.names.exchange: ("x-consistent-hash", {"hash-header": "partitionkey"}),
    }
    wrong = []
    for name, (kind, arguments) in wanted.items():
        found = bench.exchange(name)
        if found is None:
            wrong.append(f"{name} is missing")
        elif (found["type"], found["durable"]) != (kind, True):
            wrong.append(f"{name} is {found['type']}, durable {found['durable']}")
        elif not arguments.items() <= found["arguments"].items():
            wrong.append(f"{name} has the arguments {found['arguments']}")
    require_none(wrong)


def queues(bench: Bench) -> None:
    """Quorum queues with one active consumer, equally weighted."""
    wrong = []
    for name, queue in bench.queue_arguments().items():
        arguments = queue["arguments"]
        if arguments.get("x-queue-type") != "quorum":
            wrong.append(f"{name} is no quorum queue")
        if not arguments.get("x-single-active-consumer"):
            wrong.append(f"{name} lets several consumers in at a time")
    bound = {each["destination"]: each["routing_key"] for each in bench.bindings_of(bench.names.exchange)}
    if len(set(bound.values())) > 1:
        wrong.append(f"the weights differ: {bound}")
    wrong += [f"{name} is not bound to {bench.names.exchange}" for name in bench.lanes if name not in bound]
    require_none(wrong)


def dead_letters(bench: Bench) -> None:
    """What kills the process ends in <service>.dead."""
    wrong = []
    for name, queue in bench.queue_arguments().items():
        arguments = queue["arguments"]
        if arguments.get("x-dead-letter-exchange") != bench.names.dead:
            wrong.append(f"{name} sends dead letters to {arguments.get('x-dead-letter-exchange')}")
        if not arguments.get("x-delivery-limit"):
            wrong.append(f"{name} has no delivery limit: what kills the process comes back for ever")
    if not bench.bindings_of(bench.names.dead):
        wrong.append(f"nothing is bound to {bench.names.dead}: dead letters are lost")
    require_none(wrong)


def bindings(bench: Bench) -> None:
    """Everything that it must hear comes to its inbox."""
    wrong = []
    for event_type in bench.consumed:
        contract = REGISTRY[event_type]
        bound = {
            each["routing_key"]
            for each in bench.bindings_of(contract.on_exchange)
            if each["destination"] == bench.names.inbox
        }
        if not bound & {"#", f"{contract.name}.#"}:
            wrong.append(f"{event_type} does not come to {bench.names.inbox}")
    require_none(wrong)


def areas(bench: Bench) -> None:
    """The cell claims the tested area."""
    if bench.cell == HOME:
        raise Skipped("home takes what no other cell serves")
    claimed = {
        each["routing_key"]
        for each in bench.bindings_of(bench.names.inbox)
        if each["destination"] == bench.names.exchange
    }
    tested = Area.parse(bench.samples.area)
    over = [area.code for area in (tested, *tested.parents)]
    if not claimed & set(keys_of(over)):
        raise Broken(f"{tested} is not claimed by {bench.cell}; claimed: {sorted(claimed)}")


def attended(bench: Bench) -> None:
    """Every queue has a consumer."""
    lanes = bench.management.lanes(bench.service).get(bench.cell, [])
    require_none([f"nobody consumes {lane.name}" for lane in lanes if not lane.consumers])


POINTS = [
    Point("topology.exchanges", exchanges),
    Point("topology.queues", queues),
    Point("topology.dead_letters", dead_letters),
    Point("topology.bindings", bindings),
    Point("topology.areas", areas),
    Point("topology.attended", attended),
]
