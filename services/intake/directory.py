"""Keeps what sorting a report needs from the directory in memory, read anew when its version has grown.

Guarantee: within one transaction the same directory; a change is seen by every transaction that begins after its
commit. It costs one small statement a transaction (a batch of messages is one).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from services.intake.categories import store as categories
from services.intake.categories.model import Category
from services.intake.grids import store as grids
from services.intake.grids.ground import Ground
from services.intake.grids.model import Grid
from services.intake.publishers import store as publishers
from services.intake.publishers.model import Publishers
from services.intake.sites import store as sites
from services.intake.sites.model import Site
from wangge.chassis.database import Database
from wangge.chassis.shared_answer import SharedAnswer
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area


@dataclass(frozen=True, slots=True)
class Community:
    """A community with all that sorts its reports."""

    area: Area
    site: Site
    grids: Mapping[str, Grid]
    categories: tuple[Category, ...]

    @property
    def label(self) -> str:
        """How a message names it."""
        return f"{self.site.name} ({self.area})"


@dataclass(frozen=True, slots=True)
class Directory:
    """The active part of the directory at one version."""

    version: int
    communities: Mapping[str, Community]
    publishers: Publishers
    ground: Ground


class DirectoryCache:
    """The directory of this process."""

    def __init__(self) -> None:
        self._latest: Directory | None = None
        self._used: WeakKeyDictionary[Transaction, Directory] = WeakKeyDictionary()
        self._now: SharedAnswer[Directory] = SharedAnswer()

    @property
    def latest(self) -> Directory | None:
        """The directory as some transaction of this process last saw it: for what must be quick and may be late."""
        return self._latest

    def now(self, database: Database) -> Directory:
        """The directory as it is now, for one look without a transaction; who looks at the same time shares the look."""
        return self._now.get(lambda: self._look(database))

    def _look(self, database: Database) -> Directory:
        with database.look() as connection:
            version = connection.execute(sites.VERSION).scalar_one()
        if self._latest is None or self._latest.version != version:
            with database.begin() as tx:
                return self.of(tx)
        return self._latest

    def of(self, tx: Transaction) -> Directory:
        """The directory as this transaction sees it."""
        if tx not in self._used:
            self.seen(tx, sites.version(tx))
        return self._used[tx]

    def seen(self, tx: Transaction, version: int) -> None:
        """This transaction has read the directory's version."""
        if tx not in self._used:
            if self._latest is None or self._latest.version != version:
                self._latest = read(tx, version)
            self._used[tx] = self._latest


def read(tx: Transaction, version: int) -> Directory:
    """The directory from the database."""
    active = grids.active(tx)
    listed = categories.everything(tx)
    communities = {
        site.area: Community(
            area=Area.parse(site.area),
            site=site,
            grids={grid.area: grid for grid in active if grid.site == site.site},
            categories=tuple(category for category in listed if category.site == site.site),
        )
        for site in sites.everything(tx)
    }
    return Directory(version, communities, publishers.active(tx), Ground(active))
