"""Runs the points one after the other and says of each: pass, fail or skip, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import amqp

from wangge.cli.errors import CommandFailed
from wangge.conformance import health, taking, telling, topology
from wangge.conformance.bench import Bench
from wangge.conformance.points import Broken, Point, Skipped

POINTS = [*topology.POINTS, *taking.POINTS, *telling.POINTS, *health.POINTS]
"""All points in their order: what the first ones send is what the later ones look at."""


class Verdict(StrEnum):
    """What became of a point."""

    PASS = "pass"  # noqa: S105 (a verdict, no password)
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True)
class Result:
    """A point with its verdict, and the reason where it is not a pass."""

    point: str
    demands: str
    verdict: Verdict
    reason: str = ""


def run(bench: Bench) -> Iterator[Result]:
    """Look at every point. Raises `CommandFailed` where there is no such cell."""
    with bench:
        if not bench.lanes:
            raise CommandFailed(
                f"There is no queue {bench.names.exchange}.<n>: `wangge cell open {bench.service} {bench.cell}`, or start it."
            )
        for point in POINTS:
            yield judge(point, bench)


def judge(point: Point, bench: Bench) -> Result:
    """One point; a broker that refuses what the kit does counts as a fail."""
    try:
        point.look(bench)
    except Skipped as why:
        return Result(point.name, point.demands, Verdict.SKIP, str(why))
    except Broken as why:
        return Result(point.name, point.demands, Verdict.FAIL, str(why))
    except (amqp.AMQPError, OSError) as why:
        return Result(point.name, point.demands, Verdict.FAIL, f"the broker: {why}")
    return Result(point.name, point.demands, Verdict.PASS)
