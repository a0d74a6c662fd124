"""Decides which period a day belongs to, and whether a period still takes entries.

A period is a month `2025-09`, a quarter `2025Q3` or a year `2025`; days are those of Asia/Shanghai.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from wangge.chassis.errors import Conflict, invalid

CHINA = ZoneInfo("Asia/Shanghai")

QUARTER_MONTHS = 3


class PeriodKind(StrEnum):
    """How long a period is; the site pack says which kind a community counts by."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class PeriodState(StrEnum):
    """Where a period is in its life."""

    OPEN = "open"
    CLOSING = "closing"
    PUBLICITY = "publicity"
    FINAL = "final"
    ARCHIVED = "archived"


MOVES = {"close": (PeriodState.OPEN, PeriodState.CLOSING)}
"""Command: from, to. Publicity (公示) and what follows it come with the board's publication."""


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of days by its code; `first_on` and `last_on` belong to it."""

    code: str
    kind: PeriodKind
    first_on: date
    last_on: date

    @property
    def next(self) -> "Period":
        """The period that follows."""
        return period_of(self.last_on + timedelta(days=1), self.kind)


@dataclass(frozen=True, slots=True)
class SitePeriod:
    """A period as one site counts it. One that nobody has closed is open."""

    site: str
    period: Period
    state: PeriodState = PeriodState.OPEN
    closed_at: datetime | None = None
    closed_by: str | None = None


def local_day(at: datetime) -> date:
    """The day in Asia/Shanghai of an aware instant."""
    return at.astimezone(CHINA).date()


def period_of(day: date, kind: PeriodKind) -> Period:
    """The period of this kind to which the day belongs."""
    match kind:
        case PeriodKind.YEAR:
            return _stretch(f"{day.year:04d}", kind, day.year, 1, 12)
        case PeriodKind.QUARTER:
            quarter = (day.month - 1) // QUARTER_MONTHS
            code = f"{day.year:04d}Q{quarter + 1}"
            return _stretch(code, kind, day.year, QUARTER_MONTHS * quarter + 1, QUARTER_MONTHS)
        case PeriodKind.MONTH:
            return _stretch(f"{day.year:04d}-{day.month:02d}", kind, day.year, day.month, 1)


def parse(code: str) -> Period:
    """The period of a code. Raises `Invalid`."""
    for kind, pattern in _PATTERNS.items():
        found = re.fullmatch(pattern, code)
        if found and int(found[1]):
            number = int(found[2]) if found.lastindex == 2 else 1
            month = QUARTER_MONTHS * (number - 1) + 1 if kind is PeriodKind.QUARTER else number
            return period_of(date(int(found[1]), month, 1), kind)
    message = "not a period: a quarter `2025Q3`, a month `2025-09` or a year `2025`"
    raise invalid([{"field": "period", "message": message}])


def first_open(period: Period, closed: Collection[str]) -> Period:
    """The period itself, or the next one that was not closed; `closed` are codes."""
    while period.code in closed:
        period = period.next
    return period


def move(period: SitePeriod, command: str, now: datetime, by: str) -> SitePeriod:
    """The period after `command`. Raises `Conflict` (`period.move_forbidden`, `period.running`)."""
    before, after = MOVES[command]
    if period.state is not before:
        allowed = [name for name, (source, _) in MOVES.items() if source is period.state]
        raise Conflict(
            "period.move_forbidden",
            "该计分周期当前状态不能这样操作",
            f"not from {period.state}",
            extra={"allowed": allowed},
        )
    if local_day(now) <= period.period.last_on:
        raise Conflict(
            "period.running",
            f"{period.period.code} 尚未结束，不能关闭",
            f"{period.period.code} runs until {period.period.last_on}",
        )
    return replace(period, state=after, closed_at=now, closed_by=by)


_PATTERNS = {
    PeriodKind.QUARTER: r"([0-9]{4})Q([1-4])",
    PeriodKind.MONTH: r"([0-9]{4})-(0[1-9]|1[0-2])",
    PeriodKind.YEAR: r"([0-9]{4})",
}


def _stretch(code: str, kind: PeriodKind, year: int, month: int, months: int) -> Period:
    past = month + months
    last = date(year + (past > 12), (past - 1) % 12 + 1, 1) - timedelta(days=1) if year < 9999 else date.max
    return Period(code, kind, date(year, month, 1), last)
