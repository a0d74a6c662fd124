"""How a report becomes a case: its number, its units, its clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.dispatch.calendars.model import Limit
from services.dispatch.cases import filing
from services.dispatch.cases.model import CaseState
from services.dispatch.cases.parts import Stage
from services.dispatch.categories.model import ClockFrom
from wangge.chassis.errors import Conflict


def test_number_is_county_day_of_filing_in_china_and_serial():
    at = datetime(2023, 9, 14, 17, 30, tzinfo=UTC)  # half past one on the 15th in China
    assert filing.case_number("14080200290700100", at, 42) == "1408022023091500042"


def test_serial_beyond_five_digits_is_refused(build):
    assert filing.case_number("140802", build.now, 99_999).endswith("99999")
    with pytest.raises(Conflict) as refused:
        filing.case_number("140802", build.now, 100_000)
    assert refused.value.code == "case.serial_exhausted"


def test_filed_case_is_dispatched_to_the_lead_that_its_category_names(build):
    filed, sent = build.steps(build.report(), build.category)
    assert (filed.record.op, filed.record.seq, filed.case.state) == ("file", 1, CaseState.FILED)
    assert (sent.record.op, sent.record.seq, sent.case.state) == ("dispatch", 2, CaseState.DISPATCHED)
    assert sent.case.lead == sent.record.receiver == "power"


@pytest.mark.parametrize(
    ("area", "lead"),
    [
        ("14080200290700100", "estate"),
        ("14080200290700103", "estate"),
        ("14080200290700201", "micro-estate"),
        ("14080200290700202", "community"),
        ("14080200290760100", "community"),
        ("140802002907", "community"),
    ],
)
def test_without_a_named_lead_the_grids_unit_leads_else_the_communitys(build, area, lead):
    category = replace(build.category, lead=None, assist=("estate", "police"))
    case = build.steps(build.report(area=area), category)[-1].case
    assert case.lead == lead
    assert {part.unit for part in case.assist} == {"estate", "police"} - {lead}


def test_pooled_case_stays_filed_with_its_assist_units_noted(build):
    steps = build.steps(build.report(), replace(build.pool, assist=("estate",)))
    assert [step.case.state for step in steps] == [CaseState.FILED]
    assert (steps[0].case.lead, [part.unit for part in steps[0].case.assist]) == (None, ["estate"])
    assert steps[0].case.units == {"estate", "enforcement", "police"}


@pytest.mark.parametrize(("clock_from", "minutes"), [(ClockFrom.REPORT, 0), (ClockFrom.DISPATCH, 7)])
def test_clock_starts_with_the_report_or_with_the_dispatch(build, clock_from, minutes):
    category = replace(build.category, clock_from=clock_from)
    at = build.now + timedelta(minutes=7)
    case = build.steps(build.report(), category, at)[-1].case
    assert case.latest(Stage.HANDLE).clock.started_at == build.now + timedelta(minutes=minutes)
    assert case.deadline == build.now + timedelta(hours=2, minutes=minutes)


def test_report_from_a_clock_that_is_ahead_is_not_filed_before_it_came_in(build):
    ahead = build.now + timedelta(seconds=5)
    case = build.steps(build.report(received_at=ahead), build.category)[-1].case
    assert case.received_at == case.filed_at == case.dispatched_at == ahead


def test_limit_is_that_of_the_day_of_filing(build):
    case = build.steps(build.report(), replace(build.category, limit=Limit.parse("1 work_day")))[-1].case
    assert str(case.limit) == "1 work_day"
