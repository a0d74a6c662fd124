"""The goals, each with what was measured: met or not, and by how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: What was measured of Signalen 2.50 on a machine of this size, tuned, its outside services stubbed in its favour.
PEER: dict[str, Any] = {
    "create_per_second": {"1": 5.9, "16": 7.4},
    "notice_ms": 267.0,
    "list_page_ms": 1100.0,
    "memory_mb": 1118.0,
    "first_answer_seconds": 10.5,
}

#: Times the rate of each other implementation that ours is to reach.
HOP = {"nameko": 5.0, "celery": 4.0, "faststream": 4.0, "loop": 0.8}

#: What p95 may grow by from 10 thousand to 1 million cases.
GROWTH = 1.5

Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal: what was wanted, what was found. `key` finds its reason in bench/reasons.yaml where it is not met."""

    key: str
    about: str
    wanted: str
    found: str
    is_met: bool


def judged(measured: Results) -> list[Goal]:
    """The goals of all sections that were measured."""
    parts = {"hop": _hop, "e2e": _e2e, "cost": _cost, "growth": _growth}
    found = [goal for name, judge in parts.items() if name in measured for goal in judge(measured[name])]
    return [*found, *_against_the_peer(measured)]


def _hop(hop: Mapping[str, Any]) -> Iterator[Goal]:
    for processes, played in hop.items():
        for name, times in HOP.items():
            rounds = sorted(played.get(name, {}).get("ours_is_times", []))
            if rounds:
                middle = rounds[len(rounds) // 2]
                yield Goal(
                    f"hop.{name}.{processes}",
                    f"durable hop, {processes} process{'es' if processes != '1' else ''}, beside {name}",
                    f"≥ {times:g} ×",
                    f"{middle:g} × ({rounds[0]:g} to {rounds[-1]:g})",
                    middle >= times,
                )


def _e2e(e2e: Mapping[str, Any]) -> Iterator[Goal]:
    idle = e2e["idle"]
    yield Goal(
        "e2e.idle",
        "incident to notice, idle, p50 beside the bare chain",
        "≤ 2.5 ×",
        f"{idle['times']:g} × ({idle['ours']['p50']:g} ms beside {idle['bare_chain']['p50']:g} ms)",
        idle["times"] <= 2.5,
    )


def _cost(cost: Mapping[str, Any]) -> Iterator[Goal]:
    services = {name: cost["memory_idle"][name] for name in cost["bytes_per_case"]}
    for name, memory in services.items():
        yield Goal(
            f"memory.{name}",
            f"memory of {name}, idle",
            "≤ 70 MB",
            f"{memory['rss']:g} MB resident, {memory['pss']:g} MB proportional",
            memory["rss"] <= 70,
        )


def _growth(growth: Mapping[str, Any]) -> Iterator[Goal]:
    for name, one in growth["operations"].items():
        ratio = one["ratio"]["p95"]
        yield Goal(
            f"growth.{name}",
            f"p95 of “{name}”, 10 k to 1 M cases",
            f"< {GROWTH:g} ×",
            f"{ratio:g} ×",
            ratio < GROWTH,
        )


def _against_the_peer(measured: Results) -> Iterator[Goal]:
    http, cost = measured.get("http"), measured.get("cost")
    if http:
        yield from _creating(http)
        ours = http["report_to_notice"]["p50"]
        yield _at_most("peer.notice", "report to notice, idle", ours, PEER["notice_ms"], 10, "ms")
    if cost:
        yield _at_most(
            "peer.page",
            "a page of 50 of 11 thousand",
            cost["list_page"]["p50_ms"],
            PEER["list_page_ms"],
            50,
            "ms",
        )
        memory = round(sum(cost["memory_idle"][name]["pss"] for name in cost["bytes_per_case"]), 1)
        yield _at_most("peer.memory", "memory of all our processes", memory, PEER["memory_mb"], 4, "MB")
        first = cost["cold_start"]["first_answer_seconds"]
        yield _at_most(
            "peer.start", "first answer after a cold start", first, PEER["first_answer_seconds"], 1, "s"
        )


def _creating(http: Mapping[str, Any]) -> Iterator[Goal]:
    for connections, theirs in PEER["create_per_second"].items():
        for way in ("single", "ndjson"):
            ours = http[way][connections]["reports_per_second"]
            yield Goal(
                f"peer.create.{way}.{connections}",
                f"reports created a second, {'one by one' if way == 'single' else 'NDJSON'}, over {connections}",
                "≥ 60 ×",
                f"{ours / theirs:.0f} × ({ours:g}/s beside {theirs:g}/s)",
                ours >= 60 * theirs,
            )


def _at_most(key: str, about: str, ours: float, theirs: Any, part: float, unit: str) -> Goal:
    wanted = f"≤ 1/{part:g}" if part > 1 else "sooner"
    found = f"1/{theirs / ours:.1f} ({ours:g} {unit} beside {theirs:g} {unit})"
    return Goal(key, f"{about}, beside Signalen", wanted, found, ours <= theirs / part)
