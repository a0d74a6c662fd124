"""Plays interleaved rounds of all implementations, so that the machine's moods hit all alike, and compares them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.hop import place, rounds
from bench.hop.implementations import IMPLEMENTATIONS
from bench.hop.messages import incident
from bench.hop.rounds import Round
from bench.servers import servers

#: A slow implementation gets at least this many messages.
LEAST = 100


def play(
    names: Sequence[str], processes: Sequence[int], number: int, messages: int, profile: Path | None = None
) -> dict[str, Any]:
    """Play `number` rounds of each; answers the result as it is written to bench/results/hop.json."""
    played: dict[int, dict[str, list[Round]]] = {each: {name: [] for name in names} for each in processes}
    events = [incident(each) for each in range(messages)]
    with servers() as system:
        place.prepare(system)
        for turn in range(number):
            for count in processes:
                for name in _order(names, turn):
                    one = IMPLEMENTATIONS[name]
                    part = events[: max(LEAST, round(messages * one.share))]
                    sampled = profile if name == "ours" else None
                    played[count][name].append(rounds.play(system, one, count, part, sampled))
                    _say(turn, count, name, played[count][name][-1])
    return {str(count): _compared(each) for count, each in played.items()}


def _order(names: Sequence[str], turn: int) -> list[str]:
    # nobody is always the first after the servers' start, nor always the last
    at = turn % len(names)
    return [*names[at:], *names[:at]]


def _say(turn: int, count: int, name: str, one: Round) -> None:
    cpu = ", ".join(f"{party} {ms} ms" for party, ms in one.cpu_ms.items())
    print(
        f"round {turn + 1}, {count} process(es), {name}: {one.rate:.0f}/s, {one.seconds:.1f} s, {cpu} of CPU a message",
        flush=True,
    )


def _compared(played: dict[str, list[Round]]) -> dict[str, Any]:
    """By implementation: its rates, and how many times its rate ours is in each round."""
    return {
        name: {
            "messages": each[0].messages,
            "rates": [round(one.rate, 1) for one in each],
            "rate": round(median(one.rate for one in each), 1),
            "cpu_ms": {
                party: round(median(one.cpu_ms[party] for one in each), 3) for party in each[0].cpu_ms
            },
            "memory_mb": round(median(one.memory_mb for one in each), 1),
            "ours_is_times": [
                round(our.rate / their.rate, 2)
                for our, their in zip(played.get("ours", []), each, strict=False)
            ],
        }
        for name, each in played.items()
        if each
    }
