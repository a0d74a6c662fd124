"""Speaks the wire of messages."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from services.notify.messages.model import MessageState
from wangge.chassis.pages import PageQuery
from wangge.contracts.events.notify import MESSAGE_CHANNELS
from wangge.contracts.fields import one_of, reference


class MessageQuery(PageQuery):
    """`?recipient=&correlation=&event=&state=&channel=&cursor=&limit=`."""

    recipient = reference(load_default=None)
    correlation = fields.String(
        load_default=None,
        validate=validate.Length(1, 128),
        metadata={"description": "a correlation id, a case number or a report code"},
    )
    event = fields.String(
        load_default=None,
        validate=validate.Length(1, 128),
        metadata={"description": "the id of the fact told"},
    )
    state = one_of(*(state.value for state in MessageState), load_default=None)
    channel = one_of(*MESSAGE_CHANNELS, load_default=None)


class MessageAnswer(Schema):
    """A message without any address."""

    message_id = fields.String()
    event_id = fields.String()
    event_type = fields.String()
    correlation_id = fields.String()
    case_no = fields.String(allow_none=True)
    report_code = fields.String(allow_none=True)
    area = fields.String()
    recipient = fields.String()
    channel = fields.String()
    template = fields.String()
    is_urgent = fields.Boolean()
    state = fields.String()
    attempts = fields.Integer()
    title = fields.String()
    text = fields.String()
    not_before = fields.AwareDateTime()
    created_at = fields.AwareDateTime()
    delivered_at = fields.AwareDateTime(allow_none=True)
    read_at = fields.AwareDateTime(allow_none=True)
    last_error = fields.String(allow_none=True)


class DeliveryAnswer(Schema):
    """One try; `outcome` is empty while it is under way, and stays so when the process was killed meanwhile."""

    attempt = fields.Integer()
    begun_at = fields.AwareDateTime()
    ended_at = fields.AwareDateTime(allow_none=True)
    outcome = fields.String(allow_none=True)
    detail = fields.String(allow_none=True)


class MessageWhole(MessageAnswer):
    """A message with all its tries."""

    deliveries = fields.List(fields.Nested(DeliveryAnswer))


class MessagePage(Schema):
    """A page of messages."""

    items = fields.List(fields.Nested(MessageAnswer))
    next_cursor = fields.String(allow_none=True)


class InboxPage(MessagePage):
    """A page of one's own inbox; `unread` counts all of it, up to 1000."""

    unread = fields.Integer()
