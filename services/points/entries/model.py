"""Decides about score entries: who may record, review and take back, and what the posted ones count for.

    recorded -> reviewed -> posted -> reversed
    recorded -> refused

An entry is never changed once posted; it is taken back by a counter-entry that `reverses` it. What counts is worked
out over all entries of an item in a period, so it does not depend on the order in which they came.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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
) -> None:
    """Whether somebody may record this for a member. Raises `Invalid` naming every wrong field."""
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
    if errors:
        raise invalid(errors)


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
    """What a member's entries of one period count for, by part; no part is capped as a whole yet."""

    base: Decimal = ZERO
    award: Decimal = ZERO
    penalty: Decimal = ZERO


class Sheet:
    """One member's posted entries of one period, and what they count for.

    An entry taken back in the same period is gone from it; one taken back in a later period (this one was closed)
    still counts here, and its counter-entry is carried against the later one. `rule_sets` are those of the entries.
    """

    def __init__(self, rule_sets: Mapping[int, RuleSet], entries: Iterable[Entry] = ()) -> None:
        self.rule_sets = rule_sets
        self._counting: dict[str, Entry] = {}
        self._carried: dict[str, Entry] = {}
        for entry in entries:
            if entry.reverses is None:
                if entry.state is EntryState.POSTED or entry.reversed_in != entry.period:
                    self._counting[entry.entry_id] = entry
            elif entry.is_carried:
                self._carried[entry.entry_id] = entry

    def post(self, entry: Entry) -> Decimal:
        """Add a posted entry; answers what it changes."""
        before = self._worth(entry.item)
        self._counting[entry.entry_id] = entry
        return self._worth(entry.item) - before

    def take_back(self, taken_back: Entry) -> Decimal:
        """Take an entry back that was posted here; answers what that changes for the member (not below 0).

        Where a later period bears it, this sheet goes on counting it and the answer is what to carry.
        """
        before = self._worth(taken_back.item)
        if taken_back.reversed_in == taken_back.period:
            del self._counting[taken_back.entry_id]
        else:
            self._counting[taken_back.entry_id] = taken_back
        return before - self._worth(taken_back.item)

    def carry(self, counter: Entry) -> None:
        """Bear a counter-entry for an earlier, closed period."""
        self._carried[counter.entry_id] = counter

    @property
    def sums(self) -> Sums:
        """What counts now, by part."""
        by_item: dict[str, list[Entry]] = defaultdict(list)
        for entry in self._counting.values():
            by_item[entry.item].append(entry)
        parts = dict.fromkeys(Part, ZERO)
        for entries in by_item.values():
            parts[entries[0].part] += self._worth_of(entries)
        for counter in self._carried.values():
            parts[counter.part] -= counter.counted or ZERO
        return Sums(parts[Part.BASE], parts[Part.AWARD], parts[Part.PENALTY])

    @property
    def rule_set(self) -> RuleSet | None:
        """The latest version by which something was posted here; None while the sheet is empty."""
        used = [entry.rule_set_id for entry in (*self._counting.values(), *self._carried.values())]
        return self.rule_sets[max(used)] if used else None

    def _worth(self, item: str) -> Decimal:
        """What the standing entries of an item count for: those taken back by a later period are left out."""
        return self._worth_of(
            [
                entry
                for entry in self._counting.values()
                if entry.item == item and entry.state is EntryState.POSTED
            ]
        )

    def _worth_of(self, entries: list[Entry]) -> Decimal:
        if not entries:
            return ZERO
        latest = max(entry.rule_set_id for entry in entries)
        rule = self.rule_sets[latest].item(entries[0].item)
        values = [entry.value for entry in entries]
        return rule.worth(values) if rule else sum(values, ZERO)
