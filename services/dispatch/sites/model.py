"""Decides by a site's own rules: when something is due there, and which unit leads where nobody is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.dispatch.calendars.model import Clock, DayMode, Limit, WorkCalendar
from wangge.contracts.areas import Area


@dataclass(frozen=True)
class StageLimits:
    """How long a unit may take to claim an order, and a checker to look."""

    claim: Limit
    claim_emergency: Limit
    check: Limit
    check_emergency: Limit

    def of_claim(self, is_emergency: bool) -> Limit:
        """The limit for claiming an order."""
        return self.claim_emergency if is_emergency else self.claim

    def of_check(self, is_emergency: bool) -> Limit:
        """The limit for checking what was handled."""
        return self.check_emergency if is_emergency else self.check


@dataclass(frozen=True)
class Site:
    """A community as its pack describes it to dispatch. `grid_leads`: 17-digit grid -> unit id."""

    site: str
    name: str
    area: str
    revision: str
    calendar: WorkCalendar
    day_mode: DayMode
    stage_limits: StageLimits
    default_category: str
    grid_leads: Mapping[str, str]
    community_unit: str
    ladder: Mapping[str, str]
    default_checkers: tuple[str, ...]

    def clock(self, limit: Limit, started_at: datetime) -> Clock:
        """A clock that runs by this site's calendar. Refuses (`calendar.year_not_loaded`) an unknown year."""
        return Clock.start(limit, started_at, self.calendar, self.day_mode)

    def lead_of(self, area: str) -> str:
        """The unit that leads in a place: the micro-grid's, else the grid's, else the community's."""
        place = Area.parse(area)
        for each in (place, *place.parents):
            if each.code in self.grid_leads:
                return self.grid_leads[each.code]
        return self.community_unit
