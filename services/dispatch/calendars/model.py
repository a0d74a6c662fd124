"""Decides when something is due: limits, work calendars, and clocks that can be paused.

Five classes of limit (the 运城 implementation of GB/T 30428-8): urgent hours and minutes and natural days run
on day and night; work hours and work days run only while the offices are open. Days may instead be counted as
the Civil Code does (民法典 201 and 203), see `DayMode`. Instants are aware and come back in UTC; the rules
are applied in Asia/Shanghai.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from functools import cached_property, lru_cache

from wangge.chassis.errors import Conflict, Refusal

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
"""The rule zone. A fixed offset: China has UTC+8 without summer time since 1992, before any loaded year."""

ONE_DAY = timedelta(days=1)

#: Largest number in a limit: 273 years of natural days. More is a slip of the finger.
MOST = 99_999


class LimitClass(StrEnum):
    """The unit of a limit, and with it the time in which the limit is counted."""

    URGENT_HOUR = "urgent_hour"
    URGENT_MINUTE = "urgent_minute"
    WORK_HOUR = "work_hour"
    WORK_DAY = "work_day"
    NATURAL_DAY = "natural_day"

    @property
    def is_work(self) -> bool:
        """Whether the limit runs only while the offices are open."""
        return self in (LimitClass.WORK_HOUR, LimitClass.WORK_DAY)

    @property
    def is_days(self) -> bool:
        """Whether the limit is counted in days, so that `DayMode` matters."""
        return self in (LimitClass.WORK_DAY, LimitClass.NATURAL_DAY)


UNITS = {
    LimitClass.URGENT_HOUR: timedelta(hours=1),
    LimitClass.URGENT_MINUTE: timedelta(minutes=1),
    LimitClass.WORK_HOUR: timedelta(hours=1),
    LimitClass.WORK_DAY: timedelta(hours=8),
    LimitClass.NATURAL_DAY: timedelta(days=1),
}
"""Length of one unit in the time it is counted in; a work day is 8 work hours, whatever the office hours."""

LIMIT_CLASS_LABELS = {
    LimitClass.URGENT_HOUR: "紧急工作时",
    LimitClass.URGENT_MINUTE: "紧急分钟",
    LimitClass.WORK_HOUR: "工作时",
    LimitClass.WORK_DAY: "工作日",
    LimitClass.NATURAL_DAY: "自然日",
}


class DayMode(StrEnum):
    """How limits in days end. Hours and minutes always run from the stated moment (民法典 201)."""

    #: A work day is 8 work hours and a natural day 24 hours, from the moment of the start (as in 运城).
    HOURS8 = "hours8"
    #: The start day is not counted, the last day ends at close of business, and a natural last day that is
    #: off moves to the next work day (民法典 201, 203).
    CALENDAR_END = "calendar_end"


@dataclass(frozen=True)
class Limit:
    """A promised length of time: `Limit.parse("2 urgent_hour")`, the text form that site packs write."""

    limit_class: LimitClass
    value: int

    def __post_init__(self) -> None:
        if not 1 <= self.value <= MOST:
            raise ValueError(f"limit must be 1 to {MOST} {self.limit_class}, not {self.value}")

    def __str__(self) -> str:
        return f"{self.value} {self.limit_class}"

    @classmethod
    @lru_cache(maxsize=256)
    def parse(cls, text: str) -> Limit:
        """The limit written as number, space, class. Raises `ValueError` naming what is wrong."""
        value, _, name = text.strip().partition(" ")
        if not (value.isascii() and value.isdigit()):
            raise ValueError(f"limit {text!r}: must start with a whole number, like '2 urgent_hour'")
        if name.strip() not in list(LimitClass):
            raise ValueError(f"limit {text!r}: class must be one of {', '.join(LimitClass)}")
        return cls(LimitClass(name.strip()), int(value))

    @property
    def duration(self) -> timedelta:
        """Its length in the time it counts: work time for work classes, natural time for the others."""
        return UNITS[self.limit_class] * self.value

    @property
    def label(self) -> str:
        """In the words of the field: `2紧急工作时`."""
        return f"{self.value}{LIMIT_CLASS_LABELS[self.limit_class]}"


@dataclass(frozen=True, order=True)
class Slot:
    """A stretch of a work day in which the offices are open, in Asia/Shanghai."""

    opens: time
    closes: time

    def __post_init__(self) -> None:
        if self.opens >= self.closes:
            raise ValueError(f"slot {self}: must close after it opens, on the same day")

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M}"

    @classmethod
    def parse(cls, text: str) -> Slot:
        """The slot written `08:00-12:00`. Raises `ValueError` naming what is wrong."""
        opens, _, closes = text.partition("-")
        try:
            return cls(time.fromisoformat(opens.strip()), time.fromisoformat(closes.strip()))
        except ValueError as wrong:
            raise ValueError(f"slot {text!r}: must look like '08:00-12:00' ({wrong})") from wrong


DEFAULT_SLOTS = (Slot(time(8), time(12)), Slot(time(14), time(18)))
"""Office hours of the 运城 implementation: 8 hours a work day."""


@dataclass(frozen=True)
class WorkCalendar:
    """Which days are worked, and from when to when.

    Monday to Friday are worked and weekends are off, except `off_days` and `work_days`, which the State
    Council's yearly notice sets (放假 and 调休). Days outside `first_year` to `last_year` are refused: their
    notice is not known.
    """

    first_year: int
    last_year: int
    off_days: frozenset[date] = frozenset()
    work_days: frozenset[date] = frozenset()
    slots: tuple[Slot, ...] = DEFAULT_SLOTS

    def __post_init__(self) -> None:
        if self.first_year > self.last_year:
            raise ValueError(f"calendar: first year {self.first_year} is after last year {self.last_year}")
        both = sorted(self.off_days & self.work_days)
        if both:
            raise ValueError(f"calendar: listed as off and as worked: {', '.join(map(str, both))}")
        if not self.slots:
            raise ValueError("calendar: at least one slot is needed")
        for earlier, later in zip(self.slots, self.slots[1:], strict=False):
            if earlier.closes > later.opens:
                raise ValueError(f"calendar: slots must be in order and apart, {earlier} and {later} are not")

    def is_work_day(self, day: date) -> bool:
        """Whether the offices open that day. Refuses (`calendar.year_not_loaded`) an unknown year."""
        if not self.first_year <= day.year <= self.last_year:
            raise self._year_not_loaded(day.year)
        if day.weekday() < 5:
            return day not in self.off_days
        return day in self.work_days

    def next_work_day(self, day: date) -> date:
        """The first worked day after the given one."""
        return self.work_day_from(day + ONE_DAY)

    def work_day_from(self, day: date) -> date:
        """The given day if it is worked, else the first worked day after it."""
        while not self.is_work_day(day):
            day += ONE_DAY
        return day

    def close_of_business(self, day: date) -> datetime:
        """When the last slot of the day ends (民法典 203), as local time without a zone."""
        return datetime.combine(day, self.slots[-1].closes)

    @cached_property
    def spans(self) -> tuple[tuple[timedelta, timedelta], ...]:
        """The slots as distances from midnight."""
        return tuple((_since_midnight(slot.opens), _since_midnight(slot.closes)) for slot in self.slots)

    @cached_property
    def day_length(self) -> timedelta:
        """Work time of one worked day: 8 hours by default."""
        return self.worked_by(ONE_DAY)

    def worked_by(self, moment: timedelta) -> timedelta:
        """Work time of a worked day that has passed at a distance from midnight."""
        passed = (min(moment, closes) - opens for opens, closes in self.spans if moment > opens)
        return sum(passed, timedelta())

    def _year_not_loaded(self, year: int) -> Refusal:
        loaded = f"{self.first_year}-{self.last_year}"
        return Refusal(
            "calendar.year_not_loaded",
            f"工作日历没有{year}年的放假安排（已有{loaded}年），请先补充",
            f"the work calendar has no year {year} (loaded: {loaded})",
        )


def deadline(
    limit: Limit, started_at: datetime, calendar: WorkCalendar, day_mode: DayMode = DayMode.HOURS8
) -> datetime:
    """The last instant that is still on time, in UTC.

    A work limit that starts while the offices are closed, or at the very end of a slot, counts from the next
    opening; one that is used up at the end of a slot is due then, not at the next opening. Refuses
    (`calendar.year_not_loaded`) where counting needs a year the calendar does not know; raises `ValueError`
    for an instant without a zone.
    """
    start = _local(started_at)
    if limit.limit_class.is_days and day_mode is DayMode.CALENDAR_END:
        return _utc(_end_of_days(limit, start.date(), calendar))
    if limit.limit_class.is_work:
        return _utc(_after_work_time(limit.duration, start, calendar))
    return _utc(start + limit.duration)


def elapsed_work_time(start: datetime, end: datetime, calendar: WorkCalendar) -> timedelta:
    """Time between two instants in which the offices were open; negative when `end` lies before `start`.

    Refuses (`calendar.year_not_loaded`) days the calendar does not know; raises `ValueError` for an instant
    without a zone.
    """
    first, last = _local(start), _local(end)
    if last < first:
        return -elapsed_work_time(end, start, calendar)
    worked = sum(calendar.is_work_day(day) for day in _days(first.date(), last.date())) * calendar.day_length
    if calendar.is_work_day(first.date()):
        worked -= calendar.worked_by(_since_midnight(first.time()))
    if calendar.is_work_day(last.date()):
        worked += calendar.worked_by(_since_midnight(last.time()))
    return worked


@dataclass(frozen=True)
class Pause:
    """A stretch in which a clock stood still (挂账); open until it is resumed."""

    paused_at: datetime
    resumed_at: datetime | None = None


@dataclass(frozen=True)
class Clock:
    """One running limit: when it began, when it is due, when it stood still, when it was met.

    Being late is a fact that nothing here undoes: pausing an overdue clock does not move its deadline.
    """

    limit: Limit
    started_at: datetime
    deadline: datetime
    pauses: tuple[Pause, ...] = ()
    finished_at: datetime | None = None

    def __post_init__(self) -> None:
        _aware(self.started_at)
        _aware(self.deadline)

    @classmethod
    def start(
        cls, limit: Limit, at: datetime, calendar: WorkCalendar, day_mode: DayMode = DayMode.HOURS8
    ) -> Clock:
        """A clock that begins to run now; refuses like `deadline`."""
        return cls(limit, _utc(_local(at)), deadline(limit, at, calendar, day_mode))

    @property
    def is_paused(self) -> bool:
        """Whether it stands still."""
        return bool(self.pauses) and self.pauses[-1].resumed_at is None

    @property
    def stopped_at(self) -> datetime | None:
        """Since when it no longer counts: paused or finished, whichever came first; None while it runs."""
        return self.pauses[-1].paused_at if self.is_paused else self.finished_at

    def is_overdue(self, at: datetime) -> bool:
        """Whether it is late: at the deadline it is on time, a second later it is overdue."""
        return self._counted_until(at) > self.deadline

    def remaining(self, at: datetime, calendar: WorkCalendar) -> timedelta:
        """What is left: work time for work classes, natural time for the others, negative when it is late.

        A work limit that ran out at closing time shows zero until the next opening: `is_overdue` decides.
        """
        until = self._counted_until(at)
        if self.limit.limit_class.is_work:
            return elapsed_work_time(until, self.deadline, calendar)
        return self.deadline - until

    def pause(self, at: datetime) -> Clock:
        """The clock standing still. Refuses a finished or paused one, and a moment before its last change."""
        self._refuse_finished()
        self._refuse_backwards(at)
        if self.is_paused:
            raise Conflict("clock.paused", "时限已处于暂停状态", "the clock is already paused")
        return replace(self, pauses=(*self.pauses, Pause(at.astimezone(UTC))))

    def resume(self, at: datetime, calendar: WorkCalendar) -> Clock:
        """The clock running again, due after exactly what was left when it was paused."""
        self._refuse_finished()
        self._refuse_backwards(at)
        if not self.is_paused:
            raise Conflict("clock.not_paused", "时限未处于暂停状态", "the clock is not paused")
        ended = replace(self.pauses[-1], resumed_at=at.astimezone(UTC))
        return replace(self, deadline=self._due_after(at, calendar), pauses=(*self.pauses[:-1], ended))

    def extend(self, calendar: WorkCalendar, day_mode: DayMode = DayMode.HOURS8) -> Clock:
        """The original limit once more, counted from the current deadline (延期). Refuses a finished clock.

        How often, and that it must be asked for before it is overdue, is for the case to decide.
        """
        self._refuse_finished()
        return replace(self, deadline=deadline(self.limit, self.deadline, calendar, day_mode))

    def finish(self, at: datetime) -> Clock:
        """The clock met at a moment, in time or late; a paused one stays paused."""
        self._refuse_finished()
        self._refuse_backwards(at)
        return replace(self, finished_at=at.astimezone(UTC))

    def reopen(self) -> Clock:
        """The clock running on after a failed check, as if never finished: it is not reset."""
        return replace(self, finished_at=None)

    def _counted_until(self, at: datetime) -> datetime:
        return min(_aware(at), self.stopped_at or at)

    def _due_after(self, at: datetime, calendar: WorkCalendar) -> datetime:
        if self.is_overdue(at):
            return self.deadline
        left = self.remaining(at, calendar)
        if left and self.limit.limit_class.is_work:
            return _utc(_after_work_time(left, _local(at), calendar))
        return at.astimezone(UTC) + left

    def _changes(self) -> Iterator[datetime]:
        yield self.started_at
        for pause in self.pauses:
            yield pause.resumed_at or pause.paused_at

    def _refuse_finished(self) -> None:
        if self.finished_at is not None:
            raise Conflict("clock.finished", "时限已结束", "the clock is finished")

    def _refuse_backwards(self, at: datetime) -> None:
        latest = max(self._changes())
        if _aware(at) < latest:
            moment = latest.astimezone(SHANGHAI)
            raise Conflict(
                "clock.backwards",
                f"不能早于{moment:%Y-%m-%d %H:%M:%S}",
                f"must not be before {latest.isoformat()}",
            )


def _end_of_days(limit: Limit, start: date, calendar: WorkCalendar) -> datetime:
    if limit.limit_class is LimitClass.NATURAL_DAY:
        return calendar.close_of_business(calendar.work_day_from(start + limit.value * ONE_DAY))
    day = start
    for _ in range(limit.value):
        day = calendar.next_work_day(day)
    return calendar.close_of_business(day)


def _after_work_time(needed: timedelta, start: datetime, calendar: WorkCalendar) -> datetime:
    """The local moment at which a positive amount of work time has passed."""
    day = start.date()
    if calendar.is_work_day(day):
        # What the first day has already used is owed on top: then every day is taken from its first opening.
        needed += calendar.worked_by(_since_midnight(start.time()))
    else:
        day = calendar.next_work_day(day)
    while needed > calendar.day_length:
        needed -= calendar.day_length
        day = calendar.next_work_day(day)
    return datetime.combine(day, time()) + _moment_worked(needed, calendar)


def _moment_worked(needed: timedelta, calendar: WorkCalendar) -> timedelta:
    """The distance from midnight at which a worked day has given an amount, at most its whole length."""
    *earlier, (last_opens, _) = calendar.spans
    for opens, closes in earlier:
        if needed <= closes - opens:
            return opens + needed
        needed -= closes - opens
    return last_opens + needed


def _days(first: date, last: date) -> Iterator[date]:
    """Each day from the first on, without the last."""
    return (first + timedelta(days=count) for count in range((last - first).days))


def _since_midnight(moment: time) -> timedelta:
    return timedelta(
        hours=moment.hour, minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond
    )


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"instant {instant.isoformat()} has no time zone")
    return instant


def _local(instant: datetime) -> datetime:
    """Wall-clock time in Asia/Shanghai, without a zone."""
    return _aware(instant).astimezone(SHANGHAI).replace(tzinfo=None)


def _utc(local: datetime) -> datetime:
    return local.replace(tzinfo=SHANGHAI).astimezone(UTC)
