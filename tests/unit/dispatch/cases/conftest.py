"""Builders of cases, in every state, on a site that exists nowhere."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.dispatch.calendars.model import SHANGHAI, DayMode, Limit, WorkCalendar
from services.dispatch.cases import closing, filing, handling
from services.dispatch.cases.filing import Report
from services.dispatch.cases.model import Actor, Case, CaseState, Command, Moved
from services.dispatch.categories.model import Category, ClockFrom
from services.dispatch.sites.model import Site, StageLimits

#: The notices of 2025: what is off besides weekends around the stories told here, and what is worked.
OFF = frozenset(date(2025, 10, day) for day in range(1, 9))
WORKED = frozenset({date(2025, 9, 28), date(2025, 10, 11)})

SITE = Site(
    site="dongli",
    name="东里社区",
    area="140802002907",
    revision="r",
    calendar=WorkCalendar(2023, 2026, OFF, WORKED),
    day_mode=DayMode.HOURS8,
    stage_limits=StageLimits(
        claim=Limit.parse("4 work_hour"),
        claim_emergency=Limit.parse("30 urgent_minute"),
        check=Limit.parse("1 work_day"),
        check_emergency=Limit.parse("30 urgent_minute"),
    ),
    default_category="G0201",
    grid_leads={"14080200290700100": "estate", "14080200290700201": "micro-estate"},
    community_unit="community",
    ladder={},
    default_checkers=("grid_worker",),
)

CATEGORY = Category(
    code="E0596",
    name="高空坠物",
    family="event",
    limit=Limit.parse("2 urgent_hour"),
    clock_from=ClockFrom.REPORT,
    lead="power",
    assist=("estate",),
    level="L2",
    closing_condition="隐患消除",
    on_spot_allowed=False,
    needs_check=True,
    pool=False,
    units_allowed=(),
)
POOL = replace(
    CATEGORY,
    code="G0301",
    limit=Limit.parse("3 work_day"),
    clock_from=ClockFrom.DISPATCH,
    lead=None,
    assist=(),
    level="L4",
    pool=True,
    units_allowed=("enforcement", "police"),
)
NOW = datetime(2025, 12, 8, 10, 0, tzinfo=SHANGHAI).astimezone(UTC)

HANDLER = Actor("power-1", frozenset({"unit_contact"}), "power")
HELPER = Actor("estate-1", frozenset({"unit_contact"}), "estate")
DISPATCHER = Actor("dispatcher-1", frozenset({"dispatcher"}), "street")
CHECKER = Actor("worker-1", frozenset({"grid_worker"}), "grid-office")
CLOSER = Actor("operator-1", frozenset({"intake_operator"}), "street")


def a_report(**changes: Any) -> Report:
    report = Report(
        report_code="BG20251208-000001",
        channel="grid_visit",
        category="E0596",
        urgency="none",
        area="14080200290700100",
        summary="北院门口墙体脱落",
        received_at=NOW,
        reporter="person:worker-2",
    )
    return replace(report, **changes)


def steps_of(report: Report, category: Category, at: datetime = NOW) -> list[Moved]:
    return filing.file(report, "1408022025120800001", SITE, category, at)


def a_case(category: Category = CATEGORY, at: datetime = NOW, **report: Any) -> Case:
    """A case just filed, and dispatched unless it waits in the pool."""
    return steps_of(a_report(**{"received_at": at} | report), category, at)[-1].case


WAY = (
    CaseState.DISPATCHED,
    CaseState.CLAIMED,
    CaseState.HANDLING,
    CaseState.HANDLED,
    CaseState.CHECKING,
    CaseState.CLOSED,
)


def step_to(case: Case, state: CaseState, at: datetime) -> Case:
    """One move of the usual way, by those whose it is."""
    moves: dict[CaseState, Callable[[], Case]] = {
        CaseState.CLAIMED: lambda: handling.claim(case, SITE, HANDLER, at).case,
        CaseState.HANDLING: lambda: handling.start(case, HANDLER, at).case,
        CaseState.HANDLED: lambda: handling.feedback(with_assists_done(case, at), HANDLER, at, "修好了").case,
        CaseState.CHECKING: lambda: (
            closing.send_check(case, SITE, CLOSER, at, "worker-1", "grid-office").case
        ),
        CaseState.CLOSED: lambda: (
            closing.close(closing.check(case, CHECKER, at, is_passed=True).case, CLOSER, at, "已修复").case
        ),
    }
    return moves[state]()


def with_assists_done(case: Case, at: datetime) -> Case:
    for part in case.assist:
        if part.is_open:
            actor = Actor(f"{part.unit}-1", frozenset({"unit_contact"}), part.unit)
            case = handling.assist_done(case, actor, at, "已警戒").case
    return case


def a_case_in(state: CaseState, category: Category = CATEGORY, at: datetime = NOW) -> Case:
    """A case that went the usual way to a state, a minute a move; states off that way are simply put."""
    case = a_case(category, at)
    if state is CaseState.FILED:
        return a_case(replace(category, pool=True, units_allowed=("power",)), at)
    if state not in WAY:
        return replace(case, state=state)
    for number, each in enumerate(WAY[1 : WAY.index(state) + 1], 1):
        case = step_to(case, each, at + number * timedelta(minutes=1))
    return case


def anybody(case: Case, command: Command, roles: Iterable[str] = ("admin",)) -> Actor:
    """Somebody whose unit and person fit the command, in the given roles."""
    person, unit = "stranger-1", "street"
    if command is Command.CHECK:
        person = case.checker or person
    elif command is Command.ASSIST_DONE:
        unit = next((part.unit for part in case.assist), unit)
    elif command in (Command.CLAIM, Command.START, Command.FEEDBACK, Command.REJECT_FEEDBACK):
        unit = case.lead or "power"
    return Actor(person, frozenset(roles), unit)


class Builders:
    """What the tests build with."""

    site = SITE
    category = CATEGORY
    pool = POOL
    now = NOW
    handler, helper, dispatcher, checker, closer = HANDLER, HELPER, DISPATCHER, CHECKER, CLOSER
    report = staticmethod(a_report)
    steps = staticmethod(steps_of)
    case = staticmethod(a_case)
    case_in = staticmethod(a_case_in)
    assists_done = staticmethod(with_assists_done)
    anybody = staticmethod(anybody)


@pytest.fixture(scope="session")
def build() -> type[Builders]:
    """The builders."""
    return Builders
