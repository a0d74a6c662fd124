"""What `PUT /v1/sites/{site}` takes (intake's part of a site pack) and what the sites look like from outside."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from services.intake.sites.model import Nearness, Rejection, Site
from wangge.chassis.pages import PageQuery


class SiteQuery(PageQuery):
    """`?cursor=&limit=`."""


class SiteAnswer(Schema):
    """A site as applied."""

    site = fields.String()
    name = fields.String()
    area = fields.String()
    revision = fields.String()
    default_category = fields.String()


class SitePage(Schema):
    """A page of sites."""

    items = fields.List(fields.Nested(SiteAnswer))
    next_cursor = fields.String(allow_none=True)


def site_of(part: Mapping[str, Any]) -> Site:
    """The settings in a loaded part."""
    return Site(
        site=part["site"],
        name=part["name"],
        area=part["area"],
        revision=part["revision"],
        lng=part["centre"]["lng"],
        lat=part["centre"]["lat"],
        default_category=part["default_category"],
        auto_accept=frozenset(part["auto_accept"]),
        rejections=tuple(
            Rejection(row["reason"], tuple(row["keywords"]), row["reply"]) for row in part["reject"]
        ),
        near=Nearness(part["near"]["metres"], part["near"]["hours"]),
    )
