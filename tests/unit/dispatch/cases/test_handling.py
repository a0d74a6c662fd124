"""How units take a case and work on it: the pool, the assist units, and the deadlines of the stories."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.dispatch.calendars.model import SHANGHAI, Limit
from services.dispatch.cases import closing, handling
from services.dispatch.cases.model import Actor, CaseState
from services.dispatch.cases.parts import PartState, Stage
from wangge.chassis.errors import Conflict, Forbidden

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


# Pool


def test_second_claim_of_the_same_order_is_refused(build):
    case = build.case(build.pool)
    first = Actor("officer-1", frozenset({"enforcement_officer"}), "enforcement")
    second = Actor("officer-2", frozenset({"enforcement_officer"}), "police")
    won = handling.claim(case, build.site, first, build.now).case
    assert (won.lead, won.handler) == ("enforcement", "officer-1")
    with pytest.raises(Conflict) as refused:
        handling.claim(won, build.site, second, build.now)
    assert refused.value.code == "case.already_claimed"


def test_unit_that_is_not_allowed_claims_nothing_from_the_pool(build):
    case = build.case(build.pool)
    with pytest.raises(Forbidden, match="not_your_unit"):
        handling.claim(case, build.site, Actor("x", frozenset({"unit_contact"}), "power"), build.now)


# Assisting


def test_dispatcher_excuses_an_assist_unit_and_nobody_else_does(build):
    case = build.case_in(CaseState.HANDLING)
    excused = handling.assist_done(
        case, build.dispatcher, case.changed_at, "无需到场", unit="estate", is_excused=True
    )
    assert excused.case.assist[0].state is PartState.EXCUSED
    with pytest.raises(Forbidden):
        handling.assist_done(case, build.helper, case.changed_at, "不去", is_excused=True)
    with pytest.raises(Forbidden):
        handling.assist_done(case, build.dispatcher, case.changed_at, "已警戒", unit="estate")
    with pytest.raises(Conflict, match="no_such_assist"):
        handling.assist_done(case, build.helper, case.changed_at, "已警戒", unit="power")


# Deadlines of the stories


def test_wall_at_the_gate_is_due_two_hours_after_the_report(build):
    """A1: reported 19:00:00; 21:00:00 is on time, 21:00:01 is overdue."""
    case = build.case(at=local("2023-09-14 19:00:00"), urgency="emergency")
    assert case.deadline == local("2023-09-14 21:00:00")
    assert (case.lead, [part.unit for part in case.assist]) == ("power", ["estate"])
    assert handling.tell_overdue(case, local("2023-09-14 21:00:00")) is None
    moved, missed = handling.tell_overdue(case, local("2023-09-14 21:00:01"))
    assert (missed.stage, moved.record.op) == (Stage.HANDLE, "overdue")
    working = replace(build.assists_done(case, case.changed_at), state=CaseState.HANDLING)
    on_the_dot = handling.feedback(working, build.handler, local("2023-09-14 21:00:00"), "排险").case
    late = handling.feedback(working, build.handler, local("2023-09-14 21:00:01"), "排险").case
    assert (on_the_dot.on_time, late.on_time) == (True, False)


@pytest.mark.parametrize(
    ("claimed", "due"),
    [
        ("2025-12-08 10:00", "2025-12-11 10:00"),  # Monday to Thursday
        ("2025-09-30 16:00", "2025-10-11 16:00"),  # over the National Day holiday to a worked Saturday
    ],
)
def test_joint_enforcement_is_due_three_work_days_after_the_claim(build, claimed, due):
    """A11: pooled first, so the clock starts when the unit takes it."""
    case = build.case(build.pool, at=local(claimed) - timedelta(hours=1))
    officer = Actor("officer-1", frozenset({"enforcement_officer"}), "enforcement")
    assert case.deadline is None
    assert handling.claim(case, build.site, officer, local(claimed)).case.deadline == local(due)


def test_pooled_case_whose_clock_starts_with_the_report_is_watched_before_anybody_claims_it(build):
    category = replace(build.pool, clock_from=build.category.clock_from, limit=build.category.limit)
    case = build.case(category)
    assert case.deadline == case.next_due_at == build.now + timedelta(hours=2)
    officer = Actor("officer-1", frozenset({"enforcement_officer"}), "enforcement")
    claimed = handling.claim(case, build.site, officer, build.now + MINUTE).case
    assert claimed.deadline == case.deadline
    sent = handling.dispatch(
        case, build.site, "police", [], build.dispatcher, build.now + MINUTE, "就近"
    ).case
    assert sent.deadline == case.deadline


def test_deadline_is_told_once_and_again_only_by_a_new_clock(build):
    case = build.case_in(CaseState.HANDLING)
    late = case.deadline + MINUTE
    told, _ = handling.tell_overdue(case, late)
    assert told.case.next_due_at is None
    assert handling.tell_overdue(told.case, late + DAY) is None
    done = handling.feedback(build.assists_done(told.case, late), build.handler, late, "修好了").case
    again = closing.reject_feedback(done, build.dispatcher, late, "未修好").case
    assert again.next_due_at is None
    assert handling.tell_overdue(again, late + DAY) is None


def test_late_check_is_overdue_too(build):
    case = build.case_in(CaseState.CHECKING)
    check = case.latest(Stage.CHECK)
    assert case.next_due_at == check.clock.deadline
    _, missed = handling.tell_overdue(case, check.clock.deadline + MINUTE)
    assert missed.stage is Stage.CHECK


def test_emergency_is_claimed_and_checked_within_half_an_hour(build):
    case = build.case(urgency="emergency")
    assert case.latest(Stage.CLAIM).clock.limit == Limit.parse("30 urgent_minute")
    handled = replace(build.case_in(CaseState.HANDLED), urgency="emergency")
    checking = closing.send_check(
        handled, build.site, build.closer, handled.changed_at, "worker-1", "grid-office"
    ).case
    assert checking.latest(Stage.CHECK).clock.deadline == handled.changed_at + timedelta(minutes=30)
