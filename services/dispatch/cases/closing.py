"""Decides what follows the feedback of a case: sent back, checked, closed by a third person, opened again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.dispatch.cases.conditions import may_check, require, same_person
from services.dispatch.cases.model import Actor, Case, CaseState, Command, Moved, moved, taken_in_hand
from services.dispatch.cases.parts import PartState, Stage, finished, sent, with_clock, with_part
from services.dispatch.sites.model import Site
from wangge.chassis.errors import Conflict


def reject_feedback(case: Case, actor: Actor, now: datetime, reason: str) -> Moved:
    """Send it back to the unit that says it is done; the clock runs on as if it had never stopped."""
    at = case.not_before(now)
    require(case, Command.REJECT_FEEDBACK, actor, at)
    return moved(
        case,
        Command.REJECT_FEEDBACK,
        CaseState.HANDLING,
        actor,
        at,
        reason,
        case.handler,
        **_back_to_work(case),
    )


def send_check(
    case: Case, site: Site, actor: Actor, now: datetime, checker: str, unit: str | None, opinion: str = ""
) -> Moved:
    """Ask somebody to look whether it is really done: not who handled it, nor anybody of the same unit."""
    at = case.not_before(now)
    require(case, Command.SEND_CHECK, actor, at)
    if not may_check(case, checker, unit):
        raise same_person(
            "核查人不能是处置人，也不能来自处置单位", "who handled it, or works there, may not check it"
        )
    limit = site.stage_limits.of_check(case.is_emergency)
    return moved(
        case,
        Command.SEND_CHECK,
        CaseState.CHECKING,
        actor,
        at,
        opinion,
        checker,
        checker=checker,
        check_passed=False,
        clocks=with_clock(case.clocks, Stage.CHECK, site.clock(limit, at)),
    )


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
    require(case, Command.CHECK, actor, at)
    if not is_passed and not note:
        raise Conflict("case.reason_missing", "核查不通过须说明原因", "say why it failed")
    clocks = finished(case.clocks, Stage.CHECK, at)
    if is_passed:
        return moved(
            case,
            Command.CHECK,
            CaseState.CHECKING,
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
    return moved(
        case,
        Command.CHECK,
        CaseState.HANDLING,
        actor,
        at,
        note,
        case.handler,
        evidence,
        checked_at=at,
        **back,
    )


def close(case: Case, actor: Actor, now: datetime, reply: str, note: str = "") -> Moved:
    """Answer the reporters; the closer is a third person where a check was made."""
    at = case.not_before(now)
    require(case, Command.CLOSE, actor, at)
    return moved(
        case,
        Command.CLOSE,
        CaseState.CLOSED,
        actor,
        at,
        note or reply,
        None,
        **_closed(case, actor, at, reply),
    )


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
    require(case, Command.CLOSE_ON_SPOT, actor, at)
    listed = tuple(evidence)
    if not listed and not note:
        raise Conflict("case.evidence_missing", "当场办结须有照片或文字记录", "a photo or a note is needed")
    stopped = finished(finished(case.clocks, Stage.CLAIM, at), Stage.HANDLE, at)
    return moved(
        case,
        Command.CLOSE_ON_SPOT,
        CaseState.CLOSED,
        actor,
        at,
        note or reply,
        None,
        listed,
        handled_at=at,
        result=note or reply,
        is_on_spot=True,
        clocks=stopped,
        **taken_in_hand(case, actor),
        **_closed(case, actor, at, reply),
    )


def reopen(case: Case, site: Site, actor: Actor, now: datetime, reason: str) -> Moved:
    """It was not solved: the same units have it again in a new round, with a new handling clock."""
    at = case.not_before(now)
    require(case, Command.REOPEN, actor, at)
    lead = case.lead or site.lead_of(case.area)
    again = replace(case, round=case.round + 1, reopen_count=case.reopen_count + 1)
    parts = sent(again.round, lead, (each.unit for each in case.assist), at)
    claiming = site.clock(site.stage_limits.of_claim(case.is_emergency), at)
    clocks = with_clock(again.clocks, Stage.CLAIM, claiming)
    return moved(
        again,
        Command.REOPEN,
        CaseState.DISPATCHED,
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
        assignments=(*case.assignments, *parts),
        clocks=with_clock(clocks, Stage.HANDLE, site.clock(case.limit, at)),
    )


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
        "assignments": with_part(case.assignments, working),
        "clocks": clocks,
    }
