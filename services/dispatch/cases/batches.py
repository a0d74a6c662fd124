"""Files what the events of one transaction ask for together: read for once, written at its end in one go.

Guarantee: whatever the size of the batch, each report has one case, and each fact is told under its own event's cause.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from services.dispatch.cases import facts, store
from services.dispatch.cases.model import Moved
from services.dispatch.cases.store import Reporter
from services.dispatch.categories import store as categories
from services.dispatch.categories.model import Category
from services.dispatch.sites import store as sites
from services.dispatch.sites.model import Site
from wangge.chassis.transaction import Cause, Transaction
from wangge.contracts.areas import Area


class Batch:
    """What one transaction has read so far, and what it will write at its end."""

    def __init__(self) -> None:
        self._sites: dict[Area | None, Site | None] = {}
        self._categories: dict[tuple[str, str], Category] = {}
        self._filed: dict[str, tuple[list[Moved], Cause]] = {}
        self._reporters: dict[tuple[str, str], Reporter] = {}

    @staticmethod
    def of(tx: Transaction) -> Batch:
        """The batch of this transaction."""
        batch = _batches.get(tx)
        if batch is None:
            batch = _batches[tx] = Batch()
            tx.before_commit(lambda: batch.write(tx))
        return batch

    def site(self, tx: Transaction, area: str) -> Site | None:
        """The site that the area belongs to, if its pack was applied."""
        community = Area.parse(area).community
        if community not in self._sites:
            self._sites[community] = sites.find_by_area(tx, area)
        return self._sites[community]

    def category(self, tx: Transaction, site: Site, code: str) -> Category:
        """The site's category of this code, else its default one."""
        key = (site.site, code)
        if key not in self._categories:
            self._categories[key] = categories.of_site(tx, site, code)
        return self._categories[key]

    def file(self, report_code: str, steps: list[Moved], cause: Cause) -> None:
        """File this case at the end, unless the report has one by then."""
        self._filed.setdefault(report_code, (steps, cause))

    def add_reporter(self, of_report: str, one: Reporter) -> None:
        """Note at the end who reported, or reported it, too."""
        self._reporters.setdefault((of_report, one.report_code), one)

    def write(self, tx: Transaction) -> None:
        """Write all of it, and tell of the cases that are new."""
        store.add_reporters(tx, [(of_report, one) for (of_report, _), one in self._reporters.items()])
        new = store.add_all(tx, [steps for steps, _ in self._filed.values()])
        last_cause = tx.cause
        for steps, cause in self._filed.values():
            if steps[-1].case.case_no in new:
                tx.cause = cause
                for event_type, data in (fact for step in steps for fact in facts.told_by(step)):
                    tx.record(event_type, data)
        tx.cause = last_cause


# a batch must not hold its transaction, or neither would ever be forgotten
_batches: WeakKeyDictionary[Transaction, Batch] = WeakKeyDictionary()
