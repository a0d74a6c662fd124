"""Decides how a report becomes a case: its number, its category's terms, and the units it goes to at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from services.dispatch.calendars.model import SHANGHAI
from services.dispatch.cases.handling import dispatch, handling_clock
from services.dispatch.cases.model import SYSTEM, Case, CaseState, FlowRecord, Moved
from services.dispatch.cases.parts import Assignment, PartState, Stage, StageClock
from services.dispatch.categories.model import Category, ClockFrom
from services.dispatch.sites.model import Site
from wangge.chassis.errors import Conflict
from wangge.contracts.areas import Area

#: The most cases that one county can file in a day: the serial has five digits.
LAST_SERIAL = 99_999


@dataclass(frozen=True, slots=True)
class Report:
    """What intake says of a report that it accepted."""

    report_code: str
    channel: str
    category: str
    urgency: str
    area: str
    summary: str
    received_at: datetime
    reporter: str
    is_confidential: bool = False
    location: Mapping[str, Any] | None = None

    def filed_at(self, now: datetime) -> datetime:
        """When its case is filed: now, and never before the report came in."""
        return max(now, self.received_at)


def filing_day(at: datetime) -> date:
    """The day in China that counts for the case number."""
    return at.astimezone(SHANGHAI).date()


def county_of(area: str) -> str:
    """The six digits that a case number begins with."""
    return Area.parse(area).code[:6]


def case_number(area: str, at: datetime, serial: int) -> str:
    """19 digits: county, day of filing, serial of that county and day. Refuses `case.serial_exhausted`."""
    if serial > LAST_SERIAL:
        raise Conflict(
            "case.serial_exhausted",
            f"当日案件号已用完（{LAST_SERIAL}）",
            f"all {LAST_SERIAL} case numbers of {county_of(area)} on {filing_day(at)} are used",
        )
    return f"{county_of(area)}{filing_day(at):%Y%m%d}{serial:05d}"


def file(report: Report, case_no: str, site: Site, category: Category, now: datetime) -> list[Moved]:
    """The case as filed, and as dispatched where it does not wait in the pool.

    It goes to the lead that the category names, else to the grid's, else to the community's unit.
    """
    filed = _filed(report, case_no, site, category, now)
    if category.pool:
        return [filed]
    lead = category.lead or site.lead_of(report.area)
    assist = [unit for unit in category.assist if unit != lead]
    return [filed, dispatch(filed.case, site, lead, assist, SYSTEM, now)]


def _filed(report: Report, case_no: str, site: Site, category: Category, now: datetime) -> Moved:
    at = report.filed_at(now)
    case = Case(
        case_no=case_no,
        report_code=report.report_code,
        site=site.site,
        area=report.area,
        channel=report.channel,
        urgency=report.urgency,
        summary=report.summary,
        location=report.location,
        reporter=report.reporter,
        is_confidential=report.is_confidential,
        category=category.code,
        category_name=category.name,
        level=category.level,
        limit=category.limit,
        clock_from=category.clock_from,
        closing_condition=category.closing_condition,
        on_spot_allowed=category.on_spot_allowed,
        needs_check=category.needs_check,
        pool=category.pool,
        units_allowed=category.units_allowed if category.pool else (),
        received_at=report.received_at,
        filed_at=at,
        changed_at=at,
    )
    if category.pool:
        case = replace(case, assignments=tuple(_assisting(unit, at) for unit in category.assist))
    if category.clock_from is ClockFrom.REPORT:
        case = replace(case, clocks=(StageClock(Stage.HANDLE, 1, handling_clock(case, site, at)),))
    record = FlowRecord(
        case_no, case.version, "file", None, CaseState.FILED, SYSTEM.person_id, None, "", None, (), at
    )
    return Moved(case, record)


def _assisting(unit: str, at: datetime) -> Assignment:
    return Assignment(1, unit, is_lead=False, state=PartState.SENT, sent_at=at)
