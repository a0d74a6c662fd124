"""How grids look in a site pack and from outside."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from services.intake.grids.model import Grid, GridKind, GridStatus
from wangge.chassis.pages import PageQuery
from wangge.contracts.fields import AreaField, one_of


class GridQuery(PageQuery):
    """`?area=&status=&cursor=&limit=`."""

    area = AreaField(load_default=None)
    status = one_of("draft", "active", "retired", load_default=None)


class GridAnswer(Schema):
    """A grid with its ground."""

    area = fields.String()
    site = fields.String()
    name = fields.String()
    kind = fields.String()
    status = fields.String()
    households = fields.Integer(allow_none=True)
    required_roles = fields.Function(lambda grid: dict(grid.required_roles))
    boundary = fields.List(fields.List(fields.Float()))
    address_keywords = fields.List(fields.String())


class GridPage(Schema):
    """A page of grids."""

    items = fields.List(fields.Nested(GridAnswer))
    next_cursor = fields.String(allow_none=True)


def grids_of(part: Mapping[str, Any]) -> dict[str, Grid]:
    """The grids in a loaded part, by code."""
    return {
        row["area"]: Grid(
            area=row["area"],
            site=part["site"],
            name=row["name"],
            kind=GridKind(row["kind"]),
            status=GridStatus(row["status"]),
            households=row["households"],
            required_roles=tuple(sorted(row["required_roles"].items())),
            boundary=tuple((lng, lat) for lng, lat in row["boundary"]),
            address_keywords=tuple(row["address_keywords"]),
        )
        for row in part["grids"]
    }
