"""The wire format of a computed deadline."""

from marshmallow import RAISE, Schema, fields

from wangge.contracts.fields import instant, matching
from wangge.contracts.sites.base import SITE, limit


class DeadlineQuery(Schema):
    """`GET /v1/deadline?limit=2 urgent_hour&from=…&site=…`; without a site by the statutory calendar."""

    class Meta:
        unknown = RAISE

    limit = limit(required=True)
    started_at = instant(required=True, data_key="from")
    site = matching(SITE, load_default=None)


class DeadlineAnswer(Schema):
    """When a limit that starts at an instant is due."""

    limit = fields.String(required=True)
    started_at = fields.AwareDateTime(required=True, data_key="from")
    site = fields.String(allow_none=True)
    day_mode = fields.String(required=True)
    deadline = fields.AwareDateTime(
        required=True, metadata={"description": "the last instant that is still on time"}
    )
