"""`python -m bench`: measures section by section and writes bench/results/<section>.json; `report` makes the page."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from bench import results
from bench.hop.implementations import IMPLEMENTATIONS

#: Sizes of the short run of growth.
QUICK_GROWTH = ["--sizes", "1000,10000", "--times", "20"]

SECTIONS = ("hop", "e2e", "http", "cost", "growth")


def hop(is_quick: bool) -> dict[str, Any]:
    """The durable hop beside its peers."""
    series = import_module("bench.hop.series")
    rounds, messages = (1, 1000) if is_quick else (3, 8_000)
    played: dict[str, Any] = series.play(list(IMPLEMENTATIONS), [1, 2], rounds, messages)
    return played


def e2e(is_quick: bool) -> dict[str, Any]:
    """From the outside system's message to the webhook."""
    module = import_module("bench.e2e")
    lengths = module.Lengths(idle=50, burst=300, seconds=8) if is_quick else module.Lengths()
    measured: dict[str, Any] = module.measure(lengths)
    return measured


def http(is_quick: bool) -> dict[str, Any]:
    """Reports over HTTP."""
    module = import_module("bench.http")
    short = module.Lengths(singles=200, batches=3, seconds=5, notices=20, connections=(1, 16))
    measured: dict[str, Any] = module.measure(short if is_quick else module.Lengths())
    return measured


def cost(is_quick: bool) -> dict[str, Any]:
    """Memory, start, bytes, a long list."""
    module = import_module("bench.cost")
    short = module.Lengths(cases=500, pages=50, idle_seconds=1)
    measured: dict[str, Any] = module.measure(short if is_quick else module.Lengths())
    return measured


MEASURES: dict[str, Callable[[bool], dict[str, Any]]] = {"hop": hop, "e2e": e2e, "http": http, "cost": cost}


def main() -> None:
    """Measure the sections asked for, in their order, then make the report."""
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument(
        "sections", nargs="*", choices=[*SECTIONS, "report", []], help="none: all and report"
    )
    options.add_argument("--quick", action="store_true", help="a short run: the shape, not the figures")
    wished = options.parse_args()
    for section in wished.sections or [*SECTIONS, "report"]:
        print(f"== {section}", flush=True)
        if section == "report":
            import_module("bench.report").make()
        elif section == "growth":
            subprocess.run(
                [sys.executable, "-m", "bench.growth", *(QUICK_GROWTH if wished.quick else [])], check=True
            )
        else:
            heading = results.described()
            results.write(section, MEASURES[section](wished.quick), heading)


if __name__ == "__main__":
    main()
