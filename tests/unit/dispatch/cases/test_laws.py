"""The laws of a case: whatever allowed things people do, in whatever order."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.dispatch.calendars.model import deadline
from services.dispatch.cases import closing, handling
from services.dispatch.cases.conditions import allowed
from services.dispatch.cases.model import MOVES, Actor, Case, CaseState, Command, Moved
from services.dispatch.cases.parts import WATCHED
from wangge.chassis.errors import Refusal

S, C = CaseState, Command


ACTORS = {
    actor.person_id: actor
    for actor in (
        Actor("power-1", frozenset({"unit_contact"}), "power"),
        Actor("power-2", frozenset({"unit_contact", "community_staff"}), "power"),
        Actor("estate-1", frozenset({"unit_contact"}), "estate"),
        Actor("dispatcher-1", frozenset({"dispatcher"}), "street"),
        Actor("operator-1", frozenset({"intake_operator"}), "street"),
        Actor("operator-2", frozenset({"intake_operator", "checker", "unit_contact"}), "police"),
        Actor("worker-1", frozenset({"grid_worker", "community_staff"}), "grid-office"),
    )
}
CHECKERS = {"worker-1": "grid-office", "operator-2": "police", "power-2": "power"}


def give(build, case: Case, command: Command, actor: Actor, at: datetime, choice: int) -> Moved:
    checker, unit = list(CHECKERS.items())[choice % len(CHECKERS)]
    acts = {
        C.DISPATCH: lambda: handling.dispatch(case, build.site, "power", ["estate"], actor, at, "就近"),
        C.CLAIM: lambda: handling.claim(case, build.site, actor, at),
        C.START: lambda: handling.start(case, actor, at),
        C.ASSIST_DONE: lambda: handling.assist_done(
            case, actor, at, "已到场", unit="estate", is_excused=actor.unit != "estate"
        ),
        C.FEEDBACK: lambda: handling.feedback(case, actor, at, "修好了"),
        C.REJECT_FEEDBACK: lambda: closing.reject_feedback(case, actor, at, "没有照片"),
        C.SEND_CHECK: lambda: closing.send_check(case, build.site, actor, at, checker, unit),
        C.CHECK: lambda: closing.check(case, actor, at, is_passed=choice % 3 > 0, note="看过了"),
        C.CLOSE: lambda: closing.close(case, actor, at, "已修复"),
        C.CLOSE_ON_SPOT: lambda: closing.close_on_spot(case, actor, at, "已清理", "当场清理"),
        C.REOPEN: lambda: closing.reopen(case, build.site, actor, at, "又掉了"),
    }
    return acts[command]()


def assert_lawful(build, case: Case) -> None:
    leads = [part for part in case.parts if part.is_lead]
    assert len(leads) == (0 if case.lead is None else 1)
    assert (case.state in (S.FILED, S.CLOSED)) or leads
    if case.state is S.CLOSED:
        assert case.reply
        assert case.closer
        if not case.is_on_spot:
            assert case.closer not in case.hands
            assert not any(part.is_open for part in case.parts)
        if case.needs_check and not case.is_on_spot:
            assert case.check_passed
            assert len({case.handler, case.checker, case.closer}) == 3
    # a check that failed is older than the feedback that follows it
    is_old = bool(case.checked_at and case.handled_at and case.checked_at < case.handled_at)
    times = [
        case.received_at,
        case.filed_at,
        case.dispatched_at,
        case.claimed_at,
        case.started_at,
        case.handled_at,
        None if is_old else case.checked_at,
        case.closed_at,
    ]
    assert not (is_old and case.check_passed)
    known = [each for each in times if each is not None]
    assert known == sorted(known)
    assert case.changed_at >= max(known)
    for each in case.clocks:
        assert each.clock.deadline == deadline(each.clock.limit, each.clock.started_at, build.site.calendar)
    assert sum(each.is_running for each in case.clocks if each.stage in WATCHED) <= 1
    assert case.reopen_count <= 2
    assert case.round == case.reopen_count + 1


#: Which of the allowed things is done (0: anything at all is tried), after how many seconds, and how.
WISHES = st.lists(st.tuples(st.integers(0, 30), st.integers(-600, 60_000), st.integers(0, 11)), max_size=60)


def chosen(case: Case, now: datetime, number: int, choice: int) -> tuple[Command, Actor]:
    """One of the things that somebody may do now; with number 0, whatever comes first to mind."""
    can = [(command, actor) for actor in ACTORS.values() for command in allowed(case, actor, now)]
    if number and can:
        return can[number % len(can)]
    return list(Command)[choice % len(Command)], list(ACTORS.values())[choice % len(ACTORS)]


@given(wishes=WISHES, is_pooled=st.booleans(), needs_check=st.booleans(), on_spot=st.booleans())
def test_any_sequence_of_moves_keeps_the_laws(build, wishes, is_pooled, needs_check, on_spot):
    category = replace(
        build.category,
        needs_check=needs_check,
        on_spot_allowed=on_spot,
        pool=is_pooled,
        units_allowed=("police", "power") if is_pooled else (),
    )
    steps = build.steps(build.report(), category)
    case, now, records = steps[-1].case, build.now, [step.record for step in steps]
    for number, seconds, choice in wishes:
        now += timedelta(seconds=seconds)  # another machine's clock may be behind
        command, actor = chosen(case, now, number, choice)
        may = allowed(case, actor, now)
        try:
            moved = give(build, case, command, actor, now, choice)
        except Refusal:
            # what is allowed is refused only for what its body says
            assert command not in may or command in (C.ASSIST_DONE, C.SEND_CHECK)
            late = handling.tell_overdue(case, now)
            if late:
                case = late[0].case
                records.append(late[0].record)
            continue
        assert command in may
        assert moved.case.state in MOVES[case.state, command]
        case = moved.case
        records.append(moved.record)
        assert_lawful(build, case)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert [record.at for record in records] == sorted(record.at for record in records)
    assert case.version == len(records)
    for earlier, later in pairwise(records):
        assert later.from_state is earlier.to_state
    told = [each for each in case.clocks if each.overdue_at]
    assert len(told) == sum(record.op == "overdue" for record in records)
