"""What intake tells: reports and the directory."""

from marshmallow import fields, validate

from wangge.contracts.fields import (
    CHANNELS,
    PERSON_ID,
    REPORT_CODE,
    URGENCIES,
    AreaField,
    Contract,
    Evidence,
    Location,
    instant,
    matching,
    one_of,
    reference,
    text,
)
from wangge.contracts.registry import EventType


class Reporter(Contract):
    """Who reported, by reference only; `confidential` is never shown to the counterparty."""

    ref = reference(required=True)
    confidential = fields.Boolean(load_default=False)
    wants_reply = fields.Boolean(load_default=True)


class ReportAccepted(Contract):
    """A report was found true and new; dispatch files a case on it."""

    report_code = matching(REPORT_CODE, required=True)
    channel = one_of(*CHANNELS, required=True)
    category = text(16, required=True)
    urgency = one_of(*URGENCIES, required=True)
    area = AreaField(required=True)
    summary = text(
        200, required=True, metadata={"description": "title or first words, personal numbers masked"}
    )
    location = fields.Nested(Location)
    occurred_at = instant(required=True)
    received_at = instant(required=True)
    reporter = fields.Nested(Reporter, required=True)
    evidence = fields.List(fields.Nested(Evidence), load_default=list)


class ReportRejected(Contract):
    """A report was not accepted; the reporter is told why."""

    report_code = matching(REPORT_CODE, required=True)
    area = AreaField(required=True)
    reason = text(40, required=True, metadata={"description": "reason code, for example in_litigation"})
    reply = text(500, required=True)
    reporter = fields.Nested(Reporter, required=True)


class ReportMerged(Contract):
    """A report told of an incident already known; its reporter gets every reply of the other report's case."""

    report_code = matching(REPORT_CODE, required=True)
    into = matching(REPORT_CODE, required=True)
    area = AreaField(required=True)
    reporter = fields.Nested(Reporter, required=True)


class UnitChanged(Contract):
    """A unit (community, department, utility, company …) was added, changed or ended."""

    unit_id = matching(PERSON_ID, required=True)
    name = text(80, required=True)
    kind = text(24, required=True)
    area = AreaField(required=True)
    duties = fields.List(
        text(16), load_default=list, metadata={"description": "category codes it answers for"}
    )
    status = one_of("active", "ended", required=True)


class GridChanged(Contract):
    """A grid was added, changed or retired; a retired code is never used again."""

    area = AreaField(required=True)
    name = text(80, required=True)
    kind = one_of("base", "dedicated", "micro", required=True)
    status = one_of("draft", "active", "retired", required=True)
    households = fields.Integer(validate=validate.Range(min=0), allow_none=True)


class PersonChanged(Contract):
    """A person of the directory was added, changed or ended; the name stays at home."""

    person_id = matching(PERSON_ID, required=True)
    area = AreaField(required=True)
    unit_id = matching(PERSON_ID, allow_none=True)
    status = one_of("active", "ended", required=True)


class RoleChanged(Contract):
    """A person took up or gave up a role in an area or a unit."""

    person_id = matching(PERSON_ID, required=True)
    role = text(32, required=True)
    area = AreaField(required=True)
    unit_id = matching(PERSON_ID, allow_none=True)
    status = one_of("active", "ended", required=True)


class ContactShared(Contract):
    """A reporter's phone or mail for notify, sealed (JWE compact) to notify's key."""

    subject_ref = reference(required=True)
    area = AreaField(required=True)
    sealed = text(4000, required=True)


EVENTS = [
    EventType("report.accepted.v1", "intake", ReportAccepted, subject="report_code"),
    EventType("report.rejected.v1", "intake", ReportRejected, subject="report_code"),
    EventType("report.merged.v1", "intake", ReportMerged, subject="report_code", partition="into"),
    EventType("unit.changed.v1", "intake", UnitChanged, subject="unit_id"),
    EventType("grid.changed.v1", "intake", GridChanged, subject="area"),
    EventType("person.changed.v1", "intake", PersonChanged, subject="person_id"),
    EventType("role.changed.v1", "intake", RoleChanged, subject="person_id"),
    EventType("contact.shared.v1", "intake", ContactShared, subject="subject_ref"),
]
