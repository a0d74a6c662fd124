"""What external systems publish to us and what we answer: `incidents` in, `receipts` out."""

from marshmallow import fields

from wangge.contracts.fields import (
    CHANNELS,
    REPORT_CODE,
    URGENCIES,
    AreaField,
    Contract,
    Evidence,
    Location,
    WrongField,
    instant,
    matching,
    one_of,
)
from wangge.contracts.fields import (
    text as string,
)
from wangge.contracts.registry import EventType


class IncidentReported(Contract):
    """An outside system tells of an incident.

    Idempotent by (publisher, message id) and by (publisher, external_no).
    """

    text = string(4000, required=True, metadata={"description": "what happened, in the reporter's words"})
    occurred_at = instant(required=True)
    channel = one_of(*CHANNELS, required=True)
    title = string(120)
    category = string(16, metadata={"description": "category code of the site pack"})
    urgency = one_of(*URGENCIES, load_default="none")
    area = AreaField()
    location = fields.Nested(Location)
    external_no = string(64, metadata={"description": "the sender's own number, for example a 12345 order"})
    reporter_ref = string(
        80, metadata={"description": "the sender's opaque reference to the person who reported"}
    )
    evidence = fields.List(fields.Nested(Evidence), load_default=list)


class ReceiptIssued(Contract):
    """The answer to one message of a publisher; routing key = the publisher's login."""

    publisher = string(64, required=True)
    message_id = string(128, required=True)
    outcome = one_of(
        "accepted", "duplicate", "merged", "rejected", "quarantined", "refused", "dropped", required=True
    )
    report_code = matching(REPORT_CODE)
    of = string(128, metadata={"description": "the report that this one repeats or joins"})
    errors = fields.List(fields.Nested(WrongField))
    code = string(
        40, metadata={"description": "of a refused message: the limit, quota.exceeded or pace.exceeded"}
    )
    retry_at = instant(metadata={"description": "of a refused message: from when on it may be sent again"})


EVENTS = [
    EventType(
        "incident.reported.v1", "external", IncidentReported, subject="external_no", exchange="incidents"
    ),
    EventType("receipt.issued.v1", "intake", ReceiptIssued, subject="message_id", exchange="receipts"),
]
