"""What dispatch tells: the life of a case."""

from marshmallow import fields, validate

from wangge.contracts.fields import (
    CASE_NO,
    PERSON_ID,
    REPORT_CODE,
    URGENCIES,
    AreaField,
    Contract,
    instant,
    matching,
    one_of,
    reference,
    text,
)
from wangge.contracts.registry import EventType

LEVELS = ("L1", "L2", "L3", "L4", "L5")


class CaseFact(Contract):
    """What every fact of a case carries."""

    case_no = matching(CASE_NO, required=True)
    report_code = matching(REPORT_CODE, required=True)
    area = AreaField(required=True)
    category = text(16, required=True)
    at = instant(required=True, metadata={"description": "when it happened, by the rules' clock"})


class CaseFiled(CaseFact):
    """A report became a case with a number, a category and a limit."""

    level = one_of(*LEVELS, required=True)
    urgency = one_of(*URGENCIES, required=True)
    limit = text(32, required=True, metadata={"description": "for example `2 urgent_hour`"})


class CaseDispatched(CaseFact):
    """A case was handed to its lead unit (and assist units), with a deadline."""

    lead = matching(PERSON_ID, required=True, metadata={"description": "unit id; exactly one"})
    assist = fields.List(matching(PERSON_ID), load_default=list)
    level = one_of(*LEVELS, required=True)
    urgency = one_of(*URGENCIES, required=True)
    deadline = instant(required=True)
    summary = text(200, required=True)


class CaseClaimed(CaseFact):
    """A unit took the order; from a pool the first claim wins."""

    unit = matching(PERSON_ID, required=True)
    handler = matching(PERSON_ID, required=True)
    mode = one_of("dispatched", "claimed", required=True)


class CaseHandled(CaseFact):
    """The lead unit fed back that the matter is done."""

    unit = matching(PERSON_ID, required=True)
    handler = matching(PERSON_ID, required=True)
    on_time = fields.Boolean(required=True)


class CaseChecked(CaseFact):
    """Somebody other than the handler looked whether it is really done."""

    result = one_of("pass", "fail", required=True)
    checker = matching(PERSON_ID, required=True)
    rework_count = fields.Integer(required=True, validate=validate.Range(min=0))


class Helper(Contract):
    """Who helped, and how; points credits them by the rule set."""

    person_id = matching(PERSON_ID, required=True)
    part = one_of("reporter", "handler", "helper", required=True)


class CaseClosed(CaseFact):
    """A case was closed and its reporters are answered."""

    level = one_of(*LEVELS, required=True)
    mode = one_of("on_spot", "joint", "co_governed", "single", required=True)
    channel = text(24, required=True)
    on_time = fields.Boolean(required=True)
    closing = fields.Integer(
        required=True, metadata={"description": "1 for the first closing, 2 after a reopening …"}
    )
    reply = text(1000, required=True)
    helpers = fields.List(fields.Nested(Helper), load_default=list)
    reporters = fields.List(
        reference(), load_default=list, metadata={"description": "everybody who wants a reply"}
    )


class CaseReopened(CaseFact):
    """A closed case turned out not to be solved."""

    reason = text(500, required=True)
    closing = fields.Integer(required=True, metadata={"description": "the closing that no longer stands"})
    lead = matching(PERSON_ID, required=True)
    deadline = instant(required=True)


class CaseOverdue(CaseFact):
    """A deadline passed; told once per deadline."""

    stage = one_of("handle", "check", required=True)
    lead = matching(PERSON_ID, required=True)
    level = one_of(*LEVELS, required=True)
    deadline = instant(required=True)
    overdue_seconds = fields.Integer(required=True, validate=validate.Range(min=1))
    summary = text(200, required=True)


EVENTS = [
    EventType(f"{name}.v1", "dispatch", schema, subject="case_no")
    for name, schema in {
        "case.filed": CaseFiled,
        "case.dispatched": CaseDispatched,
        "case.claimed": CaseClaimed,
        "case.handled": CaseHandled,
        "case.checked": CaseChecked,
        "case.closed": CaseClosed,
        "case.reopened": CaseReopened,
        "case.overdue": CaseOverdue,
    }.items()
]
