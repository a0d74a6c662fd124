"""`python -m bench.hop.tune`: tries the peers' settings, so that each is measured with what suits it best."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product

from bench.hop import place, rounds
from bench.hop.implementations import IMPLEMENTATIONS
from bench.hop.messages import incident
from bench.servers import servers

#: What is tried, by implementation: every combination of the listed values.
TRIED: dict[str, list[Mapping[str, tuple[str, ...]]]] = {
    "nameko": [{"HOP_CONCURRENCY": ("10", "20", "40", "80"), "HOP_PREFETCH": ("10", "40")}],
    "celery": [
        {"HOP_POOL": ("solo",), "HOP_CONCURRENCY": ("1",), "HOP_PREFETCH": ("20",)},
        {"HOP_POOL": ("threads",), "HOP_CONCURRENCY": ("4", "16"), "HOP_PREFETCH": ("4",)},
        {"HOP_POOL": ("prefork",), "HOP_CONCURRENCY": ("1", "2", "4", "8"), "HOP_PREFETCH": ("4", "16")},
    ],
    "faststream": [{"HOP_CONCURRENCY": ("4", "20", "40", "80")}],
}


def main() -> None:
    """Play one round of each combination and print its rate."""
    options = argparse.ArgumentParser(prog="python -m bench.hop.tune", description=__doc__)
    options.add_argument("--only", default=",".join(TRIED))
    options.add_argument("--messages", type=int, default=1000)
    wished = options.parse_args()
    events = [incident(each) for each in range(wished.messages)]
    with servers() as system:
        place.prepare(system)
        for name in wished.only.split(","):
            for settings in _combinations(TRIED[name]):
                tuned = replace(IMPLEMENTATIONS[name], settings=settings)
                played = rounds.play(system, tuned, 1, events)
                cost = sum(played.cpu_ms.values())
                print(f"{name} {settings}: {played.rate:.0f}/s, {cost:.1f} ms of CPU a message", flush=True)


def _combinations(tried: list[Mapping[str, tuple[str, ...]]]) -> Iterator[dict[str, str]]:
    for each in tried:
        for values in product(*each.values()):
            yield dict(zip(each, values, strict=True))


if __name__ == "__main__":
    main()
