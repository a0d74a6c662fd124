"""The wire format of the catalogue."""

from marshmallow import Schema, fields

from wangge.chassis.pages import PageQuery
from wangge.contracts.fields import matching
from wangge.contracts.sites.base import SITE


class CategoryQuery(PageQuery):
    """`GET /v1/categories`: of one site, or of all."""

    site = matching(SITE, load_default=None)


class CategoryAnswer(Schema):
    """One row of a site's catalogue."""

    site = fields.String(required=True)
    code = fields.String(required=True)
    name = fields.String(required=True)
    family = fields.String(required=True)
    limit = fields.String(required=True, metadata={"description": "for example `2 urgent_hour`"})
    clock_from = fields.String(required=True)
    lead = fields.String(allow_none=True)
    assist = fields.List(fields.String())
    level = fields.String(required=True)
    closing_condition = fields.String(required=True)
    on_spot_allowed = fields.Boolean(required=True)
    needs_check = fields.Boolean(required=True)
    pool = fields.Boolean(required=True)
    units_allowed = fields.List(fields.String())


class CategoryPage(Schema):
    """A page of the catalogue."""

    items = fields.List(fields.Nested(CategoryAnswer), required=True)
    next_cursor = fields.String(allow_none=True)
