"""Times the same operations at every size in turn, so that whatever else the machine does strikes all sizes alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.growth.towns import Town

#: Milliseconds of one run.
Run = Callable[[], float]
Operation = Callable[[Town], Run]

#: Runs of each operation at each size before any is counted.
WARM_UP = 5


@dataclass
class Timed:
    """Milliseconds of one operation, by number of cases."""

    name: str
    runs: dict[int, list[float]] = field(default_factory=dict)

    def result(self) -> dict[str, Any]:
        """Percentiles by size, and how much the largest takes of the smallest."""
        by_size = {size: _percentiles(runs) for size, runs in sorted(self.runs.items())}
        first, last = by_size[min(by_size)], by_size[max(by_size)]
        ratios = {name: round(last[name] / first[name], 2) for name in ("p50", "p95")}
        return {"milliseconds": {str(size): found for size, found in by_size.items()}, "ratio": ratios}


def timed(action: Callable[[], Any]) -> float:
    """Milliseconds that the action takes."""
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


def measure(towns: Sequence[Town], operations: Mapping[str, Operation], times: int) -> list[Timed]:
    """Every operation `times` times at every size, the sizes taking turns."""
    return [_measured(name, operation, towns, times) for name, operation in operations.items()]


def _measured(name: str, operation: Operation, towns: Sequence[Town], times: int) -> Timed:
    runs = {town.cases: operation(town) for town in towns}
    found = Timed(name, {size: [] for size in runs})
    gc.collect()
    gc.disable()
    try:
        for turn in range(-WARM_UP, times):
            for size, run in runs.items():
                milliseconds = run()
                if turn >= 0:
                    found.runs[size].append(milliseconds)
    finally:
        gc.enable()
    return found


def _percentiles(runs: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(runs, n=100, method="inclusive")
    return {name: round(cuts[int(name[1:]) - 1], 2) for name in ("p50", "p95", "p99")}
