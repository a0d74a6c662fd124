"""What may happen to a case: every state with every command, every role, and the laws that hold after any of them."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatch.calendars.model import SHANGHAI, Limit, deadline
from services.dispatch.cases import model
from services.dispatch.cases.model import (
    CASE_STATE_LABELS,
    MAY,
    MOVES,
    Actor,
    Case,
    CaseState,
    Command,
    PartState,
    Stage,
    allowed,
    obstacle,
)
from services.dispatch.directory.model import Unit
from wangge.chassis.errors import Conflict, Forbidden, Invalid, Refusal
from wangge.contracts.sites import ROLES

S, C = CaseState, Command
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def open_to(build, state: CaseState, command: Command) -> Case:
    """A case in a state whose category and course forbid the command nothing."""
    category = build.category
    if command is C.CLOSE_ON_SPOT:
        category = replace(category, on_spot_allowed=True)
    if command is C.CLOSE and state is S.HANDLED:
        category = replace(category, needs_check=False)
    case = build.case_in(state, category)
    if command is C.FEEDBACK and state is S.HANDLING:
        case = build.assists_done(case, case.changed_at)
    if command is C.CLOSE and state is S.CHECKING:
        case = model.check(case, build.checker, case.changed_at, is_passed=True).case
    return case


# Every state, every command


@pytest.mark.parametrize("state", CaseState)
@pytest.mark.parametrize("command", Command)
def test_command_is_taken_exactly_where_the_table_has_a_move(build, state, command):
    case = open_to(build, state, command)
    refusal = obstacle(case, command, build.anybody(case, command), case.changed_at)
    if (state, command) in MOVES:
        assert refusal is None
    else:
        assert isinstance(refusal, Conflict)
        late = command is C.CLAIM and state in model.IN_HAND
        assert refusal.code == ("case.already_claimed" if late else "case.move_forbidden")


@pytest.mark.parametrize(("state", "command"), sorted(MOVES))
def test_every_move_leads_where_the_table_says(build, state, command):
    case = open_to(build, state, command)
    actor = build.anybody(case, command)
    acts = {
        C.DISPATCH: lambda at: [model.dispatch(case, build.site, "power", ["estate"], actor, at)],
        C.CLAIM: lambda at: [model.claim(case, build.site, actor, at)],
        C.START: lambda at: [model.start(case, actor, at)],
        C.ASSIST_DONE: lambda at: [model.assist_done(case, actor, at, "已警戒")],
        C.FEEDBACK: lambda at: [model.feedback(case, actor, at, "修好了")],
        C.REJECT_FEEDBACK: lambda at: [model.reject_feedback(case, actor, at, "没有照片")],
        C.SEND_CHECK: lambda at: [model.send_check(case, build.site, actor, at, "worker-1", "grid-office")],
        C.CHECK: lambda at: [
            model.check(case, actor, at, is_passed=True),
            model.check(case, actor, at, is_passed=False, note="仍有裂缝"),
        ],
        C.CLOSE: lambda at: [model.close(case, actor, at, "已修复")],
        C.CLOSE_ON_SPOT: lambda at: [model.close_on_spot(case, actor, at, "已清理", "当场清理")],
        C.REOPEN: lambda at: [model.reopen(case, build.site, actor, at, "又掉了")],
    }
    moved = acts[command](case.changed_at + MINUTE)
    assert tuple(each.case.state for each in moved) == MOVES[state, command]
    for each in moved:
        assert each.case.version == each.record.seq == case.version + 1
        assert (each.record.from_state, each.record.to_state) == (state, each.case.state)
        assert (each.record.actor, each.record.op) == (actor.person_id, str(command))


def test_every_state_has_a_label():
    assert set(CASE_STATE_LABELS) == set(CaseState)


def test_refused_move_names_what_is_allowed_instead(build):
    case = build.case_in(S.HANDLING)
    with pytest.raises(Conflict) as refused:
        model.require(case, C.CLAIM, replace(build.handler, roles=frozenset({"unit_contact"})), build.now)
    assert refused.value.code == "case.already_claimed"
    assert refused.value.extra["allowed"] == []
    done = build.assists_done(case, build.now)
    with pytest.raises(Conflict) as refused:
        model.require(done, C.START, build.handler, build.now)
    assert (refused.value.code, refused.value.extra["allowed"]) == ("case.move_forbidden", ["feedback"])


# Who


@pytest.mark.parametrize("command", Command)
@pytest.mark.parametrize("role", ROLES)
def test_role_may_do_exactly_what_the_table_gives_it(build, command, role):
    state = next(state for state, each in sorted(MOVES) if each is command)
    case = open_to(build, state, command)
    refusal = obstacle(case, command, build.anybody(case, command, [role]), case.changed_at)
    if role == "admin" or not MAY[command] or role in MAY[command]:
        assert refusal is None
    else:
        assert isinstance(refusal, Forbidden)
        assert refusal.code == "role.missing"


def test_every_role_of_the_table_exists():
    assert set().union(*MAY.values()) <= set(ROLES)


@pytest.mark.parametrize(
    ("state", "command"),
    [(S.DISPATCHED, C.CLAIM), (S.CLAIMED, C.START), (S.HANDLING, C.FEEDBACK), (S.HANDLING, C.ASSIST_DONE)],
)
def test_people_of_another_unit_do_not_touch_the_order(build, state, command):
    case = open_to(build, state, command) if command is not C.ASSIST_DONE else build.case_in(state)
    for unit in ("street", None):
        stranger = Actor("street-1", frozenset({"unit_contact"}), unit)
        refusal = obstacle(case, command, stranger, case.changed_at)
        assert isinstance(refusal, Forbidden)
        assert refusal.code == "case.not_your_unit"


def test_unit_head_rejects_only_what_the_own_unit_fed_back(build):
    case = build.case_in(S.HANDLED)
    own, other = (Actor("head-1", frozenset({"unit_head"}), unit) for unit in ("power", "estate"))
    assert obstacle(case, C.REJECT_FEEDBACK, own, case.changed_at) is None
    assert isinstance(obstacle(case, C.REJECT_FEEDBACK, other, case.changed_at), Forbidden)


@pytest.mark.parametrize(
    ("role", "levels"),
    [
        ("grid_leader", {"L1", "L2"}),
        ("community_secretary", {"L1", "L2", "L3"}),
        ("dispatcher", {"L1", "L2", "L3", "L4", "L5"}),
    ],
)
def test_each_dispatches_up_to_the_own_level(build, role, levels):
    for level in ("L1", "L2", "L3", "L4", "L5"):
        case = build.case(replace(build.pool, level=level))
        refusal = obstacle(case, C.DISPATCH, Actor("a", frozenset({role})), build.now)
        assert (refusal is None) == (level in levels)


def test_only_the_named_checker_checks(build):
    case = build.case_in(S.CHECKING)
    refusal = obstacle(case, C.CHECK, Actor("worker-9", frozenset({"grid_worker", "admin"})), case.changed_at)
    assert isinstance(refusal, Forbidden)
    assert refusal.code == "case.not_the_checker"


# Three different persons


def test_who_handled_it_and_who_works_there_is_no_checker(build):
    case = build.case_in(S.HANDLED)
    for person, unit in (("power-1", None), ("power-1", "street"), ("power-2", "power")):
        with pytest.raises(Conflict) as refused:
            model.send_check(case, build.site, build.closer, case.changed_at, person, unit)
        assert refused.value.code == "case.same_person"


def test_who_handled_or_checked_it_does_not_close_it(build):
    case = build.case_in(S.CHECKING)
    passed = model.check(case, build.checker, case.changed_at, is_passed=True).case
    for person in ("power-1", "worker-1"):
        with pytest.raises(Conflict) as refused:
            model.close(passed, Actor(person, frozenset({"community_staff"})), passed.changed_at, "已修复")
        assert refused.value.code == "case.same_person"


def test_colleague_who_claimed_it_does_not_close_it_after_another_fed_back(build):
    case = build.case_in(S.HANDLING, replace(build.category, needs_check=False, assist=()))
    colleague = Actor("power-2", frozenset({"unit_contact"}), "power")
    done = model.feedback(case, colleague, case.changed_at, "办好了").case
    assert (done.handler, done.hands) == ("power-2", ("power-1", "power-2"))
    with pytest.raises(Conflict, match="same_person"):
        model.close(done, Actor("power-1", frozenset({"community_staff"})), done.changed_at, "已办好")


def test_without_a_needed_check_it_is_closed_at_once_and_with_one_it_is_not(build):
    handled = build.case_in(S.HANDLED)
    assert obstacle(handled, C.CLOSE, build.closer, handled.changed_at).code == "case.check_missing"
    free = build.case_in(S.HANDLED, replace(build.category, needs_check=False))
    assert model.close(free, build.closer, free.changed_at, "已答复").case.state is S.CLOSED


def test_unpassed_check_does_not_close(build):
    case = build.case_in(S.CHECKING)
    assert obstacle(case, C.CLOSE, build.closer, case.changed_at).code == "case.check_missing"


# Pool


def test_second_claim_of_the_same_order_is_refused(build):
    case = build.case(build.pool)
    first = Actor("officer-1", frozenset({"enforcement_officer"}), "enforcement")
    second = Actor("officer-2", frozenset({"enforcement_officer"}), "police")
    won = model.claim(case, build.site, first, build.now).case
    assert (won.lead, won.handler) == ("enforcement", "officer-1")
    with pytest.raises(Conflict) as refused:
        model.claim(won, build.site, second, build.now)
    assert refused.value.code == "case.already_claimed"


def test_unit_that_is_not_allowed_claims_nothing_from_the_pool(build):
    case = build.case(build.pool)
    with pytest.raises(Forbidden, match="not_your_unit"):
        model.claim(case, build.site, Actor("x", frozenset({"unit_contact"}), "power"), build.now)


def test_filed_case_that_is_in_no_pool_is_not_claimed(build):
    case = replace(build.case(build.pool), pool=False)
    refusal = obstacle(case, C.CLAIM, Actor("x", frozenset({"unit_contact"}), "enforcement"), case.changed_at)
    assert refusal.code == "case.not_in_pool"


# Deadlines of the stories


def test_wall_at_the_gate_is_due_two_hours_after_the_report(build):
    """A1: reported 19:00:00; 21:00:00 is on time, 21:00:01 is overdue."""
    case = build.case(at=local("2023-09-14 19:00:00"), urgency="emergency")
    assert case.deadline == local("2023-09-14 21:00:00")
    assert (case.lead, [part.unit for part in case.assist]) == ("power", ["estate"])
    assert model.tell_overdue(case, local("2023-09-14 21:00:00")) is None
    moved, missed = model.tell_overdue(case, local("2023-09-14 21:00:01"))
    assert (missed.stage, moved.record.op) == (Stage.HANDLE, "overdue")
    working = replace(build.assists_done(case, case.changed_at), state=S.HANDLING)
    on_the_dot = model.feedback(working, build.handler, local("2023-09-14 21:00:00"), "排险").case
    late = model.feedback(working, build.handler, local("2023-09-14 21:00:01"), "排险").case
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
    assert model.claim(case, build.site, officer, local(claimed)).case.deadline == local(due)


def test_pooled_case_whose_clock_starts_with_the_report_is_watched_before_anybody_claims_it(build):
    category = replace(build.pool, clock_from=build.category.clock_from, limit=build.category.limit)
    case = build.case(category)
    assert case.deadline == case.next_due_at == build.now + timedelta(hours=2)
    officer = Actor("officer-1", frozenset({"enforcement_officer"}), "enforcement")
    claimed = model.claim(case, build.site, officer, build.now + MINUTE).case
    assert claimed.deadline == case.deadline
    sent = model.dispatch(case, build.site, "police", [], build.dispatcher, build.now + MINUTE, "就近").case
    assert sent.deadline == case.deadline


def test_deadline_is_told_once_and_again_only_by_a_new_clock(build):
    case = build.case_in(S.HANDLING)
    late = case.deadline + MINUTE
    told, _ = model.tell_overdue(case, late)
    assert told.case.next_due_at is None
    assert model.tell_overdue(told.case, late + DAY) is None
    done = model.feedback(build.assists_done(told.case, late), build.handler, late, "修好了").case
    again = model.reject_feedback(done, build.dispatcher, late, "未修好").case
    assert again.next_due_at is None
    assert model.tell_overdue(again, late + DAY) is None


def test_failed_check_does_not_reset_the_clock(build):
    case = build.case_in(S.CHECKING)
    due = case.deadline
    assert case.latest(Stage.CHECK).is_running
    back = model.check(case, build.checker, case.changed_at, is_passed=False, note="仍有裂缝").case
    assert (back.state, back.lead, back.rework_count, back.checker) == (S.HANDLING, "power", 1, None)
    assert (back.deadline, back.next_due_at, back.on_time) == (due, due, None)
    assert not back.latest(Stage.CHECK).is_running
    assert back.parts[0].state is PartState.CLAIMED or back.parts[-1].state is PartState.CLAIMED


def test_late_check_is_overdue_too(build):
    case = build.case_in(S.CHECKING)
    check = case.latest(Stage.CHECK)
    assert case.next_due_at == check.clock.deadline
    _, missed = model.tell_overdue(case, check.clock.deadline + MINUTE)
    assert missed.stage is Stage.CHECK


def test_emergency_is_claimed_and_checked_within_half_an_hour(build):
    case = build.case(urgency="emergency")
    assert case.latest(Stage.CLAIM).clock.limit == Limit.parse("30 urgent_minute")
    handled = replace(build.case_in(S.HANDLED), urgency="emergency")
    checking = model.send_check(
        handled, build.site, build.closer, handled.changed_at, "worker-1", "grid-office"
    ).case
    assert checking.latest(Stage.CHECK).clock.deadline == handled.changed_at + timedelta(minutes=30)


# Reopening


def test_reopened_case_gets_a_new_round_with_a_new_clock(build):
    case = build.case_in(S.CLOSED)
    at = case.closed_at + DAY
    again = model.reopen(case, build.site, build.closer, at, "又掉了").case
    assert (again.state, again.round, again.reopen_count, again.closing) == (S.DISPATCHED, 2, 1, 1)
    assert again.deadline == deadline(case.limit, at, build.site.calendar)
    assert (again.handler, again.hands, again.checker, again.reply) == (None, (), None, None)
    assert [(part.unit, part.state) for part in again.parts] == [
        ("power", PartState.SENT),
        ("estate", PartState.SENT),
    ]
    assert len(again.assignments) == 4


def test_case_is_reopened_within_fifteen_days_and_twice_at_most(build):
    case = build.case_in(S.CLOSED)
    last = case.closed_at + 15 * DAY
    assert model.reopen(case, build.site, build.closer, last, "又掉了").case.reopen_count == 1
    assert obstacle(case, C.REOPEN, build.closer, last + MINUTE).code == "case.closed_too_long"
    often = replace(case, reopen_count=2)
    assert obstacle(often, C.REOPEN, build.closer, last).code == "case.reopened_too_often"


def test_pooled_case_settled_on_the_spot_is_reopened_with_one_lead(build):
    """Nobody led it, and the grid's own unit, which leads now, was to assist."""
    category = replace(build.pool, assist=("estate",), on_spot_allowed=True, level="L2")
    worker = Actor("worker-1", frozenset({"grid_worker"}))
    closed = model.close_on_spot(build.case(category), worker, build.now, "已清理", "当场清理").case
    again = model.reopen(closed, build.site, build.closer, build.now, "又来了").case
    assert [(part.unit, part.is_lead) for part in again.parts] == [("estate", True)]


# Assisting, closing on the spot, dispatching by hand


def test_feedback_waits_for_every_assist_unit(build):
    case = build.case_in(S.HANDLING)
    refusal = obstacle(case, C.FEEDBACK, build.handler, case.changed_at)
    assert (refusal.code, refusal.extra["units"]) == ("case.assist_open", ["estate"])
    done = model.assist_done(case, build.helper, case.changed_at, "已警戒").case
    assert obstacle(done, C.FEEDBACK, build.handler, case.changed_at) is None


def test_dispatcher_excuses_an_assist_unit_and_nobody_else_does(build):
    case = build.case_in(S.HANDLING)
    excused = model.assist_done(
        case, build.dispatcher, case.changed_at, "无需到场", unit="estate", is_excused=True
    )
    assert excused.case.assist[0].state is PartState.EXCUSED
    with pytest.raises(Forbidden):
        model.assist_done(case, build.helper, case.changed_at, "不去", is_excused=True)
    with pytest.raises(Forbidden):
        model.assist_done(case, build.dispatcher, case.changed_at, "已警戒", unit="estate")
    with pytest.raises(Conflict, match="no_such_assist"):
        model.assist_done(case, build.helper, case.changed_at, "已警戒", unit="power")


@pytest.mark.parametrize(
    "changes", [{"on_spot_allowed": False}, {"urgency": "emergency"}, {"level": "L3"}, {"level": "L5"}]
)
def test_only_small_matters_are_settled_on_the_spot(build, changes):
    case = build.case(replace(build.category, on_spot_allowed=True))
    worker = Actor("worker-1", frozenset({"grid_worker"}))
    assert obstacle(case, C.CLOSE_ON_SPOT, worker, build.now) is None
    refused = obstacle(replace(case, **changes), C.CLOSE_ON_SPOT, worker, build.now)
    assert refused.code == "case.on_spot_not_allowed"


def test_case_settled_on_the_spot_is_handled_and_closed_by_the_same_person(build):
    case = build.case(replace(build.category, on_spot_allowed=True))
    worker = Actor("worker-1", frozenset({"grid_worker"}))
    with pytest.raises(Conflict, match="evidence_missing"):
        model.close_on_spot(case, worker, build.now, "已清理")
    closed = model.close_on_spot(case, worker, build.now, "已清理", "当场清理").case
    assert (closed.is_on_spot, closed.handler, closed.closer, closed.on_time) == (
        True,
        "worker-1",
        "worker-1",
        True,
    )
    assert (closed.next_due_at, closed.closing) == (None, 1)


def test_lead_without_the_duty_needs_a_reason_and_every_wrong_unit_is_named(build):
    case = build.case(build.pool)
    known = {"police": Unit("police", "派出所", ("G0301",)), "power": Unit("power", "供电公司", ())}
    model.require_units(case, known, "police", [], "")
    model.require_units(case, known, "power", [], "就近处置")
    with pytest.raises(Invalid) as refused:
        model.require_units(case, known, "power", [], "")
    assert [error["field"] for error in refused.value.errors] == ["opinion"]
    with pytest.raises(Invalid) as refused:
        model.require_units(case, known, "nobody", ["police", "ghost", "nobody"], "")
    assert [error["field"] for error in refused.value.errors] == ["lead", "assist.1", "assist.2", "assist"]


def test_failed_check_without_a_reason_is_refused(build):
    case = build.case_in(S.CHECKING)
    with pytest.raises(Conflict, match="reason_missing"):
        model.check(case, build.checker, case.changed_at, is_passed=False)


# Laws: whatever allowed things people do, in whatever order


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


def give(build, case: Case, command: Command, actor: Actor, at: datetime, choice: int) -> model.Moved:
    checker, unit = list(CHECKERS.items())[choice % len(CHECKERS)]
    acts = {
        C.DISPATCH: lambda: model.dispatch(case, build.site, "power", ["estate"], actor, at, "就近"),
        C.CLAIM: lambda: model.claim(case, build.site, actor, at),
        C.START: lambda: model.start(case, actor, at),
        C.ASSIST_DONE: lambda: model.assist_done(
            case, actor, at, "已到场", unit="estate", is_excused=actor.unit != "estate"
        ),
        C.FEEDBACK: lambda: model.feedback(case, actor, at, "修好了"),
        C.REJECT_FEEDBACK: lambda: model.reject_feedback(case, actor, at, "没有照片"),
        C.SEND_CHECK: lambda: model.send_check(case, build.site, actor, at, checker, unit),
        C.CHECK: lambda: model.check(case, actor, at, is_passed=choice % 3 > 0, note="看过了"),
        C.CLOSE: lambda: model.close(case, actor, at, "已修复"),
        C.CLOSE_ON_SPOT: lambda: model.close_on_spot(case, actor, at, "已清理", "当场清理"),
        C.REOPEN: lambda: model.reopen(case, build.site, actor, at, "又掉了"),
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
    assert sum(each.is_running for each in case.clocks if each.stage in model.WATCHED) <= 1
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
            late = model.tell_overdue(case, now)
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
