"""What points tells: what was earned and what was taken back."""

from decimal import Decimal

from marshmallow import fields, validate

from wangge.contracts.fields import CASE_NO, PERSON_ID, AreaField, Contract, instant, matching, one_of, text
from wangge.contracts.registry import EventType


class PointsPosted(Contract):
    """A member's entry was posted."""

    entry_id = text(64, required=True)
    person_id = matching(PERSON_ID, required=True)
    area = AreaField(required=True)
    item = text(16, required=True)
    part = one_of("base", "award", "penalty", required=True)
    value = fields.Decimal(required=True, as_string=True, validate=validate.Range(min=Decimal(0)))
    period = text(16, required=True)
    case_no = matching(CASE_NO, allow_none=True)
    at = instant(required=True)


class PointsReversed(PointsPosted):
    """An entry was taken back by a counter-entry; the first one stays in the ledger."""

    reverses = text(64, required=True)
    reason = text(200, required=True)


EVENTS = [
    EventType("points.posted.v1", "points", PointsPosted, subject="person_id"),
    EventType("points.reversed.v1", "points", PointsReversed, subject="person_id"),
]
