"""Dispatch's part: the work calendar, the category catalogue with its limits, who leads, and the ladder."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from wangge.contracts.fields import PERSON_ID, matching, one_of, text
from wangge.contracts.sites.base import LEVELS, Mistakes, SitePart, Strict, grid, limit, time_of_day
from wangge.contracts.sites.roles import ROLES


class WorkCalendar(Strict):
    """Working hours and the days that differ from the statutory ones."""

    day_mode = one_of("hours8", "calendar_end", load_default="hours8")
    slots = fields.List(
        fields.Tuple((time_of_day(), time_of_day())),
        load_default=lambda: [("08:00", "12:00"), ("14:00", "18:00")],
        validate=validate.Length(min=1),
    )
    off = fields.List(fields.Date(), load_default=list)
    work = fields.List(fields.Date(), load_default=list)
    last_year = fields.Integer(
        allow_none=True,
        load_default=None,
        validate=validate.Range(2000, 2200),
        metadata={
            "description": "`off` and `work` are complete to the end of this year, past the statutory notices"
        },
    )


class CaseCategory(Strict):
    """One row of the catalogue: what it is, how long it may take, who handles it, when it counts as done."""

    code = text(16, required=True)
    name = text(60, required=True)
    family = one_of("component", "event", "people", "service", "enforcement", required=True)
    limit = limit(required=True)
    clock_from = one_of("report", "dispatch", load_default="dispatch")
    lead = matching(PERSON_ID, allow_none=True, load_default=None)
    assist = fields.List(matching(PERSON_ID), load_default=list)
    level = one_of(*LEVELS, required=True)
    closing_condition = text(200, required=True)
    on_spot_allowed = fields.Boolean(load_default=False)
    needs_check = fields.Boolean(load_default=True)
    pool = fields.Boolean(
        load_default=False, metadata={"description": "the first unit that claims it has it"}
    )
    units_allowed = fields.List(
        matching(PERSON_ID), load_default=list, metadata={"description": "who may claim it from the pool"}
    )


class StageLimits(Strict):
    """How long the steps around the handling may take."""

    claim = limit(load_default="4 work_hour")
    claim_emergency = limit(load_default="30 urgent_minute")
    check = limit(load_default="1 work_day")
    check_emergency = limit(load_default="30 urgent_minute")


class DispatchPart(SitePart):
    """Dispatch's part of a site pack. A grid without a lead of its own falls to `community_unit`."""

    part = "dispatch"

    calendar = fields.Nested(WorkCalendar, load_default=lambda: WorkCalendar().load({}))
    categories = fields.List(fields.Nested(CaseCategory), required=True, validate=validate.Length(min=1))
    default_category = text(16, required=True)
    grid_leads = fields.Dict(keys=grid(), values=matching(PERSON_ID), load_default=dict)
    community_unit = matching(PERSON_ID, required=True)
    stage_limits = fields.Nested(StageLimits, load_default=lambda: StageLimits().load({}))
    ladder = fields.Dict(keys=one_of(*LEVELS), values=one_of(*ROLES), required=True)
    default_checkers = fields.List(one_of(*ROLES), required=True, validate=validate.Length(min=1))

    def contradictions(self, data: Mapping[str, Any], mistakes: Mistakes) -> None:
        """Codes are unique, slots in order, nobody leads and assists at once, the ladder is whole."""
        mistakes.repeated("categories", data["categories"], "code")
        codes = {category["code"] for category in data["categories"]}
        mistakes.unknown("category", data["default_category"], codes, "default_category")
        for i, category in enumerate(data["categories"]):
            self._check_category(category, mistakes, i)
        for code in data["grid_leads"]:
            if not code.startswith(data["area"]):
                mistakes.add(f"{code} does not belong to the community {data['area']}", "grid_leads", code)
        for level in LEVELS:
            if level not in data["ladder"]:
                mistakes.add(f"no role for {level}", "ladder", level)
        self._check_calendar(data["calendar"], mistakes)

    @staticmethod
    def _check_category(category: Mapping[str, Any], mistakes: Mistakes, i: int) -> None:
        if category["lead"] in category["assist"]:
            mistakes.add(f"{category['lead']} leads and assists", "categories", i, "assist")
        if category["pool"] and not category["units_allowed"]:
            mistakes.add("a pool that nobody may claim from", "categories", i, "units_allowed")

    @staticmethod
    def _check_calendar(calendar: Mapping[str, Any], mistakes: Mistakes) -> None:
        end = ""
        for i, (begins, ends) in enumerate(calendar["slots"]):
            if not end <= begins < ends:
                mistakes.add("slots must follow one another", "calendar", "slots", i)
            end = ends
        for i, day in enumerate(calendar["work"]):
            if day in calendar["off"]:
                mistakes.add(f"{day} is both off and work", "calendar", "work", i)
