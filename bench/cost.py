"""What the system costs: memory of its processes, seconds to its first answer, bytes of a case, a page of a long list."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import Any

import psycopg2
import requests
from kit.waiting import eventually

from bench import client
from bench.procfs import memory_of
from bench.town import Running, running
from wangge.cli.local import SERVICES

#: Cases of a page.
PAGE = 50

#: Bytes of all tables of one database, with their indexes and long values.
BYTES = (
    "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c JOIN pg_namespace n "
    "ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'public'"
)


@dataclass(frozen=True)
class Lengths:
    """How long a run is. 11 thousand cases is what the nearest peer's list was measured with."""

    cases: int = 11_000
    pages: int = 200
    idle_seconds: float = 5.0


def measure(lengths: Lengths) -> dict[str, Any]:
    """The whole section, as it is written to bench/results/cost.json."""
    with running() as town:
        time.sleep(lengths.idle_seconds)
        idle = _memory(town)
        before = _bytes(town)
        seconds = _fill(town, lengths.cases)
        loaded = _memory(town)
        after = _bytes(town)
        pages = _list_pages(town, lengths.pages)
        cold = _cold_start(town)
    return {
        "memory_idle": idle,
        "memory_loaded": loaded,
        "ready_seconds": town.ready_seconds,
        "cold_start": cold,
        "cases": lengths.cases,
        "filled_per_second": round(lengths.cases / seconds, 1),
        "bytes_per_case": {name: round((after[name] - before[name]) / lengths.cases) for name in after},
        "list_page": pages,
    }


def _memory(town: Running) -> dict[str, dict[str, float]]:
    """Megabytes of each service and server."""
    processes = {name: town.system.service(name).process for name in SERVICES}
    processes |= {name: server.process for name, server in town.system.servers.items()}
    return {name: asdict(memory_of(process.pid or 0)) for name, process in processes.items()}


def _fill(town: Running, number: int) -> float:
    """Publish so many incidents and wait until all is quiet; answers the seconds until the last notice."""
    publisher, began = town.publisher(), time.monotonic()
    for each in range(number):
        town.publish(publisher, town.incident(each))
        publisher.settle(at_most=1000)
    publisher.close()
    eventually(lambda: len(town.receiver.arrived) >= number, 1800, 0.2)
    ended = time.monotonic()
    eventually(lambda: town.reader.pulse().is_idle, 600, 0.5)
    return ended - began


def _bytes(town: Running) -> dict[str, int]:
    """Bytes of each service's tables, as VACUUM leaves them."""
    found = {}
    for name in SERVICES:
        connection = psycopg2.connect(town.system.postgres.service_url(name).replace("+psycopg2", ""))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
            cursor.execute(BYTES)
            found[name] = int(cursor.fetchone()[0])
        connection.close()
    return found


def _list_pages(town: Running, times: int) -> dict[str, float]:
    """Milliseconds for the first page of the cases, over one connection."""
    url = f"{town.system.addresses.service('dispatch').http_url}/v1/cases?limit={PAGE}"
    one = client.request("GET", url, {"Authorization": f"Bearer {town.town.operator.token}"})
    loaded = client.load(url, iter([one] * times), 1, 60)
    assert set(loaded.statuses) == {200}, loaded.statuses
    cuts = quantiles(loaded.latencies, n=100)
    return {
        "pages": len(loaded.latencies),
        "p50_ms": round(1000 * cuts[49], 1),
        "p99_ms": round(1000 * cuts[98], 1),
    }


def _cold_start(town: Running) -> dict[str, float]:
    """Seconds from starting all four services on running servers to the first page, and to all being ready."""
    for name in SERVICES:
        town.system.stop_service(name)
    began = time.monotonic()
    for name in SERVICES:
        town.system.start_service(name, wait=False)
    url = f"{town.system.addresses.service('dispatch').http_url}/v1/cases?limit={PAGE}"
    headers = {"Authorization": f"Bearer {town.town.operator.token}"}
    eventually(lambda: _answers(url, headers), 120, 0.02)
    first = time.monotonic() - began
    for name in SERVICES:
        town.system.service(name).wait_ready()
    return {"first_answer_seconds": round(first, 2), "all_ready_seconds": round(time.monotonic() - began, 2)}


def _answers(url: str, headers: dict[str, str]) -> bool:
    try:
        return requests.get(url, headers=headers, timeout=5).ok
    except requests.ConnectionError:
        return False
