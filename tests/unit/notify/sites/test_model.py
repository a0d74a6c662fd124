"""Quiet hours and the waiting between tries."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.sites.model import SHANGHAI, QuietHours, Retries, Site, community_of

NIGHT = QuietHours(time(22, 0), time(7, 0))
NAP = QuietHours(time(12, 30), time(14, 0))
RETRIES = Retries(tries=5, first_seconds=5, factor=2, most_seconds=60)


def at(text):
    return datetime.fromisoformat(f"2023-09-{text}+08:00")


@pytest.mark.parametrize(
    ("quiet", "now", "end"),
    [
        (NIGHT, "14 21:59:59", "14 21:59:59"),
        (NIGHT, "14 22:00:00", "15 07:00:00"),
        (NIGHT, "15 00:00:00", "15 07:00:00"),
        (NIGHT, "15 06:59:59", "15 07:00:00"),
        (NIGHT, "15 07:00:00", "15 07:00:00"),
        (NIGHT, "30 23:30:00", None),
        (NAP, "14 12:29:59", "14 12:29:59"),
        (NAP, "14 12:30:00", "14 14:00:00"),
        (NAP, "14 14:00:00", "14 14:00:00"),
    ],
)
def test_quiet_hours_end_in_the_morning_that_follows(quiet, now, end):
    expected = at(end) if end else datetime.fromisoformat("2023-10-01 07:00:00+08:00")
    assert quiet.end(at(now)) == expected


def test_quiet_hours_from_a_time_to_the_same_time_are_none():
    assert QuietHours(time(7), time(7)).end(at("14 07:00:00")) == at("14 07:00:00")


@given(
    st.times().map(lambda each: each.replace(second=0, microsecond=0)),
    st.times().map(lambda each: each.replace(second=0, microsecond=0)),
    st.integers(946_684_800, 4_102_444_800).map(lambda unix: datetime.fromtimestamp(unix, UTC)),
)
def test_end_of_quiet_hours_is_never_before_now_nor_a_day_away_and_is_not_quiet_itself(from_, to, now):
    quiet = QuietHours(from_, to)
    end = quiet.end(now)
    assert now <= end < now + timedelta(days=1)
    assert quiet.end(end) == end
    assert end == now or end.astimezone(SHANGHAI).time() == to


def test_site_without_quiet_hours_disturbs_at_any_time():
    site = Site("s", "140802002901", "社区", "r", {}, None, RETRIES)
    assert site.not_before(at("14 23:00:00")) == at("14 23:00:00")


def test_wait_doubles_up_to_the_most_and_chance_spreads_its_upper_half():
    assert [RETRIES.delay_seconds(attempt, 1) for attempt in (1, 2, 3, 4, 5, 9)] == [5, 10, 20, 40, 60, 60]
    assert [RETRIES.delay_seconds(attempt, 0) for attempt in (1, 2, 9)] == [2.5, 5, 30]


def test_first_wait_is_no_longer_than_the_most():
    assert Retries(3, first_seconds=50, factor=1, most_seconds=10).delay_seconds(1, 1) == 10


@pytest.mark.parametrize(
    ("area", "community"),
    [
        ("14080200290100301", "140802002901"),
        ("14080200290100300", "140802002901"),
        ("140802002901", "140802002901"),
        ("140802002", None),
        ("14", None),
    ],
)
def test_rules_are_those_of_the_community_that_an_area_lies_in(area, community):
    assert community_of(area) == community
