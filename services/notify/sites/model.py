"""Decides which community's rules an event falls under, and until when a site's people are left to sleep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone

from wangge.chassis.errors import Conflict, NotFound
from wangge.contracts.areas import Area

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
"""The rule zone; China has UTC+8 without summer time."""

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From when to when nobody is disturbed; through midnight where `to` is not after `from_` (site pack)."""

    from_: time
    to: time

    def end(self, now: datetime) -> datetime:
        """When the quiet hours that hold `now` end (aware UTC); `now` itself outside of them."""
        local = now.astimezone(SHANGHAI)
        if self.from_ < self.to:
            is_quiet, ends_on = self.from_ <= local.time() < self.to, local.date()
        else:
            is_quiet = local.time() >= self.from_ or local.time() < self.to
            ends_on = local.date() + (ONE_DAY if local.time() >= self.from_ else timedelta())
        if not is_quiet or self.from_ == self.to:
            return now
        return datetime.combine(ends_on, self.to, SHANGHAI).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how far apart a delivery is tried (site pack); seconds of real time."""

    tries: int
    first_seconds: float
    factor: float
    most_seconds: float

    def delay_seconds(self, attempt: int, chance: float) -> float:
        """How long to wait after the `attempt`-th failure (1, 2 …): exponential.

        `chance` (0 to 1) spreads it over its upper half, so that what failed together does not come back together.
        """
        most = self.first_seconds
        for _ in range(attempt - 1):
            most = min(most * self.factor, self.most_seconds)
        return min(most, self.most_seconds) * (0.5 + 0.5 * chance)


@dataclass(frozen=True, slots=True)
class Site:
    """A community with its own way of telling. `names` are the Chinese names of its codes."""

    site: str
    area: str
    name: str
    revision: str
    names: Mapping[str, str]
    quiet: QuietHours | None
    retries: Retries

    def not_before(self, now: datetime) -> datetime:
        """The earliest instant at which somebody may be disturbed about a thing that can wait."""
        return self.quiet.end(now) if self.quiet else now


def community_of(area: str) -> str | None:
    """The code of the community whose rules hold for an area; none above the communities."""
    community = Area.parse(area).community
    return community.code if community else None


def unknown_site(site: str) -> NotFound:
    """The refusal of a site that was never applied."""
    return NotFound("site.not_found", "没有这个社区的通知配置", f"no site {site}")


def area_taken(area: str, by: str) -> Conflict:
    """The refusal of a second site for one community."""
    return Conflict("site.area_taken", f"{area} 已由 {by} 配置", f"area {area} belongs to the site {by}")
