"""The door to the calendar: a calculator of deadlines."""

from typing import Any

from services.dispatch.calendars.holidays import load_calendar
from services.dispatch.calendars.model import DayMode, Limit, deadline
from services.dispatch.calendars.schemas import DeadlineAnswer, DeadlineQuery
from services.dispatch.sites import store as sites
from wangge.chassis.app import App
from wangge.chassis.http import Ask, route
from wangge.chassis.transaction import Transaction


class CalendarEntrypoints:
    """Questions about working time."""

    app: App

    @route("GET", "/v1/deadline", query=DeadlineQuery(), answer=DeadlineAnswer(), tag="calendars")
    def compute_deadline(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """Compute when a limit that starts at an instant is due."""
        calendar, day_mode = load_calendar(), DayMode.HOURS8
        if ask.query["site"]:
            site = sites.find(tx, ask.query["site"])
            calendar, day_mode = site.calendar, site.day_mode
        due = deadline(Limit.parse(ask.query["limit"]), ask.query["started_at"], calendar, day_mode)
        return {**ask.query, "day_mode": day_mode, "deadline": due}
