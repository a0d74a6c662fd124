"""Tells what happened to a case in the words of its contracts: `(type, data)` for each move that others hear of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from services.dispatch.cases.model import Case, CaseState, Command, Moved
from services.dispatch.cases.parts import StageClock

Fact = tuple[str, dict[str, Any]]


def told_by(moved: Moved, reporters: Iterable[str] = ()) -> list[Fact]:
    """What a move tells; `reporters`: everybody who wants a reply, needed when it closes the case."""
    if moved.record.to_state is CaseState.CLOSED:
        return [_fact("case.closed.v1", moved, _closing(moved.case, reporters))]
    told = TOLD.get(moved.record.op)
    return [_fact(told[0], moved, told[1](moved))] if told else []


def overdue(case: Case, missed: StageClock, lead: str, now: datetime) -> Fact:
    """That a deadline passed; told once."""
    late = (now - missed.clock.deadline).total_seconds()
    data = {
        **_common(case, now),
        "stage": missed.stage,
        "lead": lead,
        "level": case.level,
        "deadline": missed.clock.deadline,
        "overdue_seconds": math.ceil(late),
        "summary": case.summary,
    }
    return "case.overdue.v1", data


def _fact(event_type: str, moved: Moved, more: dict[str, Any]) -> Fact:
    return event_type, {**_common(moved.case, moved.record.at), **more}


def _common(case: Case, at: datetime) -> dict[str, Any]:
    return {
        "case_no": case.case_no,
        "report_code": case.report_code,
        "area": case.area,
        "category": case.category,
        "at": at,
    }


def _filed(moved: Moved) -> dict[str, Any]:
    case = moved.case
    return {"level": case.level, "urgency": case.urgency, "limit": str(case.limit)}


def _dispatched(moved: Moved) -> dict[str, Any]:
    case = moved.case
    return {
        "lead": case.lead,
        "assist": [each.unit for each in case.assist],
        "level": case.level,
        "urgency": case.urgency,
        "deadline": case.deadline,
        "summary": case.summary,
    }


def _claimed(moved: Moved) -> dict[str, Any]:
    mode = "dispatched" if moved.record.from_state is CaseState.DISPATCHED else "claimed"
    return {"unit": moved.case.lead, "handler": moved.case.handler, "mode": mode}


def _handled(moved: Moved) -> dict[str, Any]:
    return {"unit": moved.case.lead, "handler": moved.case.handler, "on_time": moved.case.on_time}


def _checked(moved: Moved) -> dict[str, Any]:
    case = moved.case
    result = "pass" if case.check_passed else "fail"
    return {"result": result, "checker": moved.record.actor, "rework_count": case.rework_count}


def _reopened(moved: Moved) -> dict[str, Any]:
    case = moved.case
    return {
        "reason": moved.record.opinion,
        "closing": case.closing,
        "lead": case.lead,
        "deadline": case.deadline,
    }


TOLD: dict[str, tuple[str, Callable[[Moved], dict[str, Any]]]] = {
    "file": ("case.filed.v1", _filed),
    Command.DISPATCH: ("case.dispatched.v1", _dispatched),
    Command.CLAIM: ("case.claimed.v1", _claimed),
    Command.FEEDBACK: ("case.handled.v1", _handled),
    Command.CHECK: ("case.checked.v1", _checked),
    Command.REOPEN: ("case.reopened.v1", _reopened),
}
"""What each operation tells besides the case's number, report, area and category; the others tell nothing."""


def _closing(case: Case, reporters: Iterable[str]) -> dict[str, Any]:
    return {
        "level": case.level,
        "mode": "on_spot" if case.is_on_spot else "joint" if case.assist else "single",
        "channel": case.channel,
        "on_time": bool(case.on_time),
        "closing": case.closing,
        "reply": case.reply,
        "helpers": _helpers(case),
        "reporters": list(dict.fromkeys(reporters)),
    }


def _helpers(case: Case) -> list[dict[str, str]]:
    """Who reported (where it is a person of the directory), who handled it, who helped: one entry for each part."""
    kind, _, person = case.reporter.partition(":")
    parts = [(person, "reporter")] if kind == "person" else []
    if case.handler:
        parts.append((case.handler, "handler"))
    parts += [(helper, "helper") for helper in case.helpers if helper != case.handler]
    return [{"person_id": person_id, "part": part} for person_id, part in parts]
