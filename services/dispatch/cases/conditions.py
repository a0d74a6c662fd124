"""Decides who may do what to a case now: by role, by unit, and by the duties that one person may not join."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from services.dispatch.cases.model import (
    CASE_STATE_LABELS,
    IN_HAND,
    MOVES,
    Actor,
    Case,
    CaseState,
    Command,
)
from services.dispatch.directory.model import Unit
from wangge.chassis.errors import Conflict, Forbidden, Refusal, invalid

UNIT_ROLES = frozenset({"unit_contact", "enforcement_officer", "enforcement_lead"})

MAY: dict[Command, frozenset[str]] = {
    Command.DISPATCH: frozenset({"dispatcher", "grid_leader", "community_secretary"}),
    Command.CLAIM: UNIT_ROLES,
    Command.START: UNIT_ROLES,
    Command.ASSIST_DONE: UNIT_ROLES | {"dispatcher"},
    Command.FEEDBACK: UNIT_ROLES,
    Command.REJECT_FEEDBACK: frozenset({"dispatcher", "unit_head"}),
    Command.SEND_CHECK: frozenset({"dispatcher", "intake_operator"}),
    # whoever was named checker, in whatever role
    Command.CHECK: frozenset(),
    Command.CLOSE: frozenset({"intake_operator", "community_staff"}),
    Command.CLOSE_ON_SPOT: frozenset({"grid_worker", "patrol_member"}),
    Command.REOPEN: frozenset({"intake_operator"}),
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

Condition = Callable[[Case, Actor, datetime], Refusal | None]


def obstacle(case: Case, command: Command, actor: Actor, at: datetime) -> Refusal | None:
    """Why this person may not do this to this case now; None when nothing stands in the way."""
    if MAY[command] and not actor.has_role(MAY[command]):
        wanted = sorted(MAY[command])
        return Forbidden(
            "role.missing", f"需要角色：{'、'.join(wanted)}", f"needs one of the roles {', '.join(wanted)}"
        )
    if command is Command.CLAIM and case.state in IN_HAND:
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
    if case.state is CaseState.DISPATCHED:
        return _of_lead(case, actor)
    if not case.pool:
        return Conflict("case.not_in_pool", "该案件不在抢单池中", "it is not in the pool")
    return None if actor.unit in case.units_allowed else not_your_unit(case.units_allowed)


def _of_lead(case: Case, actor: Actor, _: datetime | None = None) -> Refusal | None:
    return None if actor.unit and actor.unit == case.lead else not_your_unit([case.lead or ""])


def _can_assist(case: Case, actor: Actor, _: datetime) -> Refusal | None:
    owed = [each.unit for each in case.assist if each.is_open]
    if not owed:
        return Conflict("case.no_assist_open", "没有待完成的协办任务", "no assist unit owes its part")
    if actor.unit in owed or actor.has_role({"dispatcher"}):
        return None
    return not_your_unit(owed)


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
    if not (case.check_passed or (case.state is CaseState.HANDLED and not case.needs_check)):
        return Conflict("case.check_missing", "核查通过后才能结案", "it has not passed its check")
    if actor.person_id in case.hands or (case.check_passed and actor.person_id == case.checker):
        return same_person("处置、核查与结案须为不同的人", "who handled or checked it may not close it")
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
    Command.DISPATCH: _can_dispatch,
    Command.CLAIM: _can_claim,
    Command.START: _of_lead,
    Command.ASSIST_DONE: _can_assist,
    Command.FEEDBACK: _can_feed_back,
    Command.REJECT_FEEDBACK: _can_reject,
    Command.SEND_CHECK: _anybody,
    Command.CHECK: _can_check,
    Command.CLOSE: _can_close,
    Command.CLOSE_ON_SPOT: _can_close_on_spot,
    Command.REOPEN: _can_reopen,
}
"""What besides the state and the role decides, command by command."""


def not_your_unit(units: Iterable[str]) -> Forbidden:
    """The refusal of somebody who is of none of these units."""
    return Forbidden(
        "case.not_your_unit", f"只有{'、'.join(units)}的人员可以操作", f"for people of {', '.join(units)}"
    )


def same_person(zh: str, en: str) -> Conflict:
    """The refusal of somebody who would do two duties that are kept apart."""
    return Conflict("case.same_person", zh, en)


def may_check(case: Case, person_id: str, unit: str | None) -> bool:
    """Whether this person of this unit may be the checker: not who handled it, nor anybody of the lead unit."""
    return person_id not in case.hands and (unit is None or unit != case.lead)


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
