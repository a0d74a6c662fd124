"""Decides about score entries: who may record, review and take back, and what the posted ones count for.

    recorded -> reviewed -> posted -> reversed
    recorded -> refused

An entry is never changed once posted; it is taken back by a counter-entry that `reverses` it. What counts is worked
out over all entries of an item in a period, so it does not depend on the order in which they came.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from services.points.rule_sets.model import Part, RuleItem, RuleSet
from wangge.chassis.errors import Conflict, FieldError, Forbidden, invalid

ZERO = Decimal(0)


class EntryState(StrEnum):
    """Where an entry is in its life."""

    RECORDED = "recorded"
    REVIEWED = "reviewed"
    POSTED = "posted"
    REVERSED = "reversed"
    REFUSED = "refused"


class Source(StrEnum):
    """Who recorded an entry: a person, or an event by the rule set."""

    MANUAL = "manual"
    EVENT = "event"


class Decision(StrEnum):
    """What a reviewer decides."""

    POST = "post"
    REFUSE = "refuse"


MOVES = {
    "review": (EntryState.RECORDED, EntryState.REVIEWED),
    "post": (EntryState.REVIEWED, EntryState.POSTED),
    "refuse": (EntryState.RECORDED, EntryState.REFUSED),
    "reverse": (EntryState.POSTED, EntryState.REVERSED),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A score entry. `value` is what the rule gives it, `counted` what it changed within the limits of its item.

    `event_id`, `case_no` and `closing` name what an event's entry came from. A counter-entry names what it
    `reverses`; it `is_carried` where it takes back in a later period than the one it was earned in.
    """

    entry_id: str
    person_id: str
    site: str
    area: str
    item: str
    part: Part
    value: Decimal
    rule_set_id: int
    period: str
    occurred_on: date
    state: EntryState
    source: Source
    recorded_by: str
    recorded_at: datetime
    counted: Decimal | None = None
    event_id: str | None = None
    case_no: str | None = None
    closing: int | None = None
    evidence: tuple[Mapping[str, Any], ...] = ()
    note: str | None = None
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None
    review_note: str | None = None
    posted_at: datetime | None = None
    reverses: str | None = None
    is_carried: bool = False
    reversed_by: str | None = None
    reversed_in: str | None = None
    reason: str | None = None
    version: int = 1

    def moved_to(self, period: str) -> "Entry":
        """The same entry counted in `period`; where that is not its own, its own is closed and the note says so."""
        if period == self.period:
            return self
        shifted = f"{self.period} 已关闭，计入 {period}"
        return replace(self, period=period, note=f"{self.note}；{shifted}" if self.note else shifted)


def check_record(
    item: RuleItem | None,
    value: Decimal | None,
    evidence: Iterable[object],
    occurred_on: date,
    today: date,
) -> RuleItem:
    """The item by which this may be recorded for a member. Raises `Invalid` naming every wrong field."""
    errors: list[FieldError] = []
    if occurred_on > today:
        errors.append({"field": "occurred_on", "message": f"lies after today, {today}"})
    if item is None:
        errors.append({"field": "item", "message": f"the rules of {occurred_on} have no such item"})
    else:
        if value is not None and not item.allows(value):
            least = item.value if item.value_min is None else item.value_min
            message = f"the rules give {_span(least, item.value)}"
            errors.append({"field": "value", "message": message})
        if item.evidence_required and not list(evidence):
            errors.append({"field": "evidence", "message": f"{item.code} needs evidence"})
    if errors or item is None:
        raise invalid(errors)
    return item


def review(entry: Entry, decision: Decision, by: str, now: datetime, note: str | None) -> Entry:
    """The entry as its reviewer decided. Raises `Forbidden` (`entry.same_person`), `Conflict`."""
    command = "review" if decision is Decision.POST else "refuse"
    after = _moved(entry, command)
    if by == entry.recorded_by:
        raise Forbidden(
            "entry.same_person", "记分与审核不能是同一人", "whoever recorded an entry does not review it"
        )
    return replace(after, reviewed_by=by, reviewed_at=now, review_note=note)


def post(entry: Entry, period: str, now: datetime) -> Entry:
    """The reviewed entry, posted to `period`."""
    return replace(_moved(entry, "post"), posted_at=now).moved_to(period)


def counter_entry(
    entry: Entry, entry_id: str, period: str, by: str, now: datetime, reason: str
) -> tuple[Entry, Entry]:
    """The posted entry taken back, and the counter-entry that does it, in `period`.

    Raises `Conflict` (`entry.move_forbidden`, `entry.is_counter`).
    """
    if entry.reverses:
        raise Conflict("entry.is_counter", "冲正记录不能再冲正", "a counter-entry is not taken back")
    taken_back = replace(_moved(entry, "reverse"), reversed_by=entry_id, reversed_in=period, reason=reason)
    counter = replace(
        replace(entry, note=None).moved_to(period),
        entry_id=entry_id,
        recorded_by=by,
        recorded_at=now,
        posted_at=now,
        counted=None,
        event_id=None,
        evidence=(),
        reviewed_by=None,
        reviewed_at=None,
        review_note=None,
        reverses=entry.entry_id,
        is_carried=period != entry.period,
        reason=reason,
        version=1,
    )
    return taken_back, counter


def _moved(entry: Entry, command: str) -> Entry:
    before, after = MOVES[command]
    if entry.state is not before:
        allowed = [name for name, (source, _) in MOVES.items() if source is entry.state]
        raise Conflict(
            "entry.move_forbidden",
            "该记录当前状态不能这样操作",
            f"not from {entry.state}",
            extra={"allowed": allowed},
        )
    return replace(entry, state=after, version=entry.version + 1)


def _span(least: Decimal, most: Decimal) -> str:
    return str(most) if least == most else f"{least} to {most}"


@dataclass(frozen=True, slots=True)
class Sums:
    """What a member's entries of one period count for, by part; no part is capped as a whole yet.

    `rule_set_id` is the latest version by which something was posted; 0 while nothing was.
    """

    base: Decimal = ZERO
    award: Decimal = ZERO
    penalty: Decimal = ZERO
    rule_set_id: int = 0

    def plus(self, part: Part, amount: Decimal, rule_set_id: int) -> "Sums":
        """The sums after `amount` more of a part; less where it is negative."""
        latest = max(self.rule_set_id, rule_set_id)
        match part:
            case Part.BASE:
                return replace(self, base=self.base + amount, rule_set_id=latest)
            case Part.AWARD:
                return replace(self, award=self.award + amount, rule_set_id=latest)
            case Part.PENALTY:
                return replace(self, penalty=self.penalty + amount, rule_set_id=latest)


@dataclass(frozen=True, slots=True)
class Tally:
    """The entries of one member, period and item that nobody has taken back: how many there are of each value."""

    times: Mapping[Decimal, int] = field(default_factory=dict)
    rule_set_id: int = 0

    def plus(self, value: Decimal, more: int, rule_set_id: int) -> "Tally":
        """The tally with `more` entries of this value; fewer where it is negative."""
        times = {**self.times, value: self.times.get(value, 0) + more}
        left = {each: count for each, count in times.items() if count}
        return Tally(left, max(self.rule_set_id, rule_set_id))


Place = tuple[str, str]
"""Person and period."""

Line = tuple[str, str, str]
"""Person, period and item."""


class Book:
    """Posts entries to the sums and tallies it was opened with, which it needs for every place and line.

    An entry taken back in its own period leaves that period's sums; one whose period is closed still counts there,
    and the period of its counter-entry bears it. In each period the sums are what its entries have `counted`, less
    what its counter-entries have.
    """

    def __init__(
        self, rule_sets: Mapping[int, RuleSet], sums: Mapping[Place, Sums], tallies: Mapping[Line, Tally]
    ) -> None:
        self._rule_sets = rule_sets
        self.sums = dict(sums)
        self.tallies = dict(tallies)

    def post(self, entry: Entry) -> Entry:
        """Post an entry; answers it with what it counts."""
        counted = self._count(entry, entry.period, 1)
        self._add(entry, counted)
        return replace(entry, counted=counted)

    def take_back(self, counter: Entry, period: str) -> Entry:
        """Post a counter-entry for an entry of `period`; answers it with what it takes back."""
        counted = -self._count(counter, period, -1)
        self._add(counter, -counted)
        return replace(counter, counted=counted)

    def _count(self, entry: Entry, period: str, more: int) -> Decimal:
        line = (entry.person_id, period, entry.item)
        before = self.tallies.get(line, Tally())
        after = before.plus(entry.value, more, entry.rule_set_id)
        self.tallies[line] = after
        return self._worth(entry.item, after) - self._worth(entry.item, before)

    def _add(self, entry: Entry, amount: Decimal) -> None:
        place = (entry.person_id, entry.period)
        self.sums[place] = self.sums.get(place, Sums()).plus(entry.part, amount, entry.rule_set_id)

    def _worth(self, item: str, tally: Tally) -> Decimal:
        rule = self._rule_sets[tally.rule_set_id].item(item) if tally.rule_set_id else None
        if rule is None:
            return sum((value * count for value, count in tally.times.items()), ZERO)
        return rule.worth(tally.times)
