"""Who may do what when: every state with every command, every role, and duties that one person does not join."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.dispatch.cases import closing, conditions, handling
from services.dispatch.cases.conditions import MAY, obstacle
from services.dispatch.cases.model import CASE_STATE_LABELS, IN_HAND, MOVES, Actor, Case, CaseState, Command
from services.dispatch.directory.model import Unit
from wangge.chassis.errors import Conflict, Forbidden, Invalid
from wangge.contracts.sites import ROLES

S, C = CaseState, Command
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


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
        case = closing.check(case, build.checker, case.changed_at, is_passed=True).case
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
        late = command is C.CLAIM and state in IN_HAND
        assert refusal.code == ("case.already_claimed" if late else "case.move_forbidden")


@pytest.mark.parametrize(("state", "command"), sorted(MOVES))
def test_every_move_leads_where_the_table_says(build, state, command):
    case = open_to(build, state, command)
    actor = build.anybody(case, command)
    acts = {
        C.DISPATCH: lambda at: [handling.dispatch(case, build.site, "power", ["estate"], actor, at)],
        C.CLAIM: lambda at: [handling.claim(case, build.site, actor, at)],
        C.START: lambda at: [handling.start(case, actor, at)],
        C.ASSIST_DONE: lambda at: [handling.assist_done(case, actor, at, "已警戒")],
        C.FEEDBACK: lambda at: [handling.feedback(case, actor, at, "修好了")],
        C.REJECT_FEEDBACK: lambda at: [closing.reject_feedback(case, actor, at, "没有照片")],
        C.SEND_CHECK: lambda at: [closing.send_check(case, build.site, actor, at, "worker-1", "grid-office")],
        C.CHECK: lambda at: [
            closing.check(case, actor, at, is_passed=True),
            closing.check(case, actor, at, is_passed=False, note="仍有裂缝"),
        ],
        C.CLOSE: lambda at: [closing.close(case, actor, at, "已修复")],
        C.CLOSE_ON_SPOT: lambda at: [closing.close_on_spot(case, actor, at, "已清理", "当场清理")],
        C.REOPEN: lambda at: [closing.reopen(case, build.site, actor, at, "又掉了")],
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
        conditions.require(
            case, C.CLAIM, replace(build.handler, roles=frozenset({"unit_contact"})), build.now
        )
    assert refused.value.code == "case.already_claimed"
    assert refused.value.extra["allowed"] == []
    done = build.assists_done(case, build.now)
    with pytest.raises(Conflict) as refused:
        conditions.require(done, C.START, build.handler, build.now)
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
            closing.send_check(case, build.site, build.closer, case.changed_at, person, unit)
        assert refused.value.code == "case.same_person"


def test_who_handled_or_checked_it_does_not_close_it(build):
    case = build.case_in(S.CHECKING)
    passed = closing.check(case, build.checker, case.changed_at, is_passed=True).case
    for person in ("power-1", "worker-1"):
        with pytest.raises(Conflict) as refused:
            closing.close(passed, Actor(person, frozenset({"community_staff"})), passed.changed_at, "已修复")
        assert refused.value.code == "case.same_person"


def test_colleague_who_claimed_it_does_not_close_it_after_another_fed_back(build):
    case = build.case_in(S.HANDLING, replace(build.category, needs_check=False, assist=()))
    colleague = Actor("power-2", frozenset({"unit_contact"}), "power")
    done = handling.feedback(case, colleague, case.changed_at, "办好了").case
    assert (done.handler, done.hands) == ("power-2", ("power-1", "power-2"))
    with pytest.raises(Conflict, match="same_person"):
        closing.close(done, Actor("power-1", frozenset({"community_staff"})), done.changed_at, "已办好")


def test_without_a_needed_check_it_is_closed_at_once_and_with_one_it_is_not(build):
    handled = build.case_in(S.HANDLED)
    assert obstacle(handled, C.CLOSE, build.closer, handled.changed_at).code == "case.check_missing"
    free = build.case_in(S.HANDLED, replace(build.category, needs_check=False))
    assert closing.close(free, build.closer, free.changed_at, "已答复").case.state is S.CLOSED


def test_unpassed_check_does_not_close(build):
    case = build.case_in(S.CHECKING)
    assert obstacle(case, C.CLOSE, build.closer, case.changed_at).code == "case.check_missing"


# What the case itself forbids


def test_filed_case_that_is_in_no_pool_is_not_claimed(build):
    case = replace(build.case(build.pool), pool=False)
    refusal = obstacle(case, C.CLAIM, Actor("x", frozenset({"unit_contact"}), "enforcement"), case.changed_at)
    assert refusal.code == "case.not_in_pool"


def test_case_is_reopened_within_fifteen_days_and_twice_at_most(build):
    case = build.case_in(S.CLOSED)
    last = case.closed_at + 15 * DAY
    assert closing.reopen(case, build.site, build.closer, last, "又掉了").case.reopen_count == 1
    assert obstacle(case, C.REOPEN, build.closer, last + MINUTE).code == "case.closed_too_long"
    often = replace(case, reopen_count=2)
    assert obstacle(often, C.REOPEN, build.closer, last).code == "case.reopened_too_often"


def test_feedback_waits_for_every_assist_unit(build):
    case = build.case_in(S.HANDLING)
    refusal = obstacle(case, C.FEEDBACK, build.handler, case.changed_at)
    assert (refusal.code, refusal.extra["units"]) == ("case.assist_open", ["estate"])
    done = handling.assist_done(case, build.helper, case.changed_at, "已警戒").case
    assert obstacle(done, C.FEEDBACK, build.handler, case.changed_at) is None


@pytest.mark.parametrize(
    "changes", [{"on_spot_allowed": False}, {"urgency": "emergency"}, {"level": "L3"}, {"level": "L5"}]
)
def test_only_small_matters_are_settled_on_the_spot(build, changes):
    case = build.case(replace(build.category, on_spot_allowed=True))
    worker = Actor("worker-1", frozenset({"grid_worker"}))
    assert obstacle(case, C.CLOSE_ON_SPOT, worker, build.now) is None
    refused = obstacle(replace(case, **changes), C.CLOSE_ON_SPOT, worker, build.now)
    assert refused.code == "case.on_spot_not_allowed"


def test_lead_without_the_duty_needs_a_reason_and_every_wrong_unit_is_named(build):
    case = build.case(build.pool)
    known = {"police": Unit("police", "派出所", ("G0301",)), "power": Unit("power", "供电公司", ())}
    conditions.require_units(case, known, "police", [], "")
    conditions.require_units(case, known, "power", [], "就近处置")
    with pytest.raises(Invalid) as refused:
        conditions.require_units(case, known, "power", [], "")
    assert [error["field"] for error in refused.value.errors] == ["opinion"]
    with pytest.raises(Invalid) as refused:
        conditions.require_units(case, known, "nobody", ["police", "ghost", "nobody"], "")
    assert [error["field"] for error in refused.value.errors] == ["lead", "assist.1", "assist.2", "assist"]
