"""Says on what a measurement was made: machine, kernel, versions, day, and how busy the machine was before."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.hop.implementations import PEERS, REPOSITORY
from wangge.cli.local import debian

OURS = ("nameko", "kombu", "amqp", "eventlet", "marshmallow", "sqlalchemy", "psycopg2-binary", "orjson")
THEIRS = ("celery", "faststream", "aio-pika", "asyncpg", "uvloop")


def described() -> dict[str, Any]:
    """The heading of every result."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "kernel": platform.release().partition("-")[0],
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {
            "Python": platform.python_version(),
            "RabbitMQ": _debian("rabbitmq-server"),
            "PostgreSQL": _debian("postgresql"),
            "Redis": _debian("redis-server"),
            **{name: _own(name) for name in OURS},
            **_of_peers(),
        },
    }


def _commit() -> str:
    """What was measured; `-dirty` where more was changed than what a run writes."""
    commit = _said("git", "-C", str(REPOSITORY), "describe", "--always")
    changed = _said(
        "git", "-C", str(REPOSITORY), "status", "--porcelain", "--", ".", ":!bench/results", ":!docs"
    )
    return f"{commit}-dirty" if changed else commit


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _debian(package: str) -> str:
    if package == "postgresql":
        return _said(str(debian.path_of("postgres")), "--version").split()[2]
    said = _said("dpkg-query", "--show", "--showformat=${Version}", package)
    return said.rpartition(":")[2].partition("-")[0]


def _own(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _of_peers() -> dict[str, str]:
    if not PEERS.exists():
        return {}
    ask = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    return dict(zip(THEIRS, _said(str(PEERS), "-c", ask, *THEIRS).split(), strict=False))


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()
