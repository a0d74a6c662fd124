"""One whole system behind networks that can be spoiled, for faults of servers and networks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kit.ledger import Ledger
from kit.proxied import ProxiedSystem
from kit.town import Town
from kit.trial import Trial

from wangge.cli.local import SERVICES, debian


@pytest.fixture(scope="session")
def proxied(new_directory: Callable[[], Path]) -> Iterator[ProxiedSystem]:
    """The system; the tests of this folder break it and leave it whole."""
    debian.install_missing()
    local = ProxiedSystem(new_directory(), services=tuple(SERVICES), movable_clock=True)
    try:
        local.start()
        yield local
    finally:
        local.erase()


@pytest.fixture(scope="session")
def ward(proxied: ProxiedSystem) -> Town:
    """河西西街 on it."""
    return Town(proxied, "hexixijie")


@pytest.fixture(scope="session")
def ledger() -> Ledger:
    """What all tests have published to it."""
    return Ledger()


@pytest.fixture
def trial(proxied: ProxiedSystem, ward: Town, ledger: Ledger) -> Trial:
    """The traffic of one test, on a system that is whole when the test begins."""
    proxied.recover()
    return Trial(ward, ledger)
