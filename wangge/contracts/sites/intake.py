"""Intake's part: the directory (units, grids, people, roles), the publishers, and how reports are sorted."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from wangge.contracts.fields import CHANNELS, PERSON_ID, URGENCIES, AreaField, matching, one_of, text
from wangge.contracts.sites.base import SHA256, Mistakes, SitePart, Strict, grid
from wangge.contracts.sites.roles import ROLES

LOGIN = r"^[a-z][a-z0-9-]{1,39}$"

RESERVED = ("unknown", "guest", "wangge", "intake", "dispatch", "points", "notify", "console")
"""Logins that no publisher may have: of the servers' administrator, of services, and of those whom nobody knows."""


class Point(Strict):
    """WGS-84 degrees."""

    lng = fields.Float(required=True, validate=validate.Range(-180, 180))
    lat = fields.Float(required=True, validate=validate.Range(-90, 90))


class Unit(Strict):
    """An organisation that can be handed a case."""

    unit_id = matching(PERSON_ID, required=True)
    name = text(80, required=True)
    kind = one_of(
        "province",
        "city",
        "county",
        "street",
        "community",
        "village",
        "department",
        "utility",
        "enterprise",
        "property",
        "merchant",
        "school",
        "clinic",
        "social_org",
        required=True,
    )
    area = AreaField(required=True)
    parent = matching(PERSON_ID, allow_none=True, load_default=None)
    duties = fields.List(
        text(16), load_default=list, metadata={"description": "category codes it answers for"}
    )


class Grid(Strict):
    """A grid with its ground. `boundary` is one ring of [lng, lat]; the first point need not be repeated."""

    area = grid(required=True)
    name = text(80, required=True)
    kind = one_of("base", "dedicated", "micro", required=True)
    status = one_of("draft", "active", "retired", load_default="active")
    households = fields.Integer(validate=validate.Range(min=0), allow_none=True, load_default=None)
    required_roles = fields.Dict(
        keys=one_of(*ROLES), values=fields.Integer(validate=validate.Range(min=0)), load_default=dict
    )
    boundary = fields.List(
        fields.Tuple(
            (fields.Float(validate=validate.Range(-180, 180)), fields.Float(validate=validate.Range(-90, 90)))
        ),
        required=True,
        validate=validate.Length(min=3),
    )
    address_keywords = fields.List(text(40), load_default=list)


class Role(Strict):
    """A role that a person holds in an area (the whole community where none is given), perhaps for a unit."""

    role = one_of(*ROLES, required=True)
    area = AreaField(allow_none=True, load_default=None)
    unit = matching(PERSON_ID, allow_none=True, load_default=None)


class Person(Strict):
    """Somebody of the directory; name, phone and mail stay in intake."""

    person_id = matching(PERSON_ID, required=True)
    name = text(40, required=True)
    phone = text(20, allow_none=True, load_default=None)
    mail = fields.Email(allow_none=True, load_default=None)
    unit = matching(PERSON_ID, allow_none=True, load_default=None)
    party_member = fields.Boolean(load_default=False)
    roles = fields.List(fields.Nested(Role), load_default=list)


class Publisher(Strict):
    """An outside system that may publish incidents, through which channels and for which areas."""

    login = fields.String(
        required=True,
        validate=[
            validate.Regexp(LOGIN),
            validate.NoneOf(RESERVED, error="{input} is the login of somebody else"),
        ],
        metadata={"description": "its RabbitMQ user"},
    )
    source = text(200, required=True, metadata={"description": "the CloudEvents source it writes"})
    name = text(60, required=True)
    channels = fields.List(one_of(*CHANNELS), required=True, validate=validate.Length(min=1))
    areas = fields.List(AreaField(), required=True, validate=validate.Length(min=1))
    user_id_required = fields.Boolean(
        load_default=True, metadata={"description": "the broker must vouch for the sender (AMQP user_id)"}
    )
    auto_accept = fields.Boolean(load_default=True)
    quota_per_day = fields.Integer(
        validate=validate.Range(1, 10_000_000),
        allow_none=True,
        load_default=None,
        metadata={"description": "messages of a day (Asia/Shanghai) that are taken; without it any number"},
    )
    pace_per_minute = fields.Integer(
        validate=validate.Range(1, 600_000),
        allow_none=True,
        load_default=None,
        metadata={"description": "messages that may arrive within a minute; without it any number"},
    )
    api_key_sha256 = matching(SHA256, allow_none=True, load_default=None)


class ReportCategory(Strict):
    """How a report's category is guessed from its words."""

    code = text(16, required=True)
    name = text(60, required=True)
    keywords = fields.List(text(40), load_default=list)
    urgency = one_of(*URGENCIES, allow_none=True, load_default=None)
    on_spot = fields.Boolean(load_default=False)


class Rejection(Strict):
    """What is not for the community, and what the reporter is told instead."""

    reason = text(40, required=True)
    keywords = fields.List(text(40), required=True, validate=validate.Length(min=1))
    reply = text(500, required=True)


class Nearness(Strict):
    """When two reports of one category tell of the same thing."""

    metres = fields.Integer(load_default=50, validate=validate.Range(min=1, max=5000))
    hours = fields.Integer(load_default=24, validate=validate.Range(min=1, max=720))


class IntakePart(SitePart):
    """Intake's part of a site pack. The order of `categories` is their priority."""

    part = "intake"

    centre = fields.Nested(Point, required=True)
    units = fields.List(fields.Nested(Unit), required=True, validate=validate.Length(min=1))
    grids = fields.List(fields.Nested(Grid), required=True, validate=validate.Length(min=1))
    people = fields.List(fields.Nested(Person), required=True)
    publishers = fields.List(fields.Nested(Publisher), load_default=list)
    categories = fields.List(fields.Nested(ReportCategory), required=True, validate=validate.Length(min=1))
    default_category = text(16, required=True)
    auto_accept = fields.List(one_of(*CHANNELS), load_default=list)
    reject = fields.List(fields.Nested(Rejection), load_default=list)
    near = fields.Nested(Nearness, load_default=lambda: {"metres": 50, "hours": 24})

    def contradictions(self, data: Mapping[str, Any], mistakes: Mistakes) -> None:
        """Ids are unique, references lead somewhere, grids lie in the community."""
        for listed, key in (
            ("units", "unit_id"),
            ("grids", "area"),
            ("people", "person_id"),
            ("publishers", "login"),
            ("categories", "code"),
        ):
            mistakes.repeated(listed, data[listed], key)
        units = {unit["unit_id"] for unit in data["units"]}
        grids = {row["area"] for row in data["grids"]}
        codes = {category["code"] for category in data["categories"]}
        for i, unit in enumerate(data["units"]):
            self._check_unit(unit, units, codes, mistakes, i)
        for i, row in enumerate(data["grids"]):
            self._check_grid(row, data["area"], grids, mistakes, i)
        for i, person in enumerate(data["people"]):
            self._check_person(person, data["area"], units, grids, mistakes, i)
        for i, publisher in enumerate(data["publishers"]):
            self._check_publisher(publisher, data["area"], mistakes, i)
        mistakes.unknown("category", data["default_category"], codes, "default_category")

    @staticmethod
    def _check_unit(
        unit: Mapping[str, Any], units: set[str], codes: set[str], mistakes: Mistakes, i: int
    ) -> None:
        mistakes.unknown("unit", unit["parent"], units - {unit["unit_id"]}, "units", i, "parent")
        for j, code in enumerate(unit["duties"]):
            mistakes.unknown("category", code, codes, "units", i, "duties", j)

    @staticmethod
    def _check_publisher(publisher: Mapping[str, Any], home: str, mistakes: Mistakes, i: int) -> None:
        for j, area in enumerate(publisher["areas"]):
            if not (area.startswith(home) or home.startswith(area)):
                mistakes.add(f"{area} is not of the community {home}", "publishers", i, "areas", j)

    @staticmethod
    def _check_grid(row: Mapping[str, Any], home: str, grids: set[str], mistakes: Mistakes, i: int) -> None:
        area = row["area"]
        if not area.startswith(home):
            mistakes.add(f"{area} does not belong to the community {home}", "grids", i, "area")
        if (row["kind"] == "micro") != (area[15:] != "00"):
            mistakes.add(f"{area} is not the code of a {row['kind']} grid", "grids", i, "kind")
        if row["kind"] == "base" and not "001" <= area[12:15] <= "599":
            mistakes.add(f"{area}: base grids are numbered 001 to 599", "grids", i, "area")
        if row["kind"] == "dedicated" and not "601" <= area[12:15] <= "999":
            mistakes.add(f"{area}: dedicated grids are numbered 601 to 999", "grids", i, "area")
        if row["kind"] == "micro" and area[:15] + "00" not in grids:
            mistakes.add(f"{area} has no parent grid {area[:15]}00", "grids", i, "area")

    @staticmethod
    def _check_person(
        person: Mapping[str, Any], home: str, units: set[str], grids: set[str], mistakes: Mistakes, i: int
    ) -> None:
        mistakes.unknown("unit", person["unit"], units, "people", i, "unit")
        for j, role in enumerate(person["roles"]):
            mistakes.unknown("unit", role["unit"], units, "people", i, "roles", j, "unit")
            area = role["area"]
            if area is not None and area not in grids and not home.startswith(area):
                mistakes.add(f"there is no grid {area} in {home}", "people", i, "roles", j, "area")
