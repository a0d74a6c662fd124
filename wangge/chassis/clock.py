"""The only source of `now` for rules; in tests and demos it can be moved.

Machinery (retries, heartbeats, token expiry) runs on real time and does not ask this clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from wangge.chassis.errors import Conflict


class Clock(Protocol):
    """Tells the present instant, aware, in UTC."""

    def now(self) -> datetime:
        """The present instant."""
        ...


class WallClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)


class MovableClock:
    """A clock that stands still at the instant it was set to, until it is advanced or released.

    Unset, it tells the machine's time.
    """

    def __init__(self, at: datetime | None = None) -> None:
        self._at = at

    @property
    def stands_at(self) -> datetime | None:
        """Where it stands, or None while it runs with the machine's clock."""
        return self._at

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return self._at or datetime.now(UTC)

    def set(self, at: datetime) -> None:
        """Stand still at `at` (aware). Raises `ValueError` for a naive instant."""
        if at.tzinfo is None:
            raise ValueError("the instant needs an offset")
        self._at = at.astimezone(UTC)

    def advance(self, by: timedelta) -> None:
        """Move on by `by` from where it stands. Raises `ValueError` for a step back."""
        if by < timedelta():
            raise ValueError("a clock is not advanced backwards")
        self._at = self.now() + by

    def release(self) -> None:
        """Run with the machine's clock again."""
        self._at = None


def movable(clock: Clock) -> MovableClock:
    """The clock, if it may be moved; else a refusal `clock.fixed`."""
    if not isinstance(clock, MovableClock):
        raise Conflict(
            "clock.fixed", "本系统时钟不可调整", "this clock cannot be moved: WANGGE_MOVABLE_CLOCK is off"
        )
    return clock
