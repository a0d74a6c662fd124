"""When something is due: figures of three stories from the field, and the laws that all clocks obey."""

import re
import time as stopwatch
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatch.calendars.model import (
    SHANGHAI,
    Clock,
    DayMode,
    Limit,
    LimitClass,
    Slot,
    WorkCalendar,
    deadline,
    elapsed_work_time,
)
from wangge.chassis.errors import Refusal


def days(*spans: str) -> frozenset[date]:
    """The dates of spans like `2025-10-01..2025-10-08` and single days."""
    listed: set[date] = set()
    for span in spans:
        first, _, last = span.partition("..")
        begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
        listed |= {begin + timedelta(days=count) for count in range((end - begin).days + 1)}
    return frozenset(listed)


# The State Council's notices (放假安排) of 2025 and 2026, and September to October of 2023.
OFF = days(
    "2023-09-29..2023-10-06",
    *("2025-01-01", "2025-01-28..2025-02-04", "2025-04-04..2025-04-06", "2025-05-01..2025-05-05"),
    *("2025-05-31..2025-06-02", "2025-10-01..2025-10-08"),
    *("2026-01-01..2026-01-03", "2026-02-15..2026-02-23", "2026-04-04..2026-04-06", "2026-05-01..2026-05-05"),
    *("2026-06-19..2026-06-21", "2026-09-25..2026-09-27", "2026-10-01..2026-10-07"),
)
WORKED = days(
    *("2023-10-07", "2023-10-08"),
    *("2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28", "2025-10-11"),
    *("2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"),
)
CALENDAR = WorkCalendar(2023, 2026, OFF, WORKED)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def at(text: str) -> datetime:
    """A moment in Shanghai."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def hours(count: int, minutes: int = 0) -> timedelta:
    return timedelta(hours=count, minutes=minutes)


def due(limit: str, start: str, day_mode: DayMode = DayMode.HOURS8) -> datetime:
    return deadline(Limit.parse(limit), at(start), CALENDAR, day_mode)


def a_clock(limit: str = "8 work_hour", start: str = "2025-12-08 10:00") -> Clock:
    return Clock.start(Limit.parse(limit), at(start), CALENDAR)


# The wall that falls off


def test_falling_wall_is_due_two_natural_hours_after_the_report() -> None:
    clock = a_clock("2 urgent_hour", "2023-09-14 19:00")
    assert clock.deadline == at("2023-09-14 21:00")
    assert not clock.is_overdue(at("2023-09-14 21:00:00"))
    assert clock.is_overdue(at("2023-09-14 21:00:01"))


def test_notice_of_the_falling_wall_took_7_h_46_natural_and_5_h_46_work_time() -> None:
    issued, reported = at("2023-09-15 09:50"), at("2023-09-15 17:36")
    assert reported - issued == hours(7, 46)
    assert elapsed_work_time(issued, reported, CALENDAR) == hours(5, 46)


def test_whole_falling_wall_took_22_h_36_natural_and_7_h_36_work_time() -> None:
    reported, closed = at("2023-09-14 19:00"), at("2023-09-15 17:36")
    assert closed - reported == hours(22, 36)
    assert elapsed_work_time(reported, closed, CALENDAR) == hours(7, 36)


# Joint enforcement in three days, and the publicity of a board


@pytest.mark.parametrize(
    ("limit", "start", "hours8", "calendar_end"),
    [
        ("3 work_day", "2025-12-08 10:00", "2025-12-11 10:00", "2025-12-11 18:00"),
        ("3 work_day", "2025-09-30 16:00", "2025-10-11 16:00", "2025-10-11 18:00"),
        # Publicity: the 9th is not counted (民法典 201); 10, 11 (a worked Saturday), 13, 14, 15 are the five.
        ("5 work_day", "2025-10-09 09:00", "2025-10-15 09:00", "2025-10-15 18:00"),
    ],
)
def test_work_days_end_by_the_hour_or_at_close_of_business(
    limit: str, start: str, hours8: str, calendar_end: str
) -> None:
    assert due(limit, start) == at(hours8)
    assert due(limit, start, DayMode.CALENDAR_END) == at(calendar_end)


def test_work_days_beginning_on_a_day_off_count_the_next_worked_day_as_the_first() -> None:
    assert due("1 work_day", "2025-12-06 11:00", DayMode.CALENDAR_END) == at("2025-12-08 18:00")
    assert due("1 work_day", "2025-12-06 11:00") == at("2025-12-08 18:00")


def test_natural_days_run_on_through_the_holiday_by_the_hour() -> None:
    assert due("3 natural_day", "2025-09-30 16:00") == at("2025-10-03 16:00")


def test_natural_days_that_end_on_a_holiday_move_to_the_next_worked_day() -> None:
    assert due("3 natural_day", "2025-09-30 16:00", DayMode.CALENDAR_END) == at("2025-10-09 18:00")
    assert due("3 natural_day", "2025-12-08 16:00", DayMode.CALENDAR_END) == at("2025-12-11 18:00")


@pytest.mark.parametrize("day_mode", DayMode)
def test_hours_run_from_the_stated_moment_in_either_day_mode(day_mode: DayMode) -> None:
    assert due("2 work_hour", "2025-12-08 11:00", day_mode) == at("2025-12-08 15:00")
    assert due("30 urgent_minute", "2025-12-06 23:45", day_mode) == at("2025-12-07 00:15")


@pytest.mark.parametrize(
    ("limit", "start", "end"),
    [
        ("2 work_hour", "2025-12-08 06:30", "2025-12-08 10:00"),
        ("2 work_hour", "2025-12-08 12:30", "2025-12-08 16:00"),
        ("2 work_hour", "2025-12-08 19:00", "2025-12-09 10:00"),
        ("2 work_hour", "2025-12-06 10:00", "2025-12-08 10:00"),
        ("2 work_hour", "2025-12-08 12:00", "2025-12-08 16:00"),
        ("2 work_hour", "2025-12-12 18:00", "2025-12-15 10:00"),
        ("2 work_hour", "2025-12-08 11:59:59", "2025-12-08 15:59:59"),
        ("2 work_hour", "2025-12-08 10:00", "2025-12-08 12:00"),
        ("4 work_hour", "2025-12-08 14:00", "2025-12-08 18:00"),
        ("8 work_hour", "2025-12-08 08:00", "2025-12-08 18:00"),
        ("16 work_hour", "2025-12-08 08:00", "2025-12-09 18:00"),
    ],
    ids=lambda value: value.replace(" ", "_"),
)
def test_work_hours_count_from_the_next_opening_and_may_end_at_closing_time(
    limit: str, start: str, end: str
) -> None:
    assert due(limit, start) == at(end)


# The calendar


@pytest.mark.parametrize("year", [2025, 2026])
def test_every_day_of_the_year_is_worked_or_off_as_the_notice_says(year: int) -> None:
    for day in days(f"{year}-01-01..{year}-12-31"):
        expected = day in WORKED or (day.weekday() < 5 and day not in OFF)
        assert CALENDAR.is_work_day(day) is expected, day


@pytest.mark.parametrize(("year", "worked"), [(2025, 248), (2026, 248)])
def test_year_has_as_many_worked_days_as_weekdays_less_13_holidays(year: int, worked: int) -> None:
    first, after = at(f"{year}-01-01"), at(f"{year}-12-31 23:59:59")
    assert elapsed_work_time(first, after, CALENDAR) == worked * hours(8)


def test_limit_that_needs_a_year_beyond_the_last_loaded_one_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        due("3 work_day", "2026-12-30 10:00")
    assert refused.value.code == "calendar.year_not_loaded"
    assert "2027" in refused.value.zh
    assert "2027" in refused.value.en
    assert due("1 work_day", "2026-12-30 10:00") == at("2026-12-31 10:00")


@pytest.mark.parametrize("limit", ["3 work_day", "3 natural_day"])
def test_days_by_the_civil_code_beyond_the_last_loaded_year_are_refused(limit: str) -> None:
    with pytest.raises(Refusal):
        due(limit, "2026-12-30 10:00", DayMode.CALENDAR_END)


def test_work_time_before_the_first_loaded_year_is_refused() -> None:
    with pytest.raises(Refusal):
        elapsed_work_time(at("2022-12-30 10:00"), at("2023-01-04 10:00"), CALENDAR)


def test_natural_limits_need_no_calendar_year() -> None:
    assert due("24 urgent_hour", "2026-12-31 19:00") == at("2027-01-01 19:00")
    assert due("2 natural_day", "2026-12-31 19:00") == at("2027-01-02 19:00")


def test_other_office_hours_change_the_end_but_not_the_eight_hours_of_a_work_day() -> None:
    short = WorkCalendar(2025, 2025, slots=(Slot.parse("09:00-12:00"), Slot.parse("13:30-17:30")))
    assert deadline(Limit.parse("1 work_day"), at("2025-12-08 09:00"), short) == at("2025-12-09 10:00")
    ends = deadline(Limit.parse("1 work_day"), at("2025-12-08 09:00"), short, DayMode.CALENDAR_END)
    assert ends == at("2025-12-09 17:30")


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (lambda: WorkCalendar(2026, 2025), "first year 2026 is after last year 2025"),
        (
            lambda: WorkCalendar(2025, 2025, days("2025-05-01"), days("2025-05-01")),
            "as off and as worked: 2025-05-01",
        ),
        (lambda: WorkCalendar(2025, 2025, slots=()), "at least one slot"),
        (
            lambda: WorkCalendar(2025, 2025, slots=(Slot(time(8), time(12)), Slot(time(11), time(18)))),
            "08:00-12:00 and 11:00-18:00",
        ),
        (lambda: Slot(time(12), time(8)), "12:00-08:00: must close after it opens"),
        (lambda: Slot.parse("8 to 12"), "'8 to 12': must look like '08:00-12:00'"),
    ],
)
def test_impossible_calendar_is_refused_naming_what_is_wrong(
    broken: Callable[[], object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        broken()


# Limits as text


@pytest.mark.parametrize("limit_class", LimitClass)
def test_limit_survives_its_text(limit_class: LimitClass) -> None:
    limit = Limit(limit_class, 15)
    assert Limit.parse(str(limit)) == limit
    assert limit.label.startswith("15")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "must start with a whole number"),
        ("two urgent_hour", "must start with a whole number"),
        ("1.5 work_day", "must start with a whole number"),
        ("-1 work_day", "must start with a whole number"),
        ("2", "class must be one of urgent_hour, urgent_minute, work_hour, work_day, natural_day"),
        ("2 weeks", "class must be one of"),
        ("0 work_day", "must be 1 to 99999 work_day, not 0"),
        ("100000 work_day", "must be 1 to 99999 work_day, not 100000"),
    ],
)
def test_bad_limit_is_refused_naming_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Limit.parse(text)


# Zones


def test_instants_without_a_zone_are_refused() -> None:
    naive = datetime.fromisoformat("2025-12-08T10:00")
    clock = a_clock()
    for refused in (
        lambda: deadline(Limit.parse("2 urgent_hour"), naive, CALENDAR),
        lambda: elapsed_work_time(naive, at("2025-12-08 11:00"), CALENDAR),
        lambda: elapsed_work_time(at("2025-12-08 11:00"), naive, CALENDAR),
        lambda: Clock(Limit.parse("2 urgent_hour"), naive, naive),
        lambda: clock.is_overdue(naive),
        lambda: clock.pause(naive),
    ):
        with pytest.raises(ValueError, match="has no time zone"):
            refused()


def test_same_instant_in_another_zone_has_the_same_deadline_in_utc() -> None:
    shanghai = at("2025-12-08 10:00")
    elsewhere = shanghai.astimezone(ZoneInfo("America/New_York"))
    for limit_class in LimitClass:
        end = deadline(Limit(limit_class, 3), elsewhere, CALENDAR)
        assert end == deadline(Limit(limit_class, 3), shanghai, CALENDAR)
        assert end.tzinfo is UTC


@given(st.datetimes(datetime.fromisoformat("2004-01-01"), datetime.fromisoformat("2035-12-31")))
def test_rule_zone_is_shanghai_in_every_loaded_year(moment: datetime) -> None:
    assert moment.replace(tzinfo=ZoneInfo("Asia/Shanghai")).utcoffset() == SHANGHAI.utcoffset(None)


# Clocks


def test_paused_work_clock_keeps_its_remaining_work_time_over_the_weekend() -> None:
    clock = a_clock("8 work_hour", "2025-12-11 10:00")  # due Friday 10:00
    paused = clock.pause(at("2025-12-11 16:00"))
    assert paused.remaining(at("2025-12-13 09:00"), CALENDAR) == hours(4)
    assert not paused.is_overdue(at("2025-12-13 09:00"))
    resumed = paused.resume(at("2025-12-15 09:30"), CALENDAR)
    assert resumed.deadline == at("2025-12-15 15:30")
    assert not resumed.is_paused


def test_paused_natural_clock_is_moved_by_the_length_of_the_pause() -> None:
    clock = a_clock("2 urgent_hour", "2025-12-08 10:00").pause(at("2025-12-08 11:30"))
    assert clock.resume(at("2025-12-10 23:00"), CALENDAR).deadline == at("2025-12-10 23:30")


def test_clock_can_be_paused_again_after_it_was_resumed() -> None:
    clock = a_clock("8 work_hour", "2025-12-08 10:00")
    for pause, resume in (("2025-12-08 11:00", "2025-12-08 14:00"), ("2025-12-08 15:00", "2025-12-09 08:00")):
        clock = clock.pause(at(pause)).resume(at(resume), CALENDAR)
    assert clock.deadline == at("2025-12-09 16:00")
    assert len(clock.pauses) == 2


def test_pausing_an_overdue_clock_does_not_heal_it() -> None:
    late = a_clock("1 work_hour", "2025-12-08 10:00").pause(at("2025-12-08 11:00:01"))
    assert late.is_overdue(at("2025-12-09 10:00"))
    resumed = late.resume(at("2025-12-09 10:00"), CALENDAR)
    assert resumed.deadline == at("2025-12-08 11:00")
    assert resumed.remaining(at("2025-12-09 11:00"), CALENDAR) == -hours(8)


def test_clock_paused_on_the_dot_is_due_the_moment_it_is_resumed() -> None:
    clock = a_clock("2 work_hour", "2025-12-12 16:00").pause(at("2025-12-12 18:00"))
    resumed = clock.resume(at("2025-12-13 12:00"), CALENDAR)
    assert resumed.deadline == at("2025-12-13 12:00")
    assert not resumed.is_overdue(at("2025-12-13 12:00"))
    assert resumed.is_overdue(at("2025-12-13 12:00:01"))


def test_work_clock_that_ran_out_at_closing_time_is_overdue_although_no_work_time_has_passed() -> None:
    clock = a_clock("2 work_hour", "2025-12-12 16:00")
    saturday = at("2025-12-13 12:00")
    assert clock.is_overdue(saturday)
    assert clock.remaining(saturday, CALENDAR) == timedelta()


def test_finished_clock_keeps_its_verdict_whenever_it_is_asked() -> None:
    in_time = a_clock("2 urgent_hour", "2025-12-08 10:00").finish(at("2025-12-08 12:00"))
    late = a_clock("2 urgent_hour", "2025-12-08 10:00").finish(at("2025-12-08 12:00:01"))
    assert not in_time.is_overdue(at("2026-01-05 10:00"))
    assert late.is_overdue(at("2026-01-05 10:00"))
    assert late.remaining(at("2026-01-05 10:00"), CALENDAR) == -SECOND


def test_failed_check_lets_the_clock_run_on_without_a_reset() -> None:
    clock = a_clock("2 urgent_hour", "2025-12-08 10:00").finish(at("2025-12-08 11:00")).reopen()
    assert clock == a_clock("2 urgent_hour", "2025-12-08 10:00")
    assert clock.is_overdue(at("2025-12-08 12:00:01"))


def test_case_forced_closed_while_suspended_is_judged_by_when_it_was_suspended() -> None:
    clock = (
        a_clock("2 urgent_hour", "2025-12-08 10:00")
        .pause(at("2025-12-08 11:00"))
        .finish(at("2025-12-09 10:00"))
    )
    assert not clock.is_overdue(at("2025-12-10 10:00"))


@pytest.mark.parametrize(
    ("limit", "start", "day_mode", "end"),
    [
        ("2 urgent_hour", "2025-12-08 10:00", DayMode.HOURS8, "2025-12-08 14:00"),
        ("4 work_hour", "2025-12-12 14:00", DayMode.HOURS8, "2025-12-15 12:00"),
        ("3 work_day", "2025-12-08 10:00", DayMode.HOURS8, "2025-12-16 10:00"),
        ("3 work_day", "2025-12-08 10:00", DayMode.CALENDAR_END, "2025-12-16 18:00"),
    ],
)
def test_extension_adds_the_original_limit_to_the_current_deadline(
    limit: str, start: str, day_mode: DayMode, end: str
) -> None:
    clock = Clock.start(Limit.parse(limit), at(start), CALENDAR, day_mode)
    assert clock.extend(CALENDAR, day_mode).deadline == at(end)


def test_clock_extended_while_paused_gains_the_extension_when_resumed() -> None:
    clock = a_clock("2 urgent_hour", "2025-12-08 10:00").pause(at("2025-12-08 11:00")).extend(CALENDAR)
    assert clock.resume(at("2025-12-09 08:00"), CALENDAR).deadline == at("2025-12-09 11:00")


@pytest.mark.parametrize(
    ("code", "move"),
    [
        ("clock.paused", lambda clock: clock.pause(at("2025-12-08 11:00")).pause(at("2025-12-08 11:30"))),
        ("clock.not_paused", lambda clock: clock.resume(at("2025-12-08 11:00"), CALENDAR)),
        ("clock.backwards", lambda clock: clock.pause(at("2025-12-08 09:59:59"))),
        ("clock.backwards", lambda clock: clock.finish(at("2025-12-08 09:59:59"))),
        (
            "clock.backwards",
            lambda clock: clock.pause(at("2025-12-08 11:00")).resume(at("2025-12-08 10:30"), CALENDAR),
        ),
        ("clock.finished", lambda clock: clock.finish(at("2025-12-08 11:00")).pause(at("2025-12-08 11:30"))),
        ("clock.finished", lambda clock: clock.finish(at("2025-12-08 11:00")).extend(CALENDAR)),
        ("clock.finished", lambda clock: clock.finish(at("2025-12-08 11:00")).finish(at("2025-12-08 11:00"))),
        (
            "clock.finished",
            lambda clock: (
                clock.pause(at("2025-12-08 10:30"))
                .finish(at("2025-12-08 11:00"))
                .resume(at("2025-12-08 11:30"), CALENDAR)
            ),
        ),
    ],
)
def test_clock_refuses_what_makes_no_sense(code: str, move: Callable[[Clock], Clock]) -> None:
    with pytest.raises(Refusal) as refused:
        move(a_clock())
    assert refused.value.code == code


# Laws

MOMENTS = st.datetimes(datetime.fromisoformat("2025-01-01"), datetime.fromisoformat("2026-06-30")).map(
    lambda local: local.replace(tzinfo=SHANGHAI)
)
LIMITS = st.builds(Limit, st.sampled_from(LimitClass), st.integers(1, 60))
WORK_HOURS = st.builds(Limit, st.just(LimitClass.WORK_HOUR), st.integers(1, 300))
MODES = st.sampled_from(DayMode)


@given(LIMITS, MOMENTS, MOMENTS, MODES)
def test_later_start_is_never_due_earlier(
    limit: Limit, one: datetime, other: datetime, mode: DayMode
) -> None:
    earlier, later = sorted((one, other))
    assert deadline(limit, earlier, CALENDAR, mode) <= deadline(limit, later, CALENDAR, mode)


@given(LIMITS, MOMENTS, MODES)
def test_deadline_lies_after_the_start(limit: Limit, start: datetime, mode: DayMode) -> None:
    assert deadline(limit, start, CALENDAR, mode) > start


@given(LIMITS.filter(lambda limit: limit.limit_class.is_work), MOMENTS, MODES)
def test_deadline_of_a_work_limit_lies_in_a_slot_of_a_worked_day(
    limit: Limit, start: datetime, mode: DayMode
) -> None:
    end = deadline(limit, start, CALENDAR, mode).astimezone(SHANGHAI)
    assert CALENDAR.is_work_day(end.date())
    assert any(slot.opens < end.time() <= slot.closes for slot in CALENDAR.slots)


@given(WORK_HOURS, MOMENTS)
def test_work_time_until_the_deadline_is_the_limit(limit: Limit, start: datetime) -> None:
    assert elapsed_work_time(start, deadline(limit, start, CALENDAR), CALENDAR) == limit.value * hours(1)


@given(MOMENTS, MOMENTS, MOMENTS)
def test_work_time_adds_up_and_runs_backwards_as_forwards(
    one: datetime, two: datetime, three: datetime
) -> None:
    whole = elapsed_work_time(one, three, CALENDAR)
    assert whole == elapsed_work_time(one, two, CALENDAR) + elapsed_work_time(two, three, CALENDAR)
    assert whole == -elapsed_work_time(three, one, CALENDAR)


def worked_minutes(start: datetime, minutes: int) -> int:
    """Minutes in which the offices are open, counted one by one: the slow way to the same answer."""
    moments = (start + count * MINUTE for count in range(minutes))
    return sum(
        CALENDAR.is_work_day(moment.date())
        and any(slot.opens <= moment.time() < slot.closes for slot in CALENDAR.slots)
        for moment in moments
    )


@given(MOMENTS.map(lambda moment: moment.replace(second=0, microsecond=0)), st.integers(0, 3000))
def test_work_time_equals_the_open_minutes_counted_one_by_one(start: datetime, minutes: int) -> None:
    assert (
        elapsed_work_time(start, start + minutes * MINUTE, CALENDAR)
        == worked_minutes(start, minutes) * MINUTE
    )


@given(LIMITS, MOMENTS, MODES, st.floats(0, 1), st.timedeltas(timedelta(), timedelta(days=40)))
def test_pause_and_resume_conserve_what_was_left(
    limit: Limit, start: datetime, mode: DayMode, share: float, length: timedelta
) -> None:
    clock = Clock.start(limit, start, CALENDAR, mode)
    paused_at = start + share * (clock.deadline - start)
    resumed_at = paused_at + length
    paused = clock.pause(paused_at)
    resumed = paused.resume(resumed_at, CALENDAR)
    assert paused.remaining(resumed_at, CALENDAR) == clock.remaining(paused_at, CALENDAR)
    assert resumed.remaining(resumed_at, CALENDAR) == clock.remaining(paused_at, CALENDAR)
    assert not resumed.is_overdue(resumed_at)


@given(LIMITS, MOMENTS, MODES, st.floats(0, 1, exclude_max=True))
def test_pause_of_no_length_changes_nothing(
    limit: Limit, start: datetime, mode: DayMode, share: float
) -> None:
    clock = Clock.start(limit, start, CALENDAR, mode)
    moment = start + share * (clock.deadline - start)
    assert clock.pause(moment).resume(moment, CALENDAR).deadline == clock.deadline


# Speed


def microseconds(limit: str, start: str, rounds: int = 500) -> float:
    """The fastest of several runs, so that a busy machine does not fail the test."""
    wanted, moment = Limit.parse(limit), at(start)
    best = float("inf")
    for _ in range(5):
        began = stopwatch.perf_counter()
        for _ in range(rounds):
            deadline(wanted, moment, CALENDAR)
        best = min(best, (stopwatch.perf_counter() - began) / rounds)
    return best * 1_000_000


@pytest.mark.parametrize("limit", ["2 urgent_hour", "4 work_hour", "3 work_day"])
def test_everyday_deadline_costs_less_than_100_microseconds(limit: str) -> None:
    assert microseconds(limit, "2025-09-30 16:00") < 100


def test_deadline_of_60_work_days_does_not_scan_minutes() -> None:
    assert microseconds("60 work_day", "2025-09-30 16:00", rounds=50) < 500
