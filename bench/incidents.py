"""Measures incidents on their way to a dispatched case and its notices, on a system of its own.

Usage: bench/incidents.py [--incidents N] [--idle N]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from kit.reading import Reader
from kit.town import Town
from kit.waiting import eventually

from wangge.cli.local import SERVICES, LocalSystem, debian

LOGIN = "hotline12345"
GRIDS = ("14080200290200100", "14080200290200200", "14080200290200300", "14080200290200400")

#: Seconds between looks at the database.
LOOK = 0.005


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--incidents", type=int, default=2000)
    options.add_argument("--idle", type=int, default=50)
    wished = options.parse_args()
    debian.install_missing()
    directory = Path(tempfile.mkdtemp(prefix="wangge-bench-"))
    directory.chmod(0o711)
    system = LocalSystem(directory, services=tuple(SERVICES))
    try:
        started = time.perf_counter()
        system.start()
        ready = time.perf_counter() - started
        town, records = Town(system, "hexixijie"), Reader.of(system)
        result = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "servers_and_services_ready_seconds": round(ready, 1),
            "memory_idle_mb": {name: memory_of(system, name) for name in SERVICES},
            "idle": idle(town, records, wished.idle),
            "burst": burst(town, records, wished.incidents),
            "memory_after_mb": {name: memory_of(system, name) for name in SERVICES},
        }
        print(json.dumps(result, indent=2))
    finally:
        system.erase()


def incident(town: Town, number: int) -> dict[str, Any]:
    """The `number`-th incident of a run."""
    return town.incident(
        LOGIN,
        text=f"第 {number} 件：电线垂落",
        channel="hotline_12345",
        category="E0508",
        area=GRIDS[number % len(GRIDS)],
        external_no=f"bench-{time.time_ns()}-{number}",
    )


def idle(town: Town, records: Reader, times: int) -> dict[str, float]:
    """Milliseconds from publishing one incident to its receipt, and to the notice of the unit that must act."""
    receipts, notices = [], []
    for number in range(times):
        event = incident(town, number)
        started = time.perf_counter()
        town.publish(LOGIN, event)
        eventually(lambda i=event["id"]: has_receipt(records, i), 20, LOOK)
        receipts.append((time.perf_counter() - started) * 1000)
        eventually(lambda i=event["id"]: has_notice(records, i), 20, LOOK)
        notices.append((time.perf_counter() - started) * 1000)
    return {
        "receipt_p50_ms": round(statistics.median(receipts), 1),
        "receipt_p95_ms": round(statistics.quantiles(receipts, n=20)[-1], 1),
        "notice_p50_ms": round(statistics.median(notices), 1),
        "notice_p95_ms": round(statistics.quantiles(notices, n=20)[-1], 1),
    }


def burst(town: Town, records: Reader, number: int) -> dict[str, float]:
    """Incidents a second that become dispatched cases, and whose notices are delivered, when all come at once."""
    cases_before, told_before = cases(records), told(records)
    events = [incident(town, each) for each in range(number)]
    started = time.perf_counter()
    town.publish(LOGIN, *events)
    published = time.perf_counter() - started
    dispatched = seconds_until(lambda: cases(records) - cases_before >= number, started)
    noticed = seconds_until(lambda: told(records) - told_before >= number, started)
    return {
        "incidents": number,
        "published_per_second": round(number / published, 1),
        "dispatched_per_second": round(number / dispatched, 1),
        "noticed_per_second": round(number / noticed, 1),
    }


def seconds_until(is_so: Callable[[], bool], started: float) -> float:
    """Seconds since `started` until it is so."""
    eventually(is_so, 600, 0.1)
    return time.perf_counter() - started


def has_receipt(records: Reader, message_id: str) -> bool:
    """Whether the message has its receipt."""
    return bool(records.rows("intake", "SELECT 1 FROM receipts WHERE message_id = %s", message_id))


def has_notice(records: Reader, correlation: str) -> bool:
    """Whether the unit has been told of the case."""
    statement = "SELECT 1 FROM messages WHERE correlation_id = %s AND template = 'unit.dispatched' LIMIT 1"
    return bool(records.rows("notify", statement, correlation))


def cases(records: Reader) -> int:
    """Cases that were dispatched."""
    return int(records.rows("dispatch", "SELECT count(*) AS n FROM cases WHERE state = 'dispatched'")[0]["n"])


def told(records: Reader) -> int:
    """Cases of which the unit has been told."""
    statement = "SELECT count(DISTINCT event_id) AS n FROM messages WHERE template = 'unit.dispatched'"
    return int(records.rows("notify", statement)[0]["n"])


def memory_of(system: LocalSystem, name: str) -> float:
    """Resident memory of a service's process, in MB."""
    status = Path(f"/proc/{system.service(name).process.pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 1)


if __name__ == "__main__":
    main()
