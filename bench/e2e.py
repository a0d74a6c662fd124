"""End to end on the four real services: from an outside system's message to the notice at a webhook."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import amqp
import orjson

from bench import chain
from bench.hop import place
from bench.hop.implementations import REPOSITORY
from bench.hop.messages import incident
from bench.publishing import Publisher, paced
from bench.town import Running, running
from bench.webhook import Receiver
from wangge.cli.local import LocalSystem
from wangge.cli.local.processes import clean_environment

#: Seconds that one incident may take before the run counts as failed.
PATIENCE = 60.0

#: A backlog that grows by less than this part of what arrives counts as steady.
STEADY = 0.02

#: Rates that are tried, as parts of the rate at which a burst was worked off; the first steady one is taken.
TRIED = (0.65, 0.5, 0.4, 0.3, 0.15)


@dataclass(frozen=True)
class Lengths:
    """How long a run is."""

    idle: int = 200
    burst: int = 400
    seconds: int = 30


def measure(lengths: Lengths) -> dict[str, Any]:
    """The whole section, as it is written to bench/results/e2e.json."""
    with running() as town:
        warm_up(town)
        with _chain(town.system, town.receiver) as bare:
            ours = one_at_a_time(town.receiver, _town_sender(town), lengths.idle)
            bare_chain = one_at_a_time(town.receiver, bare, lengths.idle)
        sustained = sustain(town, lengths)
        rate = sustained["per_second"] / 2
        half = Flow(town).run(rate, lengths.seconds)
        checked = check(town)
    return {
        "idle": {"ours": ours, "bare_chain": bare_chain, "times": round(ours["p50"] / bare_chain["p50"], 2)},
        "sustained": sustained,
        "at_half": {"per_second": round(rate, 1), **_spread(half.latencies)},
        "checked": checked,
    }


def warm_up(town: Running) -> None:
    """Let every part have worked once."""
    one_at_a_time(town.receiver, _town_sender(town), 10)


def one_at_a_time(receiver: Receiver, send: Callable[[int], str], number: int) -> dict[str, float]:
    """Milliseconds from sending to the webhook, the next one only after the one before has arrived."""
    taken = []
    for each in range(number):
        began = time.time()
        key = send(each)
        taken.append(_arrival(receiver, key) - began)
    return _spread(taken)


def _arrival(receiver: Receiver, key: str) -> float:
    until = time.monotonic() + PATIENCE
    while key not in receiver.arrived:
        if time.monotonic() > until:
            raise TimeoutError(f"no notice of {key} within {PATIENCE} s")
        time.sleep(0.001)
    return receiver.arrived[key]


def _town_sender(town: Running) -> Callable[[int], str]:
    publisher = town.publisher()

    def send(number: int) -> str:
        event = town.incident(number)
        town.publish(publisher, event)
        key: str = event["id"]
        return key

    return send


@contextmanager
def _chain(system: LocalSystem, receiver: Receiver) -> Iterator[Callable[[int], str]]:
    """The bare chain on the same servers; answers what sends an incident through it."""
    place.prepare(system)
    uri = system.rabbitmq.create_vhost("chain")
    publisher = Publisher(uri)
    channel = publisher.connection.channel()
    for hop in range(chain.HOPS):
        arguments = {"x-queue-type": "quorum", "x-single-active-consumer": True}
        channel.queue_declare(chain.queue_of(hop), durable=True, auto_delete=False, arguments=arguments)
    processes = [_hop(system, hop, uri, receiver.url) for hop in range(chain.HOPS)]

    def send(number: int) -> str:
        event = incident(number)
        message = amqp.Message(orjson.dumps(event), delivery_mode=2, message_id=event["id"])
        publisher.publish(message, "", chain.queue_of(0))
        key: str = event["id"]
        return key

    try:
        one_at_a_time(receiver, lambda number: send(1_000_000 + number), 10)
        yield send
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def _hop(system: LocalSystem, hop: int, amqp_uri: str, webhook: str) -> subprocess.Popen[bytes]:
    environment = {
        **clean_environment(),
        "PYTHONWARNINGS": "ignore",
        "CHAIN_DATABASE_URI": place.copy_of_template(system, f"chain_{hop}"),
        "CHAIN_AMQP_URI": amqp_uri,
        "CHAIN_WEBHOOK": webhook,
    }
    return subprocess.Popen([sys.executable, "-m", "bench.chain", str(hop)], env=environment, cwd=REPOSITORY)


@dataclass(frozen=True)
class Flowed:
    """What a steady stream showed: seconds of each incident that arrived, and the backlog second by second."""

    latencies: list[float]
    backlog: list[int]

    def is_steady(self, rate: float) -> bool:
        """Whether the backlog of the last third is not above that of the middle third."""
        third = len(self.backlog) // 3
        middle, last = self.backlog[third : 2 * third], self.backlog[2 * third :]
        return median(last) - median(middle) <= STEADY * rate * third + 1


class Flow:
    """Incidents at a steady rate."""

    def __init__(self, town: Running) -> None:
        self._town = town

    def run(self, rate: float, seconds: float) -> Flowed:
        """Publish for so many seconds, then wait until everything has arrived."""
        events = [self._town.incident(each) for each in range(int(rate * seconds))]
        publisher, sent = self._town.publisher(), {}
        backlog, next_look = [], time.time() + 1
        for event in paced(events, rate):
            sent[event["id"]] = time.time()
            self._town.publish(publisher, event)
            publisher.settle(at_most=1000)
            if time.time() >= next_look:
                backlog.append(sum(key not in self._town.receiver.arrived for key in sent))
                next_look += 1
        publisher.close()
        arrived = {key: _arrival(self._town.receiver, key) for key in sent}
        return Flowed([arrived[key] - at for key, at in sent.items()], backlog)


def sustain(town: Running, lengths: Lengths) -> dict[str, Any]:
    """The highest rate at which the backlog does not grow."""
    burst = _burst(town, lengths.burst)
    tried = []
    for part in TRIED:
        rate = burst * part
        flowed = Flow(town).run(rate, lengths.seconds)
        tried.append({"per_second": round(rate, 1), "backlog": flowed.backlog, **_spread(flowed.latencies)})
        if flowed.is_steady(rate):
            break
    else:
        raise RuntimeError(f"no rate from {burst:.0f} to {rate:.0f} a second was sustained")
    return {"burst_per_second": round(burst, 1), "per_second": tried[-1]["per_second"], "tried": tried}


def _burst(town: Running, number: int) -> float:
    """Notices a second when all incidents come at once."""
    events = [town.incident(each) for each in range(number)]
    publisher, began = town.publisher(), time.time()
    for event in events:
        town.publish(publisher, event)
        publisher.settle(at_most=1000)
    publisher.close()
    ended = max(_arrival(town.receiver, event["id"]) for event in events)
    return number / (ended - began)


def check(town: Running) -> dict[str, int]:
    """Every incident that was sent has one report, one case, and one delivered notice. Raises `AssertionError`."""
    found = {
        "reports": _count(
            town, "intake", "SELECT count(*) AS n FROM reports WHERE status IN ('accepted', 'filed')"
        ),
        "cases": _count(town, "dispatch", "SELECT count(*) AS n FROM cases"),
        "notices": _count(
            town,
            "notify",
            "SELECT count(*) AS n FROM messages WHERE channel = 'webhook' AND state = 'delivered'",
        ),
        "incidents": _count(
            town, "intake", "SELECT count(*) AS n FROM inbox WHERE type = 'incident.reported.v1'"
        ),
    }
    if len(set(found.values())) != 1:
        raise AssertionError(f"not one of each: {found}")
    return found


def _count(town: Running, service: str, statement: str) -> int:
    return int(town.reader.rows(service, statement)[0]["n"])


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    """Count and percentiles, in milliseconds."""
    cuts = quantiles(seconds, n=100)
    named = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(seconds)}
    return {"count": len(seconds), **{name: round(1000 * value, 1) for name, value in named.items()}}
