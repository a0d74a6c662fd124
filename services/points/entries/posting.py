"""Posts entries and takes them back: the entries, the scores they change, the wallets, the facts to tell, in one go.

All that posts holds one lock of the database until it commits. What an entry counts for depends on the others of its
item, and a balance on the line before; batches of several lanes share the same few members, so locks by person would
be taken in as many orders as there are batches and end in deadlocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from functools import partial

from sqlalchemy import func, select

from services.points.boards import store as boards
from services.points.boards.model import NOTHING_EARNED, Evaluation, evaluate
from services.points.boards.sorted_sets import SortedSets
from services.points.entries import store
from services.points.entries.model import Entry, Sheet, counter_entry
from services.points.periods import store as periods
from services.points.periods.model import first_open, parse
from services.points.rule_sets import store as rule_sets
from services.points.sites import store as sites
from services.points.wallets import store as wallets
from services.points.wallets.model import WalletMove, WalletReason, earned
from wangge.chassis.ids import new_id
from wangge.chassis.transaction import Transaction

#: Any number, the same in all processes: the lock under which entries are posted.
POSTING_LOCK = 7_203_101

Sheets = dict[tuple[str, str], Sheet]


def lock(tx: Transaction) -> None:
    """Be the only one who posts, until this transaction ends."""
    tx.execute(select(func.pg_advisory_xact_lock(POSTING_LOCK)))


def open_periods(tx: Transaction, entries: Iterable[Entry]) -> dict[tuple[str, str], str]:
    """By site and period: the period itself, or the next one that is still open."""
    wanted = {(entry.site, entry.period) for entry in entries}
    closed = periods.closed(tx, {site for site, _ in wanted})
    return {(site, code): first_open(parse(code), closed.get(site, set())).code for site, code in wanted}


class Posting:
    """Posts within one transaction, which holds the lock."""

    def __init__(self, tx: Transaction, boards_in_redis: SortedSets) -> None:
        self._tx = tx
        self._boards_in_redis = boards_in_redis

    def post_new(self, new: list[Entry]) -> None:
        """Add entries that are posted from the beginning."""
        sheets = self._sheets(new)
        posted = [replace(entry, counted=sheets[_sheet(entry)].post(entry)) for entry in new]
        store.add(self._tx, posted)
        self._settle(posted, sheets)

    def post(self, reviewed: Entry) -> Entry:
        """Save an entry that has just been posted; answers it with what it counts."""
        sheets = self._sheets([reviewed])
        posted = replace(reviewed, counted=sheets[_sheet(reviewed)].post(reviewed))
        store.save(self._tx, posted)
        self._settle([posted], sheets)
        return posted

    def take_back(self, entries: list[Entry], by: str, reason: str) -> list[Entry]:
        """Take posted entries back by counter-entries; answers them as they are now. Raises `Conflict`."""
        opened = open_periods(self._tx, entries)
        pairs = [
            counter_entry(entry, new_id(), opened[entry.site, entry.period], by, self._tx.now, reason)
            for entry in entries
        ]
        sheets = self._sheets([each for pair in pairs for each in pair])
        counters = []
        for taken_back, counter in pairs:
            borne = replace(counter, counted=sheets[_sheet(taken_back)].take_back(taken_back))
            if borne.is_carried:
                sheets[_sheet(borne)].carry(borne)
            counters.append(borne)
            store.save(self._tx, taken_back)
        store.add(self._tx, counters)
        self._settle(counters, sheets)
        return [taken_back for taken_back, _ in pairs]

    def _sheets(self, entries: Iterable[Entry]) -> Sheets:
        """What was posted before in the periods of these entries."""
        entries = list(entries)
        before = store.posted(self._tx, {_sheet(entry) for entry in entries})
        known = [entry for listed in before.values() for entry in listed]
        rules = rule_sets.get(self._tx, {entry.rule_set_id for entry in (*entries, *known)})
        return {key: Sheet(rules, before.get(key, ())) for key in {_sheet(entry) for entry in entries}}

    def _settle(self, entries: list[Entry], sheets: Sheets) -> None:
        """Save what entries, which are posted now, have changed; tell it."""
        evaluations = {key: _evaluation(sheet) for key, sheet in sheets.items()}
        boards.save_all(self._tx, evaluations)
        wallets.move(self._tx, [_wallet_move(entry) for entry in entries])
        for entry in entries:
            if entry.counted:
                self._tell(entry)
        self._refresh_boards(entries, evaluations)

    def _tell(self, entry: Entry) -> None:
        fact = {
            "entry_id": entry.entry_id,
            "person_id": entry.person_id,
            "area": entry.area,
            "item": entry.item,
            "part": entry.part.value,
            "value": entry.counted,
            "period": entry.period,
            "case_no": entry.case_no,
            "at": self._tx.now,
        }
        if entry.reverses is None:
            self._tx.record("points.posted.v1", fact)
        else:
            self._tx.record("points.reversed.v1", fact | {"reverses": entry.reverses, "reason": entry.reason})

    def _refresh_boards(self, entries: list[Entry], evaluations: dict[tuple[str, str], Evaluation]) -> None:
        sites_of = {entry.person_id: entry.site for entry in entries}
        versions = sites.boards_changed(self._tx, sites_of.values())
        changed: dict[tuple[str, str], dict[str, Decimal]] = {}
        for (person_id, period), evaluation in evaluations.items():
            changed.setdefault((sites_of[person_id], period), {})[person_id] = evaluation.total
        for (site, period), totals in changed.items():
            self._tx.after_commit(partial(self._boards_in_redis.change, site, period, versions[site], totals))


def _sheet(entry: Entry) -> tuple[str, str]:
    return (entry.person_id, entry.period)


def _evaluation(sheet: Sheet) -> Evaluation:
    rules = sheet.rule_set
    return evaluate(sheet.sums, rules) if rules else NOTHING_EARNED


def _wallet_move(entry: Entry) -> WalletMove:
    delta = earned(entry.part, entry.counted or Decimal(0))
    if entry.reverses is None:
        return WalletMove(entry.person_id, delta, WalletReason.ENTRY, entry.entry_id)
    return WalletMove(entry.person_id, -delta, WalletReason.REVERSAL, entry.entry_id)
