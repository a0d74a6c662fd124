"""Posts entries and takes them back: the entries, the scores they change, the wallets, the facts to tell, in one go.

All that posts holds one lock of the database until it commits. What an entry counts for depends on the others of its
item, and a balance on the line before; batches of several lanes share the same few members, so locks by person would
be taken in as many orders as there are batches and end in deadlocks. What a batch of closings is due is therefore
gathered, and posted together as the last part of its transaction, so the lock is held for a dozen statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import partial
from weakref import WeakKeyDictionary

from redis import Redis
from sqlalchemy import func, select

from services.points.boards import store as boards
from services.points.boards.model import Evaluation, evaluate
from services.points.boards.sorted_sets import sorted_sets
from services.points.entries import store
from services.points.entries.model import Book, Entry, Place, counter_entry
from services.points.periods import store as periods
from services.points.periods.model import first_open, parse
from services.points.rule_sets import store as rule_sets
from services.points.wallets import store as wallets
from services.points.wallets.model import WalletMove, WalletReason, earned
from wangge.chassis.ids import new_id
from wangge.chassis.transaction import Cause, Transaction

#: Any number, the same in all processes: the lock under which entries are posted.
POSTING_LOCK = 7_203_101

_left: WeakKeyDictionary[Transaction, list[tuple[Entry, Cause]]] = WeakKeyDictionary()
"""By transaction: what is left for its end, with the event that it came from."""


def lock(tx: Transaction) -> None:
    """Be the only one who posts, until this transaction ends."""
    tx.execute(select(func.pg_advisory_xact_lock(POSTING_LOCK)))


def open_periods(tx: Transaction, entries: Iterable[Entry]) -> dict[tuple[str, str], str]:
    """By site and period: the period itself, or the next one that is still open. The caller holds the lock."""
    wanted = {(entry.site, entry.period) for entry in entries}
    closed = periods.closed(tx, {site for site, _ in wanted})
    return {(site, code): first_open(parse(code), closed.get(site, set())).code for site, code in wanted}


class Posting:
    """What one transaction posts."""

    def __init__(self, tx: Transaction, redis: Redis) -> None:
        self._tx = tx
        self._boards_in_redis = sorted_sets(redis)
        self._causes: dict[str, Cause] = {}

    def post_at_end(self, due: Iterable[Entry]) -> None:
        """Leave what a closing posts for the end of the transaction."""
        if self._tx not in _left:
            self._tx.before_commit(self.post_left)
        _left.setdefault(self._tx, []).extend((entry, self._tx.cause) for entry in due)

    def post_left(self) -> None:
        """Post what was left: not what the same event has posted before, nor what came from an undone closing."""
        self._causes = {entry.entry_id: cause for entry, cause in _left.get(self._tx, ())}
        due = [entry for entry, _ in _left.pop(self._tx, ())]
        if not due:
            return
        lock(self._tx)
        undone = store.undone(self._tx, {entry.case_no for entry in due if entry.case_no})
        known = store.of_events(self._tx, {entry.event_id for entry in due if entry.event_id})
        new = [
            entry
            for entry in due
            if (entry.event_id, entry.item, entry.person_id) not in known
            and (entry.closing or 0) > undone.get(entry.case_no or "", -1)
        ]
        if new:
            opened = open_periods(self._tx, new)
            new = [entry.moved_to(opened[entry.site, entry.period]) for entry in new]
            book = self._book(new)
            posted = [book.post(entry) for entry in new]
            store.add(self._tx, posted)
            self._settle(posted, book)

    def post(self, reviewed: Entry) -> Entry:
        """Save an entry that has just been posted; answers it with what it counts."""
        book = self._book([reviewed])
        posted = book.post(reviewed)
        store.save(self._tx, posted)
        self._settle([posted], book)
        return posted

    def take_back(self, entries: Sequence[Entry], by: str, reason: str) -> list[Entry]:
        """Take posted entries back by counter-entries; answers them as they are now. Raises `Conflict`."""
        opened = open_periods(self._tx, entries)
        pairs = [
            counter_entry(entry, new_id(), opened[entry.site, entry.period], by, self._tx.now, reason)
            for entry in entries
        ]
        book = self._book([each for pair in pairs for each in pair])
        counters = [book.take_back(counter, taken_back.period) for taken_back, counter in pairs]
        for taken_back, _ in pairs:
            store.save(self._tx, taken_back)
        store.add(self._tx, counters)
        self._settle(counters, book)
        return [taken_back for taken_back, _ in pairs]

    def _book(self, entries: Sequence[Entry]) -> Book:
        """The sums and tallies of these entries' members as they stand."""
        sums = boards.sums_of(self._tx, {(entry.person_id, entry.period) for entry in entries})
        lines = {(entry.person_id, entry.period, entry.item) for entry in entries}
        tallies = store.tallies_of(self._tx, lines)
        used = {entry.rule_set_id for entry in entries} | {each.rule_set_id for each in tallies.values()}
        return Book(rule_sets.get(self._tx, used), sums, tallies)

    def _settle(self, entries: list[Entry], book: Book) -> None:
        """Save what entries, which are posted now, have changed; tell it."""
        store.save_tallies(self._tx, book.tallies)
        rules = rule_sets.get(self._tx, {sums.rule_set_id for sums in book.sums.values()})
        evaluations = {place: evaluate(sums, rules[sums.rule_set_id]) for place, sums in book.sums.items()}
        boards.save_all(self._tx, {place: (sums, evaluations[place]) for place, sums in book.sums.items()})
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
        # a batch ends with the cause of its last event; each entry is told with that of its own
        self._tx.cause = self._causes.get(entry.entry_id, self._tx.cause)
        if entry.reverses is None:
            self._tx.record("points.posted.v1", fact)
        else:
            self._tx.record("points.reversed.v1", fact | {"reverses": entry.reverses, "reason": entry.reason})

    def _refresh_boards(self, entries: list[Entry], evaluations: dict[Place, Evaluation]) -> None:
        sites_of = {entry.person_id: entry.site for entry in entries}
        changed: dict[tuple[str, str], dict[str, Decimal]] = {}
        for (person_id, period), evaluation in evaluations.items():
            changed.setdefault((sites_of[person_id], period), {})[person_id] = evaluation.total
        versions = boards.changed(self._tx, changed.keys())
        for (site, period), totals in changed.items():
            version = versions[site, period]
            self._tx.after_commit(partial(self._boards_in_redis.change, site, period, version, totals))


def _wallet_move(entry: Entry) -> WalletMove:
    delta = earned(entry.part, entry.counted or Decimal(0))
    if entry.reverses is None:
        return WalletMove(entry.person_id, delta, WalletReason.ENTRY, entry.entry_id)
    return WalletMove(entry.person_id, -delta, WalletReason.REVERSAL, entry.entry_id)
