from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.periods.model import (
    MOVES,
    PeriodKind,
    PeriodState,
    SitePeriod,
    first_open,
    local_day,
    move,
    parse,
    period_of,
)
from wangge.chassis.errors import Conflict, Invalid

Q3 = parse("2025Q3")
AFTER_Q3 = datetime(2025, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "first_on", "last_on", "following"),
    [
        ("2025Q3", date(2025, 7, 1), date(2025, 9, 30), "2025Q4"),
        ("2025Q4", date(2025, 10, 1), date(2025, 12, 31), "2026Q1"),
        ("2025-09", date(2025, 9, 1), date(2025, 9, 30), "2025-10"),
        ("2025-12", date(2025, 12, 1), date(2025, 12, 31), "2026-01"),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29), "2024-03"),
        ("2025", date(2025, 1, 1), date(2025, 12, 31), "2026"),
    ],
)
def test_code_names_its_first_and_last_day_and_its_successor(code, first_on, last_on, following):
    period = parse(code)
    assert (period.code, period.first_on, period.last_on) == (code, first_on, last_on)
    assert period.next.code == following


@pytest.mark.parametrize(
    "code", ["", "2025Q0", "2025Q5", "2025-00", "2025-13", "2025-9", "25", "0000", "２０２５", "2025Q3\n"]
)
def test_anything_else_is_no_period(code):
    with pytest.raises(Invalid) as refused:
        parse(code)
    assert refused.value.errors[0]["field"] == "period"


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.sampled_from(PeriodKind))
def test_every_day_lies_in_exactly_the_period_that_is_named_for_it(day, kind):
    period = period_of(day, kind)
    assert period.first_on <= day <= period.last_on
    assert parse(period.code) == period
    assert (period.next.first_on - period.last_on).days == 1


def test_days_are_those_of_china():
    assert local_day(datetime(2025, 9, 30, 15, 59, tzinfo=UTC)) == date(2025, 9, 30)
    assert local_day(datetime(2025, 9, 30, 16, 0, tzinfo=UTC)) == date(2025, 10, 1)


def test_closed_periods_are_passed_over():
    assert first_open(Q3, set()) == Q3
    assert first_open(Q3, {"2025Q3", "2025Q4"}).code == "2026Q1"


@pytest.mark.parametrize("state", PeriodState)
@pytest.mark.parametrize("command", MOVES)
def test_only_the_listed_moves_are_allowed(state, command):
    before, after = MOVES[command]
    period = SitePeriod("village", Q3, state)
    if state is before:
        moved = move(period, command, AFTER_Q3, "secretary")
        assert (moved.state, moved.closed_by, moved.closed_at) == (after, "secretary", AFTER_Q3)
    else:
        with pytest.raises(Conflict) as refused:
            move(period, command, AFTER_Q3, "secretary")
        assert refused.value.code == "period.move_forbidden"


def test_period_that_still_runs_is_not_closed():
    last_minute = datetime(2025, 9, 30, 15, 59, tzinfo=UTC)
    with pytest.raises(Conflict) as refused:
        move(SitePeriod("village", Q3), "close", last_minute, "secretary")
    assert refused.value.code == "period.running"
