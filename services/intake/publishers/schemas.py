"""How publishers look in a site pack and from outside."""

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, fields

from services.intake.publishers.model import Limits, Publisher
from wangge.chassis.pages import PageQuery
from wangge.contracts.fields import matching
from wangge.contracts.sites.base import SHA256


class PublisherQuery(PageQuery):
    """`?cursor=&limit=`."""


class NoBody(Schema):
    """Nothing is to be said."""

    class Meta:
        unknown = RAISE


class KeyBody(Schema):
    """The SHA-256 of an API key."""

    class Meta:
        unknown = RAISE

    api_key_sha256 = matching(SHA256, required=True)


class PublisherAnswer(Schema):
    """A publisher; never its key."""

    login = fields.String()
    site = fields.String()
    source = fields.String()
    name = fields.String()
    channels = fields.Function(lambda publisher: sorted(publisher.channels))
    areas = fields.List(fields.String())
    user_id_required = fields.Boolean(attribute="is_user_id_required")
    auto_accept = fields.Boolean(attribute="is_auto_accepted")
    quota_per_day = fields.Integer(attribute="limits.quota_per_day", allow_none=True)
    pace_per_minute = fields.Integer(attribute="limits.pace_per_minute", allow_none=True)
    has_api_key = fields.Function(lambda publisher: publisher.api_key_sha256 is not None)
    status = fields.String()


class PublisherPage(Schema):
    """A page of publishers."""

    items = fields.List(fields.Nested(PublisherAnswer))
    next_cursor = fields.String(allow_none=True)


def publishers_of(part: Mapping[str, Any]) -> dict[str, Publisher]:
    """The publishers in a loaded part, by login."""
    return {
        row["login"]: Publisher(
            login=row["login"],
            site=part["site"],
            source=row["source"],
            name=row["name"],
            channels=frozenset(row["channels"]),
            areas=tuple(row["areas"]),
            is_user_id_required=row["user_id_required"],
            is_auto_accepted=row["auto_accept"],
            api_key_sha256=row["api_key_sha256"],
            limits=Limits(row["quota_per_day"], row["pace_per_minute"]),
        )
        for row in part["publishers"]
    }
