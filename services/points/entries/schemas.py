"""The wire format of score entries."""

from marshmallow import RAISE, Schema, fields, validate

from services.points.entries.model import Decision, EntryState
from services.points.fields import PointsField, amount, period_code
from wangge.chassis.pages import PageQuery
from wangge.contracts.fields import PERSON_ID, AreaField, Contract, Evidence, matching, one_of, text

#: Pieces of evidence that one entry may carry.
MOST_EVIDENCE = 20


class RecordBody(Schema):
    """What a clerk records. `value` may be left out: the rule's own."""

    class Meta:
        unknown = RAISE

    person_id = matching(PERSON_ID, required=True)
    item = text(16, required=True)
    value = amount(load_default=None, allow_none=True)
    occurred_on = fields.Date(required=True)
    evidence = fields.List(
        fields.Nested(Evidence(unknown=RAISE)),
        load_default=list,
        validate=validate.Length(max=MOST_EVIDENCE),
    )
    note = text(500, load_default=None, allow_none=True)


class ReviewBody(Schema):
    """What a reviewer decides."""

    class Meta:
        unknown = RAISE

    decision = one_of(*Decision, required=True)
    note = text(500, load_default=None, allow_none=True)


class ReverseBody(Schema):
    """Why an entry is taken back."""

    class Meta:
        unknown = RAISE

    reason = text(200, required=True)


class MemberEntriesQuery(PageQuery):
    """`?period=&state=&item=&cursor=&limit=`."""

    period = period_code(load_default=None)
    state = one_of(*EntryState, load_default=None)
    item = text(16, load_default=None)


class EntriesQuery(MemberEntriesQuery):
    """`?area=&person_id=&…`: `state=recorded` is the reviewer's work list."""

    area = AreaField(load_default=None)
    person_id = matching(PERSON_ID, load_default=None)


class EntryAnswer(Contract):
    """A score entry with everybody who had a hand in it."""

    entry_id = fields.String()
    person_id = fields.String()
    site = fields.String()
    area = fields.String()
    item = fields.String()
    part = fields.String()
    value = PointsField(metadata={"description": "by the rule; a penalty is not negative, its part says so"})
    counted = PointsField(
        allow_none=True, metadata={"description": "what it changed within the limits of its item"}
    )
    period = fields.String()
    occurred_on = fields.Date()
    state = fields.String()
    source = fields.String()
    event_id = fields.String(allow_none=True)
    case_no = fields.String(allow_none=True)
    closing = fields.Integer(allow_none=True)
    evidence = fields.List(fields.Dict())
    note = fields.String(allow_none=True)
    recorded_by = fields.String()
    recorded_at = fields.AwareDateTime()
    reviewed_by = fields.String(allow_none=True)
    reviewed_at = fields.AwareDateTime(allow_none=True)
    review_note = fields.String(allow_none=True)
    posted_at = fields.AwareDateTime(allow_none=True)
    reverses = fields.String(allow_none=True, metadata={"description": "the entry that this one takes back"})
    reversed_by = fields.String(allow_none=True, metadata={"description": "the counter-entry"})
    reason = fields.String(allow_none=True)
    version = fields.Integer()


class EntryPage(Contract):
    """A page of entries, the newest first."""

    items = fields.List(fields.Nested(EntryAnswer))
    next_cursor = fields.String(allow_none=True)
