"""The operators' door to held events, the same at every service."""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from wangge.chassis.http import Ask, route
from wangge.chassis.pages import PageQuery, key_of, page
from wangge.chassis.transaction import Transaction

OPERATORS = ("admin",)


class HeldQuery(PageQuery):
    """`?state=&cursor=&limit=`."""

    state = fields.String(
        load_default=None, validate=validate.OneOf(["deferred", "quarantined", "done", "dropped"])
    )


class HeldAnswer(Schema):
    """A held event with its cause, its tries and its end."""

    id = fields.Integer()
    state = fields.String()
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
    not_before = fields.AwareDateTime(allow_none=True)
    held_at = fields.AwareDateTime()
    ended_at = fields.AwareDateTime(allow_none=True)
    ended_by = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)


class HeldPage(Schema):
    """A page of held events."""

    items = fields.List(fields.Nested(HeldAnswer))
    next_cursor = fields.String(allow_none=True)


class ReplayBody(Schema):
    """A corrected body, where the first one was wrong."""

    class Meta:
        unknown = RAISE

    body = fields.String(load_default=None)


class DropBody(Schema):
    """Why it is given up."""

    class Meta:
        unknown = RAISE

    reason = fields.String(required=True, validate=validate.Length(1, 500))


class HeldEntrypoints:
    """List, show, replay and drop held events."""

    app: Any

    @route("GET", "/v1/held", may=OPERATORS, query=HeldQuery(), answer=HeldPage(), tag="held")
    def held_list(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """Held events, oldest first."""
        after = key_of(ask.query["cursor"], 1) or [0]
        limit = ask.query["limit"]
        rows = self.app.held.page(tx, ask.query["state"], after[0], limit + 1)
        return page(rows, limit, lambda row: (row["id"],))

    @route("GET", "/v1/held/<int:held_id>", may=OPERATORS, answer=HeldAnswer(), tag="held")
    def held_show(self, tx: Transaction, ask: Ask, held_id: int) -> Any:
        """One held event, whole."""
        return self.app.held.show(tx, held_id)

    @route(
        "POST",
        "/v1/held/<int:held_id>/replay",
        may=OPERATORS,
        body=ReplayBody(),
        answer=HeldAnswer(),
        tag="held",
    )
    def held_replay(self, tx: Transaction, ask: Ask, held_id: int) -> Any:
        """Try a quarantined event again, corrected where a body is given; same event id."""
        return self.app.held.replay(tx, held_id, ask.body["body"], ask.who.id)

    @route(
        "POST", "/v1/held/<int:held_id>/drop", may=OPERATORS, body=DropBody(), answer=HeldAnswer(), tag="held"
    )
    def held_drop(self, tx: Transaction, ask: Ask, held_id: int) -> Any:
        """Give a quarantined event up, with a reason."""
        return self.app.held.drop(tx, held_id, ask.who.id, ask.body["reason"])
