"""How reports look over HTTP, and how an incident is read from what was sent."""

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from services.intake.reports.model import Incident, Report, ReportStatus
from wangge.chassis.pages import PageQuery
from wangge.contracts.events.external import IncidentReported
from wangge.contracts.fields import CHANNELS, URGENCIES, AreaField, Evidence, matching, one_of, text

PHONE = r"^\+?[0-9][0-9 -]{4,19}$"


class ReporterBody(Schema):
    """Who reports. Of an anonymous reporter nothing is kept."""

    class Meta:
        unknown = RAISE

    name = text(40, allow_none=True, load_default=None)
    phone = fields.String(
        validate=validate.Regexp(PHONE, error="not a phone number"), allow_none=True, load_default=None
    )
    mail = fields.Email(allow_none=True, load_default=None)
    anonymous = fields.Boolean(load_default=False)
    confidential = fields.Boolean(load_default=False)
    wants_reply = fields.Boolean(load_default=True)


class ReportBody(IncidentReported):
    """An incident with its reporter, as `POST /v1/reports` takes it."""

    class Meta:
        unknown = RAISE

    reporter = fields.Nested(ReporterBody, load_default=None, allow_none=True)


class AcceptBody(Schema):
    """An operator finds a report true; the category and urgency may be put right."""

    class Meta:
        unknown = RAISE

    category = text(16, load_default=None)
    urgency = one_of(*URGENCIES, load_default=None)
    note = text(500, load_default=None)


class RejectBody(Schema):
    """An operator turns a report down: a reason code, and what the reporter is told."""

    class Meta:
        unknown = RAISE

    reason = matching(r"^[a-z_]{1,40}$", required=True)
    reply = text(500, required=True)


class ReportQuery(PageQuery):
    """`?status=&area=&channel=&cursor=&limit=`."""

    status = one_of(*ReportStatus, load_default=None)
    area = AreaField(load_default=None)
    channel = one_of(*CHANNELS, load_default=None)


class LocationAnswer(Schema):
    """Where it is, as it was told."""

    lng = fields.Float(allow_none=True)
    lat = fields.Float(allow_none=True)
    address = fields.String(allow_none=True)


class ReportAnswer(Schema):
    """A report. `of` is the one it was merged into, `of_status` that one's status; `case_no` is the case of either."""

    code = fields.String()
    status = fields.String()
    area = fields.String()
    community = fields.String()
    located_by = fields.String()
    category = fields.String()
    urgency = fields.String()
    channel = fields.String()
    title = fields.String(allow_none=True)
    text = fields.String()
    location = fields.Nested(LocationAnswer)
    evidence = fields.List(fields.Nested(Evidence))
    external_no = fields.String()
    occurred_at = fields.AwareDateTime()
    received_at = fields.AwareDateTime()
    case_no = fields.String()
    of = fields.String()
    of_status = fields.String()
    reason = fields.String()
    reply = fields.String()
    version = fields.Integer()


class ReportPage(Schema):
    """A page of reports."""

    items = fields.List(fields.Nested(ReportAnswer))
    next_cursor = fields.String(allow_none=True)


def incident_of(data: Mapping[str, Any], area: str | None = None) -> Incident:
    """The incident in loaded data; `area` is the envelope's, where the data name none."""
    location = data.get("location") or {}
    return Incident(
        text=data["text"],
        occurred_at=data["occurred_at"],
        channel=data["channel"],
        title=data.get("title"),
        category=data.get("category"),
        urgency=data["urgency"],
        area=data.get("area") or area,
        lng=location.get("lng"),
        lat=location.get("lat"),
        address=location.get("address"),
        external_no=data.get("external_no"),
        reporter_ref=data.get("reporter_ref"),
        evidence=tuple(data["evidence"]),
    )


def shown(report: Report, master: Report | None = None) -> dict[str, Any]:
    """The report as fields; what it has not is left out. `master` is the report it was merged into."""
    incident = report.incident
    case_no = report.case_no or (master.case_no if master else None)
    optional = {
        "external_no": incident.external_no,
        "case_no": case_no,
        "of": report.merged_into,
        "of_status": master.status if master else None,
        "reason": report.reason,
        "reply": report.reply,
    }
    return {
        "code": report.code,
        "status": report.status,
        "area": report.area,
        "community": report.community,
        "located_by": report.located_by,
        "category": report.category,
        "urgency": report.urgency,
        "channel": incident.channel,
        "title": incident.title,
        "text": incident.text,
        "location": {"lng": incident.lng, "lat": incident.lat, "address": incident.address},
        "evidence": incident.evidence,
        "occurred_at": incident.occurred_at,
        "received_at": report.received_at,
        **{name: value for name, value in optional.items() if value is not None},
        "version": report.version,
    }
