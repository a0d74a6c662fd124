"""What notify tells: whether a message arrived."""

from marshmallow import fields, validate

from wangge.contracts.fields import AreaField, Contract, instant, one_of, reference, text
from wangge.contracts.registry import EventType

MESSAGE_CHANNELS = ("inbox", "webhook", "mail")


class MessageDelivered(Contract):
    """A message reached its channel's provider."""

    message_id = text(64, required=True)
    event_id = text(128, required=True, metadata={"description": "the fact that the message tells of"})
    recipient = reference(required=True)
    channel = one_of(*MESSAGE_CHANNELS, required=True)
    template = text(64, required=True)
    attempt = fields.Integer(required=True, validate=validate.Range(min=1))
    area = AreaField(required=True)
    at = instant(required=True)


class MessageFailed(MessageDelivered):
    """A message could not be delivered within its tries."""

    reason = text(500, required=True)


EVENTS = [
    EventType("message.delivered.v1", "notify", MessageDelivered, subject="message_id", is_urgent=False),
    EventType("message.failed.v1", "notify", MessageFailed, subject="message_id", is_urgent=False),
]
