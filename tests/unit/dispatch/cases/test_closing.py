"""What follows the feedback: a check, a closing by a third person, a closing on the spot, a reopening."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.dispatch.calendars.model import deadline
from services.dispatch.cases import closing
from services.dispatch.cases.model import Actor, CaseState
from services.dispatch.cases.parts import PartState, Stage
from wangge.chassis.errors import Conflict

DAY = timedelta(days=1)


def test_failed_check_does_not_reset_the_clock(build):
    case = build.case_in(CaseState.CHECKING)
    due = case.deadline
    assert case.latest(Stage.CHECK).is_running
    back = closing.check(case, build.checker, case.changed_at, is_passed=False, note="仍有裂缝").case
    assert (back.state, back.lead, back.rework_count, back.checker) == (CaseState.HANDLING, "power", 1, None)
    assert (back.deadline, back.next_due_at, back.on_time) == (due, due, None)
    assert not back.latest(Stage.CHECK).is_running
    assert back.parts[0].state is PartState.CLAIMED or back.parts[-1].state is PartState.CLAIMED


def test_failed_check_without_a_reason_is_refused(build):
    case = build.case_in(CaseState.CHECKING)
    with pytest.raises(Conflict, match="reason_missing"):
        closing.check(case, build.checker, case.changed_at, is_passed=False)


def test_case_settled_on_the_spot_is_handled_and_closed_by_the_same_person(build):
    case = build.case(replace(build.category, on_spot_allowed=True))
    worker = Actor("worker-1", frozenset({"grid_worker"}))
    with pytest.raises(Conflict, match="evidence_missing"):
        closing.close_on_spot(case, worker, build.now, "已清理")
    closed = closing.close_on_spot(case, worker, build.now, "已清理", "当场清理").case
    assert (closed.is_on_spot, closed.handler, closed.closer, closed.on_time) == (
        True,
        "worker-1",
        "worker-1",
        True,
    )
    assert (closed.next_due_at, closed.closing) == (None, 1)


def test_reopened_case_gets_a_new_round_with_a_new_clock(build):
    case = build.case_in(CaseState.CLOSED)
    at = case.closed_at + DAY
    again = closing.reopen(case, build.site, build.closer, at, "又掉了").case
    assert (again.state, again.round, again.reopen_count, again.closing) == (CaseState.DISPATCHED, 2, 1, 1)
    assert again.deadline == deadline(case.limit, at, build.site.calendar)
    assert (again.handler, again.hands, again.checker, again.reply) == (None, (), None, None)
    assert [(part.unit, part.state) for part in again.parts] == [
        ("power", PartState.SENT),
        ("estate", PartState.SENT),
    ]
    assert len(again.assignments) == 4


def test_pooled_case_settled_on_the_spot_is_reopened_with_one_lead(build):
    """Nobody led it, and the grid's own unit, which leads now, was to assist."""
    category = replace(build.pool, assist=("estate",), on_spot_allowed=True, level="L2")
    worker = Actor("worker-1", frozenset({"grid_worker"}))
    closed = closing.close_on_spot(build.case(category), worker, build.now, "已清理", "当场清理").case
    again = closing.reopen(closed, build.site, build.closer, build.now, "又来了").case
    assert [(part.unit, part.is_lead) for part in again.parts] == [("estate", True)]
