"""Fills, asks and writes down: `python -m bench.growth [--sizes 10000,100000,1000000] [--times 100] [--only cases]`."""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.growth import asking, working
from bench.growth.timing import Timed, measure
from bench.growth.towns import Town, towns
from bench.machine import described
from wangge.cli.local import debian

RESULTS = Path(__file__).parents[1] / "results" / "growth.json"

#: What p95 may grow by from the smallest to the largest size.
MOST_GROWTH = 1.5


def main() -> None:
    """Measure, print a line for each operation, and keep the results."""
    options = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    options.add_argument("--sizes", default="10000,100000,1000000")
    options.add_argument("--times", type=int, default=100, help="two at least")
    options.add_argument("--only", default="", help="operations whose name holds this")
    options.add_argument("--results", type=Path, default=RESULTS)
    wished = options.parse_args()
    debian.install_missing()
    heading = described()
    directory = Path(tempfile.mkdtemp(prefix="wangge-growth-"))
    directory.chmod(0o711)
    with towns(directory, sorted(int(size) for size in wished.sizes.split(","))) as made:
        for town in made:
            print(f"{town.cases} cases filled in {town.filled_seconds:.0f} s", flush=True)
        result = measured(made, max(2, wished.times), wished.only)
    wished.results.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": heading, "measured": result}
    wished.results.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(
        f"{len(result['too_much'])} of {len(result['operations'])} grew by {MOST_GROWTH} or more; see {wished.results}"
    )


def measured(made: list[Town], times: int, only: str = "") -> dict[str, Any]:
    """Everything that is kept of a run on these towns."""
    started = time.monotonic()
    wanted = {
        name: operation
        for name, operation in {**asking.operations(), **working.operations()}.items()
        if only in name
    }
    found = {}
    for name, operation in wanted.items():
        (timed,) = measure(made, {name: operation}, times)
        found[name] = timed.result()
        print(_line(timed), flush=True)
    return {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "seconds": round(time.monotonic() - started),
        "times": times,
        "filled_seconds": {str(town.cases): round(town.filled_seconds) for town in made},
        "bytes_a_case": {str(town.cases): bytes_a_case(town) for town in made},
        "operations": found,
        "too_much": [name for name, one in found.items() if one["ratio"]["p95"] >= MOST_GROWTH],
    }


def bytes_a_case(town: Town) -> dict[str, int]:
    """Bytes of each service's database, indexes included, by case."""
    return {
        service: town.rows(service, "SELECT pg_database_size(current_database())")[0][0] // town.cases
        for service in town.system.services
    }


def _line(timed: Timed) -> str:
    result = timed.result()
    sizes = "  ".join(
        f"{size}: {found['p50']:.1f} / {found['p95']:.1f}" for size, found in result["milliseconds"].items()
    )
    return f"{timed.name:60} {sizes}  x {result['ratio']['p50']:.2f} / {result['ratio']['p95']:.2f}"


if __name__ == "__main__":
    main()
