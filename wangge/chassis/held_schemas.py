"""How held events look over HTTP, and what operators may ask for."""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from wangge.chassis.pages import PageQuery

STATES = ("deferred", "in_transit", "quarantined", "done", "dropped")


class HeldQuery(PageQuery):
    """`?state=&fingerprint=&sender=&type=&message_id=&cursor=&limit=`."""

    state = fields.String(load_default=None, validate=validate.OneOf(STATES))
    fingerprint = fields.String(load_default=None)
    sender = fields.String(load_default=None)
    type = fields.String(load_default=None)
    message_id = fields.String(load_default=None)


class GroupQuery(PageQuery):
    """`?state=&sender=&type=&cursor=&limit=`."""

    state = fields.String(load_default="quarantined", validate=validate.OneOf(STATES))
    sender = fields.String(load_default=None)
    type = fields.String(load_default=None)


class ActAnswer(Schema):
    """What an operator did; an edit with the body before and after it."""

    command = fields.String()
    at = fields.AwareDateTime()
    by = fields.String()
    reason = fields.String(allow_none=True)
    before = fields.String(allow_none=True)
    after = fields.String(allow_none=True)


class HeldAnswer(Schema):
    """A held event with its cause, its tries and its end."""

    id = fields.Integer()
    state = fields.String()
    sender = fields.String()
    message_id = fields.String()
    source = fields.String()
    event_id = fields.String()
    type = fields.String()
    partitionkey = fields.String()
    origin = fields.String()
    exchange = fields.String()
    routing_key = fields.String()
    body = fields.String()
    cause = fields.String()
    detail = fields.String()
    errors = fields.List(fields.Dict())
    fingerprint = fields.String()
    attempts = fields.Integer()
    cell = fields.String(allow_none=True)
    not_before = fields.AwareDateTime(allow_none=True)
    held_at = fields.AwareDateTime()
    replayed_at = fields.AwareDateTime(allow_none=True)
    ended_at = fields.AwareDateTime(allow_none=True)
    ended_by = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)


class HeldShown(HeldAnswer):
    """A held event, whole, with what operators did. `is_changed` is false where an act found nothing to do."""

    acts = fields.List(fields.Nested(ActAnswer))
    is_changed = fields.Boolean()


class HeldPage(Schema):
    """A page of held events."""

    items = fields.List(fields.Nested(HeldAnswer))
    next_cursor = fields.String(allow_none=True)


class HeldGroup(Schema):
    """Held events of one cause and one sender; cause, detail, type and fields are those of the latest."""

    fingerprint = fields.String()
    sender = fields.String()
    count = fields.Integer()
    first_at = fields.AwareDateTime()
    last_at = fields.AwareDateTime()
    type = fields.String()
    cause = fields.String()
    detail = fields.String()
    fields_ = fields.List(fields.String(), attribute="fields", data_key="fields")
    example_id = fields.Integer()
    message_id = fields.String()


class HeldGroupPage(Schema):
    """A page of groups."""

    items = fields.List(fields.Nested(HeldGroup))
    next_cursor = fields.String(allow_none=True)


class Strict(Schema):
    """A body without unknown fields."""

    class Meta:
        unknown = RAISE


class NoBody(Strict):
    """Nothing is to be said."""


class EditBody(Strict):
    """The corrected message, and why."""

    body = fields.String(required=True, validate=validate.Length(min=1))
    reason = fields.String(required=True, validate=validate.Length(1, 500))


class DropBody(Strict):
    """Why it is given up."""

    reason = fields.String(required=True, validate=validate.Length(1, 500))


class ChosenBody(Strict):
    """Which quarantined events are meant: at least a cause, a sender or a type. `after` goes on where one ended."""

    fingerprint = fields.String()
    sender = fields.String()
    type = fields.String()
    before = fields.AwareDateTime(metadata={"description": "only those that were held before"})
    after = fields.Integer(load_default=0)

    @validates_schema
    def _narrow(self, data: Any, **_: Any) -> None:
        if not {"fingerprint", "sender", "type"} & data.keys():
            raise ValidationError("name a fingerprint, a sender or a type", "fingerprint")


class DropManyBody(ChosenBody):
    """Which quarantined events are given up, and why."""

    reason = fields.String(required=True, validate=validate.Length(1, 500))


class NotActed(Schema):
    """An event of the portion that was left as it is, and why."""

    id = fields.Integer()
    code = fields.String()
    detail = fields.String()


class ActedAnswer(Schema):
    """How many were acted on, how many of the chosen are in which state now, where to go on (null: at the end)."""

    acted = fields.Integer()
    refused = fields.Integer()
    named = fields.List(fields.Nested(NotActed))
    left = fields.Integer()
    states = fields.Dict(keys=fields.String(), values=fields.Integer())
    after = fields.Integer(allow_none=True)
