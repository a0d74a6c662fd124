"""Decides how units take a case and work on it: dispatch, claim, start, the assist units' parts, feedback, deadlines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.dispatch.calendars.model import Clock
from services.dispatch.cases.conditions import not_your_unit, require
from services.dispatch.cases.model import SYSTEM, Actor, Case, CaseState, Command, Moved, moved, taken_in_hand
from services.dispatch.cases.parts import (
    Assignment,
    PartState,
    Stage,
    StageClock,
    finished,
    sent,
    with_clock,
    with_part,
)
from services.dispatch.categories.model import ClockFrom
from services.dispatch.sites.model import Site
from wangge.chassis.errors import Conflict, Forbidden


def dispatch(
    case: Case, site: Site, lead: str, assist: Iterable[str], actor: Actor, now: datetime, opinion: str = ""
) -> Moved:
    """Hand it to one lead unit and any assist units; the handling clock runs unless it ran before."""
    at = case.not_before(now)
    if actor is not SYSTEM:
        require(case, Command.DISPATCH, actor, at)
    parts = sent(case.round, lead, assist, at)
    earlier = tuple(each for each in case.assignments if each.round != case.round)
    clocks = with_clock(
        case.clocks, Stage.CLAIM, site.clock(site.stage_limits.of_claim(case.is_emergency), at)
    )
    if (handle := case.latest(Stage.HANDLE)) is None or not handle.is_running:
        clocks = with_clock(clocks, Stage.HANDLE, handling_clock(case, site, at))
    return moved(
        case,
        Command.DISPATCH,
        CaseState.DISPATCHED,
        actor,
        at,
        opinion,
        lead,
        dispatched_at=at,
        assignments=(*earlier, *parts),
        clocks=clocks,
    )


def claim(case: Case, site: Site, actor: Actor, now: datetime, opinion: str = "") -> Moved:
    """Take the order for one's unit: the one it was sent to, or the first that takes it from the pool."""
    at = case.not_before(now)
    require(case, Command.CLAIM, actor, at)
    unit = actor.unit or ""
    part = next((each for each in case.parts if each.is_lead), None)
    taken = replace(
        part or Assignment(case.round, unit, is_lead=True, state=PartState.SENT, sent_at=at),
        state=PartState.CLAIMED,
        claimed_at=at,
    )
    clocks = finished(case.clocks, Stage.CLAIM, at)
    if case.latest(Stage.HANDLE) is None:
        clocks = (*clocks, StageClock(Stage.HANDLE, 1, handling_clock(case, site, at)))
    return moved(
        case,
        Command.CLAIM,
        CaseState.CLAIMED,
        actor,
        at,
        opinion,
        unit,
        dispatched_at=case.dispatched_at or at,
        claimed_at=at,
        assignments=with_part(case.assignments, taken),
        clocks=clocks,
        **taken_in_hand(case, actor),
    )


def start(
    case: Case, actor: Actor, now: datetime, opinion: str = "", evidence: Iterable[Mapping[str, Any]] = ()
) -> Moved:
    """Arrive and begin."""
    at = case.not_before(now)
    require(case, Command.START, actor, at)
    return moved(
        case,
        Command.START,
        CaseState.HANDLING,
        actor,
        at,
        opinion,
        None,
        evidence,
        started_at=at,
        **taken_in_hand(case, actor),
    )


def assist_done(
    case: Case, actor: Actor, now: datetime, result: str, unit: str | None = None, is_excused: bool = False
) -> Moved:
    """An assist unit has done its part; a dispatcher may excuse it."""
    at = case.not_before(now)
    require(case, Command.ASSIST_DONE, actor, at)
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
        raise not_your_unit([named])
    state = PartState.EXCUSED if is_excused else PartState.DONE
    done = replace(owed[named], state=state, done_at=at, result=result)
    return moved(
        case,
        Command.ASSIST_DONE,
        case.state,
        actor,
        at,
        result,
        named,
        assignments=with_part(case.assignments, done),
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
    require(case, Command.FEEDBACK, actor, at)
    lead = next(each for each in case.parts if each.is_lead)
    done = replace(lead, state=PartState.DONE, done_at=at, result=result)
    return moved(
        case,
        Command.FEEDBACK,
        CaseState.HANDLED,
        actor,
        at,
        result,
        None,
        evidence,
        handled_at=at,
        result=result,
        helpers=tuple(dict.fromkeys(helpers)),
        assignments=with_part(case.assignments, done),
        clocks=finished(case.clocks, Stage.HANDLE, at),
        **taken_in_hand(case, actor),
    )


def tell_overdue(case: Case, now: datetime) -> tuple[Moved, StageClock] | None:
    """The case with its missed deadline noted, and the clock that missed it; None when nothing is overdue."""
    late = case.watched
    if late is None or not late.clock.is_overdue(now):
        return None
    at = case.not_before(now)
    told = replace(late, overdue_at=at)
    clocks = tuple(told if each is late else each for each in case.clocks)
    return moved(case, "overdue", case.state, SYSTEM, at, late.stage, case.lead, clocks=clocks), told


def handling_clock(case: Case, site: Site, at: datetime) -> Clock:
    """The clock of the handling: from the report where the category says so, else from now."""
    return site.clock(case.limit, case.received_at if case.clock_from is ClockFrom.REPORT else at)
