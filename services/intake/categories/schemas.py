"""How categories look in a site pack and from outside."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from services.intake.categories.model import Category
from wangge.chassis.pages import PageQuery
from wangge.contracts.fields import matching
from wangge.contracts.sites.base import SITE


class CategoryQuery(PageQuery):
    """`?site=&cursor=&limit=`."""

    site = matching(SITE, load_default=None)


class CategoryAnswer(Schema):
    """A category as intake knows it."""

    site = fields.String()
    code = fields.String()
    name = fields.String()
    keywords = fields.List(fields.String())
    urgency = fields.String(allow_none=True)
    on_spot = fields.Boolean(attribute="is_on_spot")


class CategoryPage(Schema):
    """A page of categories."""

    items = fields.List(fields.Nested(CategoryAnswer))
    next_cursor = fields.String(allow_none=True)


def categories_of(part: Mapping[str, Any]) -> dict[str, Category]:
    """The categories in a loaded part, by code; their order is their priority."""
    return {
        row["code"]: Category(
            site=part["site"],
            code=row["code"],
            position=position,
            name=row["name"],
            keywords=tuple(row["keywords"]),
            urgency=row["urgency"],
            is_on_spot=row["on_spot"],
        )
        for position, row in enumerate(part["categories"])
    }
