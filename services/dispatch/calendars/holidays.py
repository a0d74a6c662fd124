"""Fetches the days off and the weekends worked: the State Council's yearly notices, then the site's own days.

The notices come from the package chinesecalendar as plain data, for the years it knows. A year it does not
know yet is opened by a site pack that lists that year's days and moves `last_year`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache

import chinese_calendar

from services.dispatch.calendars.model import DEFAULT_SLOTS, Slot, WorkCalendar


@dataclass(frozen=True)
class DayTable:
    """Days that break the rule "Monday to Friday", for every year from the first to the last."""

    first_year: int
    last_year: int
    off_days: frozenset[date]
    work_days: frozenset[date]


@cache
def statutory_days() -> DayTable:
    """Days off and weekends worked by the yearly notices that the installed chinesecalendar knows."""
    off, worked = frozenset(chinese_calendar.holidays), frozenset(chinese_calendar.workdays)
    # A notice may name a day of the next January; a year is known once its own National Day is listed.
    known = [day.year for day in off if (day.month, day.day) == (10, 1)]
    return DayTable(min(known), max(known), off, worked)


def load_calendar(
    off_days: Iterable[date] = (),
    work_days: Iterable[date] = (),
    last_year: int | None = None,
    slots: tuple[Slot, ...] = DEFAULT_SLOTS,
) -> WorkCalendar:
    """The statutory calendar with a site's own days on top: theirs win over the notice.

    `last_year` opens years that the notices do not reach; the site answers for their being complete. Raises
    `ValueError` for a day that the site lists both as off and as worked.
    """
    statutory, off, worked = statutory_days(), frozenset(off_days), frozenset(work_days)
    both = sorted(off & worked)
    if both:
        raise ValueError(f"calendar: listed as off and as worked: {', '.join(map(str, both))}")
    return WorkCalendar(
        first_year=statutory.first_year,
        last_year=max(statutory.last_year, last_year or 0),
        off_days=(statutory.off_days - worked) | off,
        work_days=(statutory.work_days - off) | worked,
        slots=slots,
    )
