"""Decides what may happen to a case: the table of moves, who may make each, and what each leaves behind.

The main machine of the field (domain model 3.3.2). A case is frozen; a command answers the case after it and the flow
record that tells of it. The number of a flow record is the version of the case after it, so the history has no gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from services.dispatch.calendars.model import Clock, Limit
from services.dispatch.categories.model import ClockFrom
from services.dispatch.directory.model import Unit
from services.dispatch.sites.model import Site
from wangge.chassis.errors import Conflict, Forbidden, Refusal, invalid


class CaseState(StrEnum):
    """Where a case is in its life."""

    FILED = "filed"
    DISPATCHED = "dispatched"
    CLAIMED = "claimed"
    HANDLING = "handling"
    SUSPENDED = "suspended"
    HANDLED = "handled"
    CHECKING = "checking"
    CLOSED = "closed"
    ARCHIVED = "archived"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    TRANSFERRED = "transferred"
    FORCED_CLOSED = "forced_closed"


CASE_STATE_LABELS = {
    CaseState.FILED: "已立案",
    CaseState.DISPATCHED: "已派遣",
    CaseState.CLAIMED: "已领单",
    CaseState.HANDLING: "处置中",
    CaseState.SUSPENDED: "挂账",
    CaseState.HANDLED: "已反馈",
    CaseState.CHECKING: "核查中",
    CaseState.CLOSED: "已结案",
    CaseState.ARCHIVED: "已归档",
    CaseState.RETURNED: "退单",
    CaseState.CANCELLED: "作废",
    CaseState.TRANSFERRED: "移送",
    CaseState.FORCED_CLOSED: "强制结案",
}


class Command(StrEnum):
    """What somebody may do with a case."""

    DISPATCH = "dispatch"
    CLAIM = "claim"
    START = "start"
    ASSIST_DONE = "assist_done"
    FEEDBACK = "feedback"
    REJECT_FEEDBACK = "reject_feedback"
    SEND_CHECK = "send_check"
    CHECK = "check"
    CLOSE = "close"
    CLOSE_ON_SPOT = "close_on_spot"
    REOPEN = "reopen"


S, C = CaseState, Command

MOVES: dict[tuple[CaseState, Command], tuple[CaseState, ...]] = {
    (S.FILED, C.DISPATCH): (S.DISPATCHED,),
    (S.RETURNED, C.DISPATCH): (S.DISPATCHED,),
    # only from the pool: nobody was named, the first unit that claims it has it
    (S.FILED, C.CLAIM): (S.CLAIMED,),
    (S.DISPATCHED, C.CLAIM): (S.CLAIMED,),
    (S.CLAIMED, C.START): (S.HANDLING,),
    # assist units work beside the lead, so their report moves nothing
    (S.DISPATCHED, C.ASSIST_DONE): (S.DISPATCHED,),
    (S.CLAIMED, C.ASSIST_DONE): (S.CLAIMED,),
    (S.HANDLING, C.ASSIST_DONE): (S.HANDLING,),
    (S.HANDLING, C.FEEDBACK): (S.HANDLED,),
    (S.HANDLED, C.REJECT_FEEDBACK): (S.HANDLING,),
    (S.HANDLED, C.SEND_CHECK): (S.CHECKING,),
    # passed, it waits for somebody else to close it; failed, the same unit has it again and its clock runs on
    (S.CHECKING, C.CHECK): (S.CHECKING, S.HANDLING),
    (S.CHECKING, C.CLOSE): (S.CLOSED,),
    # only where the category needs no check: inquiries, errands
    (S.HANDLED, C.CLOSE): (S.CLOSED,),
    (S.FILED, C.CLOSE_ON_SPOT): (S.CLOSED,),
    # a report is dispatched as it is filed, so whoever stands there meets an order that no unit has claimed yet
    (S.DISPATCHED, C.CLOSE_ON_SPOT): (S.CLOSED,),
    (S.CLOSED, C.REOPEN): (S.DISPATCHED,),
}
"""Every allowed move: from this state, by this command, to one of these states."""

IN_HAND = frozenset({S.CLAIMED, S.HANDLING})
"""Where a second claim comes too late."""

UNIT_ROLES = frozenset({"unit_contact", "enforcement_officer", "enforcement_lead"})

MAY: dict[Command, frozenset[str]] = {
    C.DISPATCH: frozenset({"dispatcher", "grid_leader", "community_secretary"}),
    C.CLAIM: UNIT_ROLES,
    C.START: UNIT_ROLES,
    C.ASSIST_DONE: UNIT_ROLES | {"dispatcher"},
    C.FEEDBACK: UNIT_ROLES,
    C.REJECT_FEEDBACK: frozenset({"dispatcher", "unit_head"}),
    C.SEND_CHECK: frozenset({"dispatcher", "intake_operator"}),
    # whoever was named checker, in whatever role
    C.CHECK: frozenset(),
    C.CLOSE: frozenset({"intake_operator", "community_staff"}),
    C.CLOSE_ON_SPOT: frozenset({"grid_worker", "patrol_member"}),
    C.REOPEN: frozenset({"intake_operator"}),
}
"""The roles of which one is needed for a command; empty: no role, another condition decides."""

OWN_LEVELS = {
    "grid_leader": frozenset({"L1", "L2"}),
    "community_secretary": frozenset({"L1", "L2", "L3"}),
    "dispatcher": frozenset({"L1", "L2", "L3", "L4", "L5"}),
}
"""Up to which level each role may dispatch by itself."""

ON_SPOT_LEVELS = frozenset({"L1", "L2"})

#: Days after the closing within which a case can be reopened, and how often.
REOPEN_DAYS = 15
REOPEN_TIMES = 2


class Stage(StrEnum):
    """What a clock of a case counts."""

    CLAIM = "claim"
    HANDLE = "handle"
    CHECK = "check"


WATCHED = frozenset({Stage.HANDLE, Stage.CHECK})
"""The stages whose missed deadline is told."""


@dataclass(frozen=True, slots=True)
class StageClock:
    """The `number`-th clock of a stage. `overdue_at`: when its missed deadline was told, once."""

    stage: Stage
    number: int
    clock: Clock
    overdue_at: datetime | None = None

    @property
    def is_running(self) -> bool:
        """Whether its stage is not over."""
        return self.clock.finished_at is None


class PartState(StrEnum):
    """How far a unit is with its part of a case."""

    SENT = "sent"
    CLAIMED = "claimed"
    DONE = "done"
    EXCUSED = "excused"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A unit's part in one round of a case: it leads or it assists. A reopening begins a new round."""

    round: int
    unit: str
    is_lead: bool
    state: PartState
    sent_at: datetime
    claimed_at: datetime | None = None
    done_at: datetime | None = None
    result: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether the unit still owes its part."""
        return self.state not in (PartState.DONE, PartState.EXCUSED)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person in their roles, for their unit."""

    person_id: str
    roles: frozenset[str] = frozenset()
    unit: str | None = None

    def has_role(self, roles: Iterable[str]) -> bool:
        """Whether one of `roles` is theirs; an `admin` has all."""
        return "admin" in self.roles or not self.roles.isdisjoint(roles)


SYSTEM = Actor("system")
"""Who acts where a rule acts by itself."""


@dataclass(frozen=True, slots=True)
class FlowRecord:
    """One line of a case's history; never changed once written."""

    case_no: str
    seq: int
    op: str
    from_state: CaseState | None
    to_state: CaseState
    actor: str
    unit: str | None
    opinion: str
    receiver: str | None
    evidence: tuple[Mapping[str, Any], ...]
    at: datetime


@dataclass(frozen=True)
class Case:
    """A case. The terms of its category are those of the day it was filed; times are of the present round.

    `hands`: everybody who claimed, started or fed back in this round, the last one is the `handler`. `helpers`: person
    ids named in the feedback. `closing`: how often it was closed.
    """

    case_no: str
    report_code: str
    site: str
    area: str
    channel: str
    urgency: str
    summary: str
    location: Mapping[str, Any] | None
    reporter: str
    is_confidential: bool

    category: str
    category_name: str
    level: str
    limit: Limit
    clock_from: ClockFrom
    closing_condition: str
    on_spot_allowed: bool
    needs_check: bool
    pool: bool
    units_allowed: tuple[str, ...]

    received_at: datetime
    filed_at: datetime
    changed_at: datetime
    state: CaseState = CaseState.FILED
    version: int = 1
    round: int = 1
    dispatched_at: datetime | None = None
    claimed_at: datetime | None = None
    started_at: datetime | None = None
    handled_at: datetime | None = None
    checked_at: datetime | None = None
    closed_at: datetime | None = None
    handler: str | None = None
    hands: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()
    checker: str | None = None
    check_passed: bool = False
    closer: str | None = None
    is_on_spot: bool = False
    result: str | None = None
    reply: str | None = None
    rework_count: int = 0
    reopen_count: int = 0
    closing: int = 0
    assignments: tuple[Assignment, ...] = ()
    clocks: tuple[StageClock, ...] = ()

    @property
    def parts(self) -> tuple[Assignment, ...]:
        """The assignments of the present round."""
        return tuple(each for each in self.assignments if each.round == self.round)

    @property
    def lead(self) -> str | None:
        """The one unit that leads; nobody yet while it lies in the pool."""
        return next((each.unit for each in self.parts if each.is_lead), None)

    @property
    def assist(self) -> tuple[Assignment, ...]:
        """The parts of the units that assist."""
        return tuple(each for each in self.parts if not each.is_lead)

    @property
    def units(self) -> frozenset[str]:
        """Every unit that may see it: those that work on it or worked on it, and those that may claim it."""
        return frozenset({each.unit for each in self.assignments} | set(self.units_allowed))

    @property
    def is_emergency(self) -> bool:
        """Whether it is an emergency."""
        return self.urgency == "emergency"

    def latest(self, stage: Stage) -> StageClock | None:
        """The last clock of a stage."""
        return max(
            (each for each in self.clocks if each.stage is stage), key=lambda c: c.number, default=None
        )

    @property
    def deadline(self) -> datetime | None:
        """When the handling is due; None until its clock runs."""
        handle = self.latest(Stage.HANDLE)
        return handle.clock.deadline if handle else None

    @property
    def watched(self) -> StageClock | None:
        """The running clock whose deadline is to be told when it passes; None when it was told or nothing runs."""
        running = (each for each in self.clocks if each.stage in WATCHED and each.is_running)
        return min(
            (each for each in running if each.overdue_at is None),
            key=lambda c: c.clock.deadline,
            default=None,
        )

    @property
    def next_due_at(self) -> datetime | None:
        """The deadline that the sweep looks for."""
        return self.watched.clock.deadline if self.watched else None

    @property
    def on_time(self) -> bool | None:
        """Whether the handling met its deadline; None while it is not handled."""
        handle = self.latest(Stage.HANDLE)
        done = self.handled_at or self.closed_at
        if done is None:
            return None
        return handle is None or done <= handle.clock.deadline

    def not_before(self, now: datetime) -> datetime:
        """`now`, or the last change where another machine's clock is ahead: times of a case never run backwards."""
        return max(now, self.changed_at)


@dataclass(frozen=True, slots=True)
class Moved:
    """A case after a command, and the line of history that tells of it."""

    case: Case
    record: FlowRecord


# Who may do what now

Condition = Callable[[Case, Actor, datetime], Refusal | None]


def obstacle(case: Case, command: Command, actor: Actor, at: datetime) -> Refusal | None:
    """Why this person may not do this to this case now; None when nothing stands in the way."""
    if MAY[command] and not actor.has_role(MAY[command]):
        wanted = sorted(MAY[command])
        return Forbidden(
            "role.missing", f"需要角色：{'、'.join(wanted)}", f"needs one of the roles {', '.join(wanted)}"
        )
    if command is C.CLAIM and case.state in IN_HAND:
        return Conflict("case.already_claimed", "该案件已被领单", f"{case.lead} has claimed it already")
    if (case.state, command) not in MOVES:
        label = CASE_STATE_LABELS[case.state]
        return Conflict(
            "case.move_forbidden", f"{label}的案件不能这样操作", f"no {command} from {case.state}"
        )
    return CONDITIONS[command](case, actor, at)


def allowed(case: Case, actor: Actor, now: datetime) -> list[Command]:
    """The commands that this person may give now."""
    at = case.not_before(now)
    return [command for command in Command if obstacle(case, command, actor, at) is None]


def require(case: Case, command: Command, actor: Actor, at: datetime) -> None:
    """Refuse what the table or a condition forbids; a conflict names what is allowed instead."""
    refusal = obstacle(case, command, actor, at)
    if isinstance(refusal, Conflict):
        refusal.extra["allowed"] = [str(each) for each in allowed(case, actor, at)]
    if refusal:
        raise refusal


def _can_dispatch(case: Case, actor: Actor, _: datetime) -> Refusal | None:
    if any(actor.has_role({role}) and case.level in levels for role, levels in OWN_LEVELS.items()):
        return None
    return Forbidden(
        "level.above", f"{case.level} 级案件超出派遣权限", f"level {case.level} is above your role"
    )


def _can_claim(case: Case, actor: Actor, _: datetime) -> Refusal | None:
    if case.state is S.DISPATCHED:
        return _of_lead(case, actor)
    if not case.pool:
        return Conflict("case.not_in_pool", "该案件不在抢单池中", "it is not in the pool")
    return None if actor.unit in case.units_allowed else _not_your_unit(case.units_allowed)


def _of_lead(case: Case, actor: Actor, _: datetime | None = None) -> Refusal | None:
    return None if actor.unit and actor.unit == case.lead else _not_your_unit([case.lead or ""])


def _can_assist(case: Case, actor: Actor, _: datetime) -> Refusal | None:
    owed = [each.unit for each in case.assist if each.is_open]
    if not owed:
        return Conflict("case.no_assist_open", "没有待完成的协办任务", "no assist unit owes its part")
    if actor.unit in owed or actor.has_role({"dispatcher"}):
        return None
    return _not_your_unit(owed)


def _can_feed_back(case: Case, actor: Actor, _: datetime) -> Refusal | None:
    owed = [each.unit for each in case.assist if each.is_open]
    if owed and _of_lead(case, actor) is None:
        return Conflict(
            "case.assist_open", "协办单位尚未完成", f"{', '.join(owed)} owe their part", extra={"units": owed}
        )
    return _of_lead(case, actor)


def _can_reject(case: Case, actor: Actor, _: datetime) -> Refusal | None:
    return None if actor.has_role({"dispatcher"}) else _of_lead(case, actor)


def _can_check(case: Case, actor: Actor, _: datetime) -> Refusal | None:
    if case.check_passed:
        return Conflict("case.already_checked", "该案件已核查通过", "it has passed its check")
    if actor.person_id != case.checker:
        return Forbidden("case.not_the_checker", "只有指定的核查人可以核查", f"{case.checker} is to check it")
    return None


def _can_close(case: Case, actor: Actor, _: datetime) -> Refusal | None:
    if not (case.check_passed or (case.state is S.HANDLED and not case.needs_check)):
        return Conflict("case.check_missing", "核查通过后才能结案", "it has not passed its check")
    if actor.person_id in case.hands or (case.check_passed and actor.person_id == case.checker):
        return _same_person("处置、核查与结案须为不同的人", "who handled or checked it may not close it")
    return None


def _can_close_on_spot(case: Case, actor: Actor, _: datetime) -> Refusal | None:  # noqa: ARG001 (a condition's shape)
    if not case.on_spot_allowed or case.is_emergency or case.level not in ON_SPOT_LEVELS:
        return Conflict(
            "case.on_spot_not_allowed",
            "该案件不能当场办结",
            "only L1 and L2, no emergency, and where the category allows it",
        )
    return None


def _can_reopen(case: Case, actor: Actor, at: datetime) -> Refusal | None:  # noqa: ARG001 (a condition's shape)
    if case.reopen_count >= REOPEN_TIMES:
        return Conflict(
            "case.reopened_too_often", f"最多重开{REOPEN_TIMES}次", f"reopened {REOPEN_TIMES} times already"
        )
    if case.closed_at and at - case.closed_at > timedelta(days=REOPEN_DAYS):
        return Conflict(
            "case.closed_too_long",
            f"结案超过{REOPEN_DAYS}天不能重开",
            f"closed more than {REOPEN_DAYS} days ago",
        )
    return None


def _anybody(case: Case, actor: Actor, at: datetime) -> Refusal | None:  # noqa: ARG001 (a condition's shape)
    return None


CONDITIONS: dict[Command, Condition] = {
    C.DISPATCH: _can_dispatch,
    C.CLAIM: _can_claim,
    C.START: _of_lead,
    C.ASSIST_DONE: _can_assist,
    C.FEEDBACK: _can_feed_back,
    C.REJECT_FEEDBACK: _can_reject,
    C.SEND_CHECK: _anybody,
    C.CHECK: _can_check,
    C.CLOSE: _can_close,
    C.CLOSE_ON_SPOT: _can_close_on_spot,
    C.REOPEN: _can_reopen,
}
"""What besides the state and the role decides, command by command."""


def _not_your_unit(units: Iterable[str]) -> Forbidden:
    return Forbidden(
        "case.not_your_unit", f"只有{'、'.join(units)}的人员可以操作", f"for people of {', '.join(units)}"
    )


def _same_person(zh: str, en: str) -> Conflict:
    return Conflict("case.same_person", zh, en)


# The moves


def dispatch(
    case: Case, site: Site, lead: str, assist: Iterable[str], actor: Actor, now: datetime, opinion: str = ""
) -> Moved:
    """Hand it to one lead unit and any assist units; the handling clock runs unless it ran before."""
    at = case.not_before(now)
    if actor is not SYSTEM:
        require(case, C.DISPATCH, actor, at)
    sent = _sent(case.round, lead, assist, at)
    earlier = tuple(each for each in case.assignments if each.round != case.round)
    clocks = _with_clock(case, Stage.CLAIM, site.clock(site.stage_limits.of_claim(case.is_emergency), at))
    after = replace(case, clocks=clocks)
    if (handle := case.latest(Stage.HANDLE)) is None or not handle.is_running:
        after = replace(after, clocks=_with_clock(after, Stage.HANDLE, handling_clock(case, site, at)))
    return _moved(
        case,
        C.DISPATCH,
        S.DISPATCHED,
        actor,
        at,
        opinion,
        lead,
        dispatched_at=at,
        assignments=(*earlier, *sent),
        clocks=after.clocks,
    )


def require_units(
    case: Case, known: Mapping[str, Unit], lead: str, assist: Sequence[str], opinion: str
) -> None:
    """Refuse units that the directory does not have, and a lead without this duty unless a reason is given."""
    errors = [
        {"field": field, "message": f"there is no unit {unit}"}
        for field, unit in [("lead", lead), *((f"assist.{i}", unit) for i, unit in enumerate(assist))]
        if unit not in known
    ]
    if lead in assist:
        errors.append({"field": "assist", "message": f"{lead} leads and assists"})
    if lead in known and not known[lead].answers_for(case.category) and not opinion:
        errors.append(
            {"field": "opinion", "message": f"{case.category} is not a duty of {lead}: say why it leads"}
        )
    if errors:
        raise invalid(errors)


def claim(case: Case, site: Site, actor: Actor, now: datetime, opinion: str = "") -> Moved:
    """Take the order for one's unit: the one it was sent to, or the first that takes it from the pool."""
    at = case.not_before(now)
    require(case, C.CLAIM, actor, at)
    unit = actor.unit or ""
    part = next((each for each in case.parts if each.is_lead), None)
    taken = replace(
        part or Assignment(case.round, unit, is_lead=True, state=PartState.SENT, sent_at=at),
        state=PartState.CLAIMED,
        claimed_at=at,
    )
    clocks = _finished(case.clocks, Stage.CLAIM, at)
    if case.latest(Stage.HANDLE) is None:
        clocks = (*clocks, StageClock(Stage.HANDLE, 1, handling_clock(case, site, at)))
    return _moved(
        case,
        C.CLAIM,
        S.CLAIMED,
        actor,
        at,
        opinion,
        unit,
        dispatched_at=case.dispatched_at or at,
        claimed_at=at,
        assignments=_with_part(case, taken),
        clocks=clocks,
        **_taken_in_hand(case, actor),
    )


def start(
    case: Case, actor: Actor, now: datetime, opinion: str = "", evidence: Iterable[Mapping[str, Any]] = ()
) -> Moved:
    """Arrive and begin."""
    at = case.not_before(now)
    require(case, C.START, actor, at)
    return _moved(
        case,
        C.START,
        S.HANDLING,
        actor,
        at,
        opinion,
        None,
        evidence,
        started_at=at,
        **_taken_in_hand(case, actor),
    )


def assist_done(
    case: Case, actor: Actor, now: datetime, result: str, unit: str | None = None, is_excused: bool = False
) -> Moved:
    """An assist unit has done its part; a dispatcher may excuse it."""
    at = case.not_before(now)
    require(case, C.ASSIST_DONE, actor, at)
    owed = {each.unit: each for each in case.assist if each.is_open}
    named = unit or actor.unit or ""
    if named not in owed:
        raise Conflict(
            "case.no_such_assist",
            f"{named} 没有待完成的协办任务",
            f"{named} owes no part",
            extra={"units": sorted(owed)},
        )
    if is_excused and not actor.has_role({"dispatcher"}):
        raise Forbidden("role.missing", "只有派遣员可以免除协办", "only a dispatcher excuses an assist unit")
    if not is_excused and named != actor.unit:
        raise _not_your_unit([named])
    state = PartState.EXCUSED if is_excused else PartState.DONE
    done = replace(owed[named], state=state, done_at=at, result=result)
    return _moved(
        case, C.ASSIST_DONE, case.state, actor, at, result, named, assignments=_with_part(case, done)
    )


def feedback(
    case: Case,
    actor: Actor,
    now: datetime,
    result: str,
    evidence: Iterable[Mapping[str, Any]] = (),
    helpers: Iterable[str] = (),
) -> Moved:
    """Say that it is done, what was done and who helped; the handling clock stops."""
    at = case.not_before(now)
    require(case, C.FEEDBACK, actor, at)
    lead = next(each for each in case.parts if each.is_lead)
    done = replace(lead, state=PartState.DONE, done_at=at, result=result)
    return _moved(
        case,
        C.FEEDBACK,
        S.HANDLED,
        actor,
        at,
        result,
        None,
        evidence,
        handled_at=at,
        result=result,
        helpers=tuple(dict.fromkeys(helpers)),
        assignments=_with_part(case, done),
        clocks=_finished(case.clocks, Stage.HANDLE, at),
        **_taken_in_hand(case, actor),
    )


def reject_feedback(case: Case, actor: Actor, now: datetime, reason: str) -> Moved:
    """Send it back to the unit that says it is done; the clock runs on as if it had never stopped."""
    at = case.not_before(now)
    require(case, C.REJECT_FEEDBACK, actor, at)
    return _moved(case, C.REJECT_FEEDBACK, S.HANDLING, actor, at, reason, case.handler, **_back_to_work(case))


def send_check(
    case: Case, site: Site, actor: Actor, now: datetime, checker: str, unit: str | None, opinion: str = ""
) -> Moved:
    """Ask somebody to look whether it is really done: not who handled it, nor anybody of the same unit."""
    at = case.not_before(now)
    require(case, C.SEND_CHECK, actor, at)
    if not may_check(case, checker, unit):
        raise _same_person(
            "核查人不能是处置人，也不能来自处置单位", "who handled it, or works there, may not check it"
        )
    limit = site.stage_limits.of_check(case.is_emergency)
    return _moved(
        case,
        C.SEND_CHECK,
        S.CHECKING,
        actor,
        at,
        opinion,
        checker,
        checker=checker,
        check_passed=False,
        clocks=_with_clock(case, Stage.CHECK, site.clock(limit, at)),
    )


def may_check(case: Case, person_id: str, unit: str | None) -> bool:
    """Whether this person of this unit may be the checker: not who handled it, nor anybody of the lead unit."""
    return person_id not in case.hands and (unit is None or unit != case.lead)


def check(
    case: Case,
    actor: Actor,
    now: datetime,
    is_passed: bool,
    note: str = "",
    evidence: Iterable[Mapping[str, Any]] = (),
) -> Moved:
    """It is really done, or it goes back to the same unit whose clock runs on."""
    at = case.not_before(now)
    require(case, C.CHECK, actor, at)
    if not is_passed and not note:
        raise Conflict("case.reason_missing", "核查不通过须说明原因", "say why it failed")
    clocks = _finished(case.clocks, Stage.CHECK, at)
    if is_passed:
        return _moved(
            case,
            C.CHECK,
            S.CHECKING,
            actor,
            at,
            note,
            None,
            evidence,
            checked_at=at,
            check_passed=True,
            clocks=clocks,
        )
    back = _back_to_work(replace(case, clocks=clocks))
    return _moved(case, C.CHECK, S.HANDLING, actor, at, note, case.handler, evidence, checked_at=at, **back)


def close(case: Case, actor: Actor, now: datetime, reply: str, note: str = "") -> Moved:
    """Answer the reporters; the closer is a third person where a check was made."""
    at = case.not_before(now)
    require(case, C.CLOSE, actor, at)
    return _moved(case, C.CLOSE, S.CLOSED, actor, at, note or reply, None, **_closed(case, actor, at, reply))


def close_on_spot(
    case: Case,
    actor: Actor,
    now: datetime,
    reply: str,
    note: str = "",
    evidence: Iterable[Mapping[str, Any]] = (),
) -> Moved:
    """Settle a small matter where one stands, with a photo or a note to show for it; nobody checks."""
    at = case.not_before(now)
    require(case, C.CLOSE_ON_SPOT, actor, at)
    listed = tuple(evidence)
    if not listed and not note:
        raise Conflict("case.evidence_missing", "当场办结须有照片或文字记录", "a photo or a note is needed")
    stopped = _finished(_finished(case.clocks, Stage.CLAIM, at), Stage.HANDLE, at)
    return _moved(
        case,
        C.CLOSE_ON_SPOT,
        S.CLOSED,
        actor,
        at,
        note or reply,
        None,
        listed,
        handled_at=at,
        result=note or reply,
        is_on_spot=True,
        clocks=stopped,
        **_taken_in_hand(case, actor),
        **_closed(case, actor, at, reply),
    )


def reopen(case: Case, site: Site, actor: Actor, now: datetime, reason: str) -> Moved:
    """It was not solved: the same units have it again in a new round, with a new handling clock."""
    at = case.not_before(now)
    require(case, C.REOPEN, actor, at)
    lead = case.lead or site.lead_of(case.area)
    again = replace(case, round=case.round + 1, reopen_count=case.reopen_count + 1)
    sent = _sent(again.round, lead, (each.unit for each in case.assist), at)
    claiming = site.clock(site.stage_limits.of_claim(case.is_emergency), at)
    clocks = _with_clock(again, Stage.CLAIM, claiming)
    return _moved(
        again,
        C.REOPEN,
        S.DISPATCHED,
        actor,
        at,
        reason,
        lead,
        dispatched_at=at,
        claimed_at=None,
        started_at=None,
        handled_at=None,
        checked_at=None,
        closed_at=None,
        handler=None,
        hands=(),
        helpers=(),
        checker=None,
        check_passed=False,
        closer=None,
        is_on_spot=False,
        result=None,
        reply=None,
        assignments=(*case.assignments, *sent),
        clocks=_with_clock(replace(again, clocks=clocks), Stage.HANDLE, site.clock(case.limit, at)),
    )


def tell_overdue(case: Case, now: datetime) -> tuple[Moved, StageClock] | None:
    """The case with its missed deadline noted, and the clock that missed it; None when nothing is overdue."""
    late = case.watched
    if late is None or not late.clock.is_overdue(now):
        return None
    at = case.not_before(now)
    told = replace(late, overdue_at=at)
    clocks = tuple(told if each is late else each for each in case.clocks)
    return _moved(case, "overdue", case.state, SYSTEM, at, late.stage, case.lead, clocks=clocks), told


def handling_clock(case: Case, site: Site, at: datetime) -> Clock:
    """The clock of the handling: from the report where the category says so, else from now."""
    return site.clock(case.limit, case.received_at if case.clock_from is ClockFrom.REPORT else at)


def _moved(
    case: Case,
    op: str,
    to: CaseState,
    actor: Actor,
    at: datetime,
    opinion: str = "",
    receiver: str | None = None,
    evidence: Iterable[Mapping[str, Any]] = (),
    **changes: Any,
) -> Moved:
    after = replace(case, state=to, version=case.version + 1, changed_at=at, **changes)
    record = FlowRecord(
        case.case_no,
        after.version,
        str(op),
        case.state,
        to,
        actor.person_id,
        actor.unit,
        opinion,
        receiver,
        tuple(evidence),
        at,
    )
    return Moved(after, record)


def _taken_in_hand(case: Case, actor: Actor) -> dict[str, Any]:
    hands = tuple(dict.fromkeys([*case.hands, actor.person_id]))
    return {"handler": actor.person_id, "hands": hands}


def _closed(case: Case, actor: Actor, at: datetime, reply: str) -> dict[str, Any]:
    return {"closed_at": at, "closer": actor.person_id, "reply": reply, "closing": case.closing + 1}


def _back_to_work(case: Case) -> dict[str, Any]:
    lead = next(each for each in case.parts if each.is_lead)
    working = replace(lead, state=PartState.CLAIMED, done_at=None, result=None)
    handle = case.latest(Stage.HANDLE)
    clocks = tuple(
        replace(each, clock=each.clock.reopen()) if each is handle else each for each in case.clocks
    )
    return {
        "rework_count": case.rework_count + 1,
        "handled_at": None,
        "check_passed": False,
        "checker": None,
        "assignments": _with_part(case, working),
        "clocks": clocks,
    }


def _sent(number: int, lead: str, assist: Iterable[str], at: datetime) -> tuple[Assignment, ...]:
    """The parts of a round that begins: one lead, and each assist unit once."""
    units = dict.fromkeys([lead, *assist])
    return tuple(Assignment(number, unit, unit == lead, PartState.SENT, at) for unit in units)


def _with_part(case: Case, part: Assignment) -> tuple[Assignment, ...]:
    """The assignments with this one in the place of its unit's, or added."""
    key = (part.round, part.unit)
    others = tuple(each for each in case.assignments if (each.round, each.unit) != key)
    return (*others, part)


def _with_clock(case: Case, stage: Stage, clock: Clock) -> tuple[StageClock, ...]:
    """The clocks with a new one of this stage; an earlier one of it that still runs is over."""
    latest = case.latest(stage)
    number = latest.number + 1 if latest else 1
    return (*_finished(case.clocks, stage, clock.started_at), StageClock(stage, number, clock))


def _finished(clocks: tuple[StageClock, ...], stage: Stage, at: datetime) -> tuple[StageClock, ...]:
    return tuple(
        replace(each, clock=each.clock.finish(at)) if each.stage is stage and each.is_running else each
        for each in clocks
    )
