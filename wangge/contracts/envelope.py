"""The envelope of every message: CloudEvents 1.0, structured JSON, with Wangge's extensions.

Guarantee: `Event.from_json(event.to_json()) == event`. Limit: a body over `MAX_BODY_BYTES` is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from wangge.contracts import quick
from wangge.contracts.fields import AreaField, instant, matching, text

CONTENT_TYPE = "application/cloudevents+json"

#: Bytes of one message; larger things travel by address and digest.
MAX_BODY_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Event:
    """One fact on the bus.

    `id` is unique within `source`; `subject` names the aggregate; `sequence` counts the facts of that aggregate
    from 1 (0: not counted, as from an external publisher); messages of one `partitionkey` keep their order.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: Mapping[str, Any]
    area: str | None = None
    partitionkey: str = ""
    sequence: int = 0
    correlationid: str | None = None
    causationid: str | None = None
    actor: str | None = None
    traceparent: str | None = None
    dataschema: str | None = None
    origin: str = field(default="", compare=False)
    """Who the broker says sent it (a login), not part of the wire format."""

    @property
    def name(self) -> str:
        """`case.closed` of `case.closed.v1`."""
        return self.type.rpartition(".")[0]

    def to_json(self) -> bytes:
        """The structured CloudEvent; absent extensions are left out."""
        document: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": self.time.astimezone(UTC),
            "datacontenttype": "application/json",
        }
        for name in (
            "subject",
            "area",
            "partitionkey",
            "correlationid",
            "causationid",
            "actor",
            "traceparent",
            "dataschema",
        ):
            value = getattr(self, name)
            if value:
                document[name] = value
        if self.sequence:
            document["sequence"] = self.sequence
        document["data"] = self.data
        return orjson.dumps(document, option=orjson.OPT_UTC_Z)

    @classmethod
    def from_json(cls, body: bytes) -> Event:
        """Read a structured CloudEvent. Raises marshmallow's `ValidationError` naming every wrong field."""
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as wrong:
            raise ValidationError([f"not JSON: {wrong}"], "body") from wrong
        if not isinstance(document, dict):
            raise ValidationError(["not a JSON object"], "body")
        loaded = quick.load(_ENVELOPE, document)
        loaded.pop("specversion")
        loaded.setdefault("subject", "")
        loaded["partitionkey"] = loaded.get("partitionkey") or loaded["subject"]
        return cls(**loaded)


class EnvelopeSchema(Schema):
    """CloudEvents 1.0 attributes as Wangge requires them."""

    class Meta:
        unknown = EXCLUDE

    specversion = fields.String(required=True, validate=validate.Equal("1.0"))
    id = text(128, required=True, metadata={"description": "unique within source; the idempotency key"})
    source = text(
        200, required=True, metadata={"description": "/wangge/<service> or the publisher's own URI"}
    )
    type = matching(r"^[a-z_]+(\.[a-z_]+)+\.v[1-9][0-9]*$", required=True)
    subject = text(128, metadata={"description": "the aggregate's id"})
    time = instant(required=True)
    data = fields.Dict(keys=fields.String(), required=True)
    area = AreaField(metadata={"description": "where it belongs"})
    partitionkey = text(128, metadata={"description": "messages of one key keep their order"})
    sequence = fields.Integer(validate=validate.Range(min=1))
    correlationid = text(128)
    causationid = text(128)
    actor = text(128)
    traceparent = text(64)
    dataschema = text(300)


_ENVELOPE = EnvelopeSchema()
