"""Systems of their own for tests that break things."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kit.ledger import Ledger
from kit.reading import Reader
from kit.town import Town

from wangge.cli.local import SERVICES, LocalSystem, debian


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
