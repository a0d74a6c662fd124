"""The wire format of cases: one body a command, the answer, the lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields as fields_of
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from services.dispatch.cases.model import CASE_STATE_LABELS, Case, CaseState, Command
from services.dispatch.cases.parts import StageClock
from wangge.chassis.pages import PageQuery
from wangge.contracts.fields import (
    CASE_NO,
    PERSON_ID,
    REPORT_CODE,
    AreaField,
    Evidence,
    Location,
    instant,
    matching,
    one_of,
    text,
)


class Body(Schema):
    """Base of every command's body: an unknown field is a mistake."""

    class Meta:
        unknown = RAISE


def evidence() -> fields.List[Any]:
    """Photos and documents."""
    return fields.List(
        fields.Nested(Evidence(unknown=RAISE)), load_default=list, validate=validate.Length(max=20)
    )


def opinion() -> fields.String:
    """What the person has to say about it."""
    return text(500, least=0, load_default="")


def ids(**kwargs: Any) -> fields.List[Any]:
    """Ids of units or people, each once."""
    return fields.List(
        matching(PERSON_ID),
        load_default=list,
        validate=[validate.Length(max=50), _each_once],
        **kwargs,
    )


def _each_once(listed: list[str]) -> None:
    repeated = sorted({each for each in listed if listed.count(each) > 1})
    if repeated:
        raise ValidationError(f"named twice: {', '.join(repeated)}")


class DispatchBody(Body):
    """Who leads and who assists; a reason where it is not the lead's duty."""

    lead = matching(PERSON_ID, required=True)
    assist = ids()
    opinion = opinion()


class ClaimBody(Body):
    """Taking an order."""

    opinion = opinion()


class StartBody(Body):
    """Arriving and beginning."""

    opinion = opinion()
    evidence = evidence()


class AssistDoneBody(Body):
    """What an assist unit did; a dispatcher may excuse it instead."""

    unit = matching(PERSON_ID, load_default=None)
    result = text(1000, required=True)
    is_excused = fields.Boolean(load_default=False)


class FeedbackBody(Body):
    """What was done, shown by what, and who helped."""

    result = text(1000, required=True)
    evidence = evidence()
    helpers = ids(metadata={"description": "person ids of the directory"})


class RejectFeedbackBody(Body):
    """Why it is not done."""

    reason = text(500, required=True)


class SendCheckBody(Body):
    """Who looks; where nobody is named, the grid worker of the place, else another checker."""

    checker = matching(PERSON_ID, load_default=None)
    opinion = opinion()


class CheckBody(Body):
    """What the checker saw; why, where it failed."""

    result = one_of("pass", "fail", required=True)
    note = opinion()
    evidence = evidence()

    @validates_schema(skip_on_field_errors=True)
    def check_reason(self, data: dict[str, Any], **_: Any) -> None:
        """A failed check says why."""
        if data["result"] == "fail" and not data["note"]:
            raise ValidationError({"note": ["say why it failed"]})


class CloseBody(Body):
    """The answer that every reporter gets."""

    reply = text(1000, required=True)
    note = opinion()


class CloseOnSpotBody(CloseBody):
    """The answer, with a photo or a note to show for it."""

    evidence = evidence()

    @validates_schema(skip_on_field_errors=True)
    def check_shown(self, data: dict[str, Any], **_: Any) -> None:
        """Something shows that it is settled."""
        if not data["note"] and not data["evidence"]:
            raise ValidationError({"evidence": ["a photo or a note is needed"]})


class ReopenBody(Body):
    """Why it is not solved."""

    reason = text(500, required=True)


class CaseQuery(PageQuery):
    """`GET /v1/cases`: filters, all of which must hold."""

    report_code = matching(REPORT_CODE, load_default=None)
    state = one_of(*CaseState, load_default=None)
    area = AreaField(load_default=None)
    lead = matching(PERSON_ID, load_default=None)
    due_before = instant(load_default=None, metadata={"description": "its handling is due before this"})


class PartAnswer(Schema):
    """An assist unit's part."""

    unit = fields.String(required=True)
    state = fields.String(required=True)
    result = fields.String(allow_none=True)


class ClockAnswer(Schema):
    """One of a case's clocks."""

    stage = fields.String(required=True)
    number = fields.Integer(required=True)
    limit = fields.String(required=True)
    started_at = fields.AwareDateTime(required=True)
    deadline = fields.AwareDateTime(required=True)
    finished_at = fields.AwareDateTime(allow_none=True)
    overdue_at = fields.AwareDateTime(allow_none=True)


class CaseAnswer(Schema):
    """A case as the asker may see it; `allowed`: the commands that the asker may give now."""

    case_no = matching(CASE_NO, required=True)
    report_code = matching(REPORT_CODE, required=True)
    state = fields.String(required=True)
    state_name = fields.String(required=True)
    category = fields.String(required=True)
    category_name = fields.String(required=True)
    closing_condition = fields.String(required=True)
    level = fields.String(required=True)
    site = fields.String(required=True)
    area = fields.String(required=True)
    channel = fields.String(required=True)
    urgency = fields.String(required=True)
    summary = fields.String(required=True)
    location = fields.Nested(Location, allow_none=True)
    lead = fields.String(allow_none=True)
    assist = fields.List(fields.Nested(PartAnswer), required=True)
    units_allowed = fields.List(fields.String())
    limit = fields.String(required=True)
    deadline = fields.AwareDateTime(allow_none=True)
    on_time = fields.Boolean(allow_none=True)
    clocks = fields.List(fields.Nested(ClockAnswer))
    handler = fields.String(allow_none=True)
    helpers = fields.List(fields.String())
    checker = fields.String(allow_none=True)
    check_passed = fields.Boolean()
    needs_check = fields.Boolean()
    result = fields.String(allow_none=True)
    reply = fields.String(allow_none=True)
    rework_count = fields.Integer(required=True)
    reopen_count = fields.Integer(required=True)
    closing = fields.Integer(required=True)
    allowed = fields.List(fields.String(), required=True)
    version = fields.Integer(required=True)
    received_at = fields.AwareDateTime(required=True)
    filed_at = fields.AwareDateTime(required=True)
    dispatched_at = fields.AwareDateTime(allow_none=True)
    claimed_at = fields.AwareDateTime(allow_none=True)
    started_at = fields.AwareDateTime(allow_none=True)
    handled_at = fields.AwareDateTime(allow_none=True)
    checked_at = fields.AwareDateTime(allow_none=True)
    closed_at = fields.AwareDateTime(allow_none=True)


class CasePage(Schema):
    """A page of cases, the newest first."""

    items = fields.List(fields.Nested(CaseAnswer), required=True)
    next_cursor = fields.String(allow_none=True)


class FlowRecordAnswer(Schema):
    """One line of a case's history."""

    seq = fields.Integer(required=True)
    op = fields.String(required=True)
    from_state = fields.String(allow_none=True)
    to_state = fields.String(required=True)
    actor = fields.String(required=True)
    unit = fields.String(allow_none=True)
    opinion = fields.String(required=True)
    receiver = fields.String(allow_none=True)
    evidence = fields.List(fields.Nested(Evidence))
    at = fields.AwareDateTime(required=True)


class HistoryPage(Schema):
    """A page of a case's history, the oldest first."""

    items = fields.List(fields.Nested(FlowRecordAnswer), required=True)
    next_cursor = fields.String(allow_none=True)


def shown(case: Case, allowed: Iterable[Command]) -> dict[str, Any]:
    """What `CaseAnswer` dumps: the case's own fields, what is computed from them, and what the asker may do."""
    own = {field.name: getattr(case, field.name) for field in fields_of(case)}
    return own | {
        "limit": str(case.limit),
        "clocks": [_clock_shown(each) for each in case.clocks],
        "state_name": CASE_STATE_LABELS[case.state],
        "lead": case.lead,
        "assist": case.assist,
        "deadline": case.deadline,
        "on_time": case.on_time,
        "allowed": list(allowed),
    }


def _clock_shown(each: StageClock) -> dict[str, Any]:
    clock = each.clock
    return {
        "stage": each.stage,
        "number": each.number,
        "limit": str(clock.limit),
        "started_at": clock.started_at,
        "deadline": clock.deadline,
        "finished_at": clock.finished_at,
        "overdue_at": each.overdue_at,
    }
