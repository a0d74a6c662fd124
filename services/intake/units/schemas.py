"""How units look in a site pack and from outside."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from services.intake.units.model import Unit
from wangge.chassis.pages import PageQuery
from wangge.contracts.fields import AreaField, one_of


class UnitQuery(PageQuery):
    """`?area=&status=&cursor=&limit=`."""

    area = AreaField(load_default=None)
    status = one_of("active", "ended", load_default=None)


class UnitAnswer(Schema):
    """A unit."""

    unit_id = fields.String()
    site = fields.String()
    name = fields.String()
    kind = fields.String()
    area = fields.String()
    parent = fields.String(allow_none=True)
    duties = fields.List(fields.String())
    status = fields.String()


class UnitPage(Schema):
    """A page of units."""

    items = fields.List(fields.Nested(UnitAnswer))
    next_cursor = fields.String(allow_none=True)


def units_of(part: Mapping[str, Any]) -> dict[str, Unit]:
    """The units in a loaded part, by id."""
    return {
        row["unit_id"]: Unit(
            unit_id=row["unit_id"],
            site=part["site"],
            name=row["name"],
            kind=row["kind"],
            area=row["area"],
            parent=row["parent"],
            duties=tuple(row["duties"]),
        )
        for row in part["units"]
    }
