"""The statutory days that the package knows, and a site's own days on top of them."""

from datetime import date

import pytest

from services.dispatch.calendars.holidays import load_calendar, statutory_days
from services.dispatch.calendars.model import Slot
from tests.unit.dispatch.calendars.test_model import CALENDAR, days
from wangge.chassis.errors import Refusal

FRIDAY, SATURDAY = date(2025, 12, 5), date(2025, 12, 6)


@pytest.mark.parametrize(
    "span", ["2023-09-01..2023-10-31", "2025-01-01..2025-12-31", "2026-01-01..2026-12-31"]
)
def test_package_agrees_with_the_notices_day_by_day(span: str) -> None:
    loaded = load_calendar()
    for day in days(span):
        assert loaded.is_work_day(day) is CALENDAR.is_work_day(day), day


def test_years_without_a_full_notice_are_not_loaded() -> None:
    known = statutory_days()
    assert known.first_year == 2004
    assert known.last_year >= 2026
    with pytest.raises(Refusal):
        load_calendar().is_work_day(date(known.last_year + 1, 1, 4))


def test_own_days_of_the_site_win_over_the_notice() -> None:
    holiday_worked, weekend_off = date(2025, 10, 8), date(2025, 10, 11)
    own = load_calendar(off_days=[FRIDAY, weekend_off], work_days=[SATURDAY, holiday_worked])
    assert [own.is_work_day(day) for day in (FRIDAY, weekend_off)] == [False, False]
    assert [own.is_work_day(day) for day in (SATURDAY, holiday_worked)] == [True, True]
    assert load_calendar().is_work_day(FRIDAY)


def test_site_may_open_a_year_that_the_package_does_not_know() -> None:
    year = statutory_days().last_year + 1
    new_year = date(year, 1, 1)
    opened = load_calendar(off_days=[new_year], last_year=year)
    assert not opened.is_work_day(new_year)
    assert opened.last_year == year


def test_site_cannot_forget_years_that_are_known() -> None:
    assert load_calendar(last_year=2020).last_year == statutory_days().last_year


def test_site_brings_its_own_office_hours() -> None:
    slots = (Slot.parse("08:30-12:00"), Slot.parse("14:30-18:00"))
    assert load_calendar(slots=slots).slots == slots


def test_day_listed_both_off_and_worked_by_the_site_is_refused() -> None:
    with pytest.raises(ValueError, match="as off and as worked: 2025-12-05"):
        load_calendar(off_days=[FRIDAY], work_days=[FRIDAY])
