"""Runs the probe service as a real process, on a database and a virtual host of its own."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kit import waiting
from kit.probing import ProbeProcess
from sqlalchemy import Engine, text

from wangge.chassis.database import connect
from wangge.cli.local import LocalSystem


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Waits for something to become true, and answers it."""
    return waiting.eventually


@pytest.fixture
def engine(database_uri: str) -> Iterator[Engine]:
    """One connection to a database with a table `notes`."""
    made = connect(database_uri, 1)
    with made.connect() as connection:
        connection.execute(text("CREATE TABLE notes (name text PRIMARY KEY, number integer)"))
    yield made
    made.dispose()


@pytest.fixture
def probe(
    servers: LocalSystem, database_uri: str, amqp_uri: str, redis_uri: str, tmp_path: Path
) -> Iterator[ProbeProcess]:
    """A probe that runs."""
    process = ProbeProcess(database_uri, amqp_uri, redis_uri, servers.keys_dir, tmp_path / "probe.log")
    process.start()
    yield process
    process.stop(signal.SIGKILL)


@pytest.fixture
def another_probe(
    probe: ProbeProcess, servers: LocalSystem, redis_uri: str, tmp_path: Path
) -> Iterator[ProbeProcess]:
    """A second process beside the probe, not started yet."""
    process = ProbeProcess(
        probe.database_uri, probe.amqp_uri, redis_uri, servers.keys_dir, tmp_path / "another.log"
    )
    yield process
    process.stop(signal.SIGKILL)


@pytest.fixture
def third_probe(
    probe: ProbeProcess, servers: LocalSystem, redis_uri: str, tmp_path: Path
) -> Iterator[ProbeProcess]:
    """A third process beside the probe, not started yet."""
    process = ProbeProcess(
        probe.database_uri, probe.amqp_uri, redis_uri, servers.keys_dir, tmp_path / "third.log"
    )
    yield process
    process.stop(signal.SIGKILL)
