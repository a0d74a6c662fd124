"""How people look in a site pack and from outside."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from services.intake.people.model import Contact, Person, RoleAssignment
from wangge.chassis.pages import PageQuery
from wangge.contracts.fields import AreaField, text


class PersonQuery(PageQuery):
    """`?area=&role=&cursor=&limit=`."""

    area = AreaField(load_default=None)
    role = text(32, load_default=None)


class RoleAnswer(Schema):
    """A role that somebody holds."""

    role = fields.String()
    area = fields.String()
    unit_id = fields.String(allow_none=True)


class PersonAnswer(Schema):
    """Somebody of the directory; `name` only for those whose work needs it."""

    person_id = fields.String()
    area = fields.String()
    unit_id = fields.String(allow_none=True)
    is_party_member = fields.Boolean()
    name = fields.String()
    roles = fields.List(fields.Nested(RoleAnswer))


class PersonPage(Schema):
    """A page of people."""

    items = fields.List(fields.Nested(PersonAnswer))
    next_cursor = fields.String(allow_none=True)


def people_of(part: Mapping[str, Any]) -> dict[str, Person]:
    """The people in a loaded part, by id."""
    return {
        row["person_id"]: Person(
            row["person_id"], part["site"], part["area"], row["unit"], row["party_member"]
        )
        for row in part["people"]
    }


def contacts_of(part: Mapping[str, Any]) -> dict[str, Contact]:
    """Their names and numbers, by id."""
    return {row["person_id"]: Contact(row["name"], row["phone"], row["mail"]) for row in part["people"]}


def roles_of(part: Mapping[str, Any]) -> set[RoleAssignment]:
    """Their roles; a role without an area is for the whole community."""
    return {
        RoleAssignment(row["person_id"], role["role"], role["area"] or part["area"], role["unit"])
        for row in part["people"]
        for role in row["roles"]
    }
