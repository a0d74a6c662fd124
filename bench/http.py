"""HTTP intake: reports one by one and as NDJSON, over few and many connections, while the whole system works on them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import quantiles
from typing import Any

import orjson
from kit.waiting import eventually

from bench import client
from bench.client import Loaded
from bench.e2e import one_at_a_time
from bench.town import CATEGORIES, GRIDS, LOGIN, Running, running
from wangge.cli.publishers import api_key_of

#: Lines of one NDJSON body.
LINES = 100


@dataclass(frozen=True)
class Lengths:
    """How long a run is: requests at most, and seconds at most, of each measurement.

    The nearest peer was measured over 16 connections, too.
    """

    singles: int = 3000
    batches: int = 60
    seconds: float = 15.0
    notices: int = 100
    connections: tuple[int, ...] = (1, 16, 64)


def measure(lengths: Lengths) -> dict[str, Any]:
    """The whole section, as it is written to bench/results/http.json."""
    with running() as town:
        intake = Intake(town)
        intake.load_singles(1, 50, lengths.seconds)
        to_notice = one_at_a_time(town.receiver, intake.send_one, lengths.notices)
        single, ndjson = {}, {}
        for connections in lengths.connections:
            loaded = intake.load_singles(connections, lengths.singles, lengths.seconds)
            single[str(connections)] = _shown(loaded, loaded.statuses[201])
            intake.settle()
        for connections in lengths.connections:
            loaded = intake.load_batches(connections, max(lengths.batches, connections), lengths.seconds)
            ndjson[str(connections)] = _shown(loaded, _accepted(loaded))
            intake.settle()
        return {
            "single": single,
            "ndjson": {"lines": LINES, **ndjson},
            "report_to_notice": to_notice,
            "checked": intake.check(),
        }


class Intake:
    """The door of a running town, and what went through it."""

    def __init__(self, town: Running) -> None:
        self._town = town
        self._url = town.system.addresses.service("intake").http_url
        self._key = api_key_of(town.system.directory, LOGIN)
        self._number = 0
        self._accepted = 0

    def load_singles(self, connections: int, most: int, seconds: float) -> Loaded:
        """`POST /v1/reports`. Raises `AssertionError` when one is not accepted."""
        loaded = client.load(self._url, self._singles(most), connections, seconds)
        assert set(loaded.statuses) == {201}, loaded.statuses
        self._accepted += len(loaded.latencies)
        return loaded

    def load_batches(self, connections: int, most: int, seconds: float) -> Loaded:
        """`POST /v1/reports/batch`. What is refused for want of room (503) was not taken, and is not counted."""
        loaded = client.load(self._url, self._batches(most), connections, seconds)
        assert set(loaded.statuses) <= {200, 503}, loaded.bodies[:1]
        self._accepted += _accepted(loaded)
        return loaded

    def send_one(self, number: int) -> str:
        """Report one incident; answers its correlation id."""
        key = f"bench-{time.time_ns()}"
        one = client.request(
            "POST", f"{self._url}/v1/reports", self._headers("application/json", key), self._report()
        )
        loaded = client.load(self._url, iter([one]), 1, 10)
        assert loaded.statuses == {201: 1}, loaded.bodies
        self._accepted += 1
        return key

    def settle(self) -> None:
        """Wait until the system has worked off what came in."""
        eventually(lambda: self._town.reader.pulse().is_idle, 600, 0.5)

    def check(self) -> dict[str, int]:
        """Every accepted report became one case. Raises `AssertionError`."""
        self.settle()
        cases = int(self._town.reader.rows("dispatch", "SELECT count(*) AS n FROM cases")[0]["n"])
        assert cases == self._accepted, (cases, self._accepted)
        return {"accepted": self._accepted, "cases": cases}

    def _singles(self, most: int) -> Iterator[bytes]:
        headers = self._headers("application/json")
        for _ in range(most):
            yield client.request("POST", f"{self._url}/v1/reports", headers, self._report())

    def _batches(self, most: int) -> Iterator[bytes]:
        headers = self._headers("application/x-ndjson")
        for _ in range(most):
            lines = b"\n".join(self._report() for _ in range(LINES))
            yield client.request("POST", f"{self._url}/v1/reports/batch", headers, lines)

    def _headers(self, content_type: str, correlation: str = "") -> dict[str, str]:
        headers = {"X-API-Key": self._key, "Content-Type": content_type}
        return headers | ({"X-Correlation-ID": correlation} if correlation else {})

    def _report(self) -> bytes:
        self._number += 1
        return orjson.dumps(
            {
                "text": f"第 {self._number} 件：小区东门外电线垂落，离地不到两米，孩子从下面经过，请尽快处理。",
                "title": f"电线垂落（{self._number}）",
                "occurred_at": datetime.now(UTC),
                "channel": "hotline_12345",
                "category": CATEGORIES[self._number % len(CATEGORIES)],
                "urgency": "high",
                "area": GRIDS[self._number % len(GRIDS)],
                "external_no": f"http-{self._number}",
            }
        )


def _accepted(loaded: Loaded) -> int:
    """Lines that were accepted, by their receipts."""
    receipts = [orjson.loads(line) for body in loaded.bodies for line in body.splitlines()]
    return sum(receipt.get("outcome") == "accepted" for receipt in receipts)


def _shown(loaded: Loaded, reports: int) -> dict[str, Any]:
    cuts = quantiles(loaded.latencies, n=100)
    number = len(loaded.latencies)
    return {
        "requests": number,
        "refused": loaded.statuses.get(503, 0),
        "reports_per_second": round(reports / loaded.seconds, 1),
        "p50_ms": round(1000 * cuts[49], 1),
        "p99_ms": round(1000 * cuts[98], 1),
    }
