from datetime import UTC, datetime, timedelta, timezone

import pytest

from wangge.chassis.clock import MovableClock, WallClock, movable
from wangge.chassis.errors import Conflict

EVENING = datetime(2023, 9, 14, 19, 0, tzinfo=timezone(timedelta(hours=8)))


def test_a_set_clock_stands_still_until_it_is_advanced_or_released():
    clock = MovableClock()
    clock.set(EVENING)
    assert clock.now() == EVENING == clock.now()
    clock.advance(timedelta(hours=2, seconds=1))
    assert clock.now() == EVENING + timedelta(seconds=7201)
    clock.release()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_advancing_a_running_clock_starts_from_the_present():
    clock = MovableClock()
    clock.advance(timedelta(days=1))
    assert timedelta(hours=23) < clock.now() - datetime.now(UTC) < timedelta(hours=25)


def test_a_clock_is_neither_set_without_an_offset_nor_advanced_backwards():
    with pytest.raises(ValueError, match="offset"):
        MovableClock().set(datetime(2025, 1, 1))  # noqa: DTZ001 (naive on purpose)
    with pytest.raises(ValueError, match="backwards"):
        MovableClock().advance(timedelta(seconds=-1))


def test_the_machines_clock_cannot_be_moved():
    with pytest.raises(Conflict, match="clock.fixed"):
        movable(WallClock())
    assert WallClock().now().tzinfo is UTC
