"""How a manifest and its messages look over HTTP."""

from datetime import date

from marshmallow import Schema, fields, validate

from services.intake.receipts.model import Outcome
from services.intake.receipts.schemas import ReceiptAnswer
from wangge.chassis.errors import invalid
from wangge.chassis.pages import PageQuery

#: Messages of a page, at most: only their receipts are read.
MOST = 1000


class MessagesQuery(PageQuery):
    """`?outcome=&cursor=&limit=`, up to 1000 a page."""

    outcome = fields.String(load_default=None, validate=validate.OneOf(list(Outcome)))
    limit = fields.Integer(load_default=MOST, validate=validate.Range(1, MOST))


class PartAnswer(Schema):
    """The messages with one outcome."""

    outcome = fields.String()
    messages = fields.Integer()
    received = fields.Integer()
    digest = fields.String()


class ManifestAnswer(Schema):
    """A publisher's day. `digest`: SHA-256 of the ids, sorted by their UTF-8 bytes, joined by line feeds."""

    publisher = fields.String()
    date = fields.Date(attribute="day")
    messages = fields.Integer()
    received = fields.Integer()
    repeated = fields.Integer()
    digest = fields.String()
    outcomes = fields.List(fields.Nested(PartAnswer))
    is_over = fields.Boolean()


class MessageAnswer(ReceiptAnswer):
    """A message of the day: its present receipt, when that was issued, how often the message came."""

    times = fields.Integer()
    issued_at = fields.AwareDateTime()


class MessagePage(Schema):
    """A page of messages, by outcome and id."""

    items = fields.List(fields.Nested(MessageAnswer))
    next_cursor = fields.String(allow_none=True)


def day_in(text: str) -> date:
    """The day in an address. Raises `Invalid`."""
    try:
        return date.fromisoformat(text)
    except ValueError as wrong:
        raise invalid([{"field": "date", "message": f"{text} is no date such as 2026-03-01"}]) from wrong
