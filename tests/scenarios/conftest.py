"""The two towns of the demo on a whole running system."""

from collections.abc import Iterator

import pytest
from kit.town import Town

from wangge.cli.local import LocalSystem


@pytest.fixture(scope="session")
def hexixijie(system: LocalSystem) -> Town:
    """河西西街社区."""
    return Town(system, "hexixijie")


@pytest.fixture(scope="session")
def liangjiazhuang(system: LocalSystem) -> Town:
    """梁家庄村."""
    return Town(system, "liangjiazhuang")


@pytest.fixture
def released_clock(hexixijie: Town) -> Iterator[None]:
    """The clock runs with the machine's again when the story is over."""
    yield
    hexixijie.release_clock()
