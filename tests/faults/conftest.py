"""Systems of their own for tests that break things."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kit.fault_report import FaultReport
from kit.ledger import Ledger
from kit.probe_world import ProbeWorld
from kit.reading import Reader
from kit.town import Town

from wangge.cli.local import SERVICES, LocalSystem, debian


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--fault-report PAGE`: known where the tests of faults are what was asked for."""
    parser.addoption(
        "--fault-report", type=Path, help="write what was shown to this page, and beside it as JSON"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect a report where one is wanted."""
    page = config.getoption("--fault-report", None)
    if page:
        config.pluginmanager.register(FaultReport(page))


@pytest.fixture(scope="module")
def fragile(new_directory: Callable[[], Path]) -> Iterator[LocalSystem]:
    """A whole system that only this module's tests use, and may break."""
    debian.install_missing()
    local = LocalSystem(new_directory(), services=tuple(SERVICES), movable_clock=True)
    try:
        local.start()
        yield local
    finally:
        local.erase()


@pytest.fixture(scope="module")
def town(fragile: LocalSystem) -> Town:
    """河西西街 on the fragile system."""
    return Town(fragile, "hexixijie")


@pytest.fixture(scope="module")
def reader(fragile: LocalSystem) -> Reader:
    """Reads the fragile system for the checker."""
    return Reader.of(fragile)


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    """What this module's tests have published to the fragile system."""
    return Ledger()


@pytest.fixture
def world(
    servers: LocalSystem, database_uri: str, amqp_uri: str, redis_uri: str, tmp_path: Path
) -> Iterator[ProbeWorld]:
    """A world of its own for the probe, no process started yet."""
    made = ProbeWorld(servers, database_uri, amqp_uri, redis_uri, tmp_path)
    yield made
    made.stop()
