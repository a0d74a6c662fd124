"""Notify's part: who can be reached how, what they are told, by which facts, and when they are left to sleep."""

from collections.abc import Mapping
from typing import Any

from jinja2 import TemplateSyntaxError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment
from marshmallow import ValidationError, fields, validate

from wangge.contracts.events.notify import MESSAGE_CHANNELS
from wangge.contracts.fields import matching, one_of, reference, text
from wangge.contracts.sites.base import Mistakes, SitePart, Strict, time_of_day
from wangge.contracts.sites.roles import ROLES

TEMPLATE_CODE = r"^[a-z][a-z0-9_.-]{1,63}$"
RECIPIENT = rf"^(lead|assist|reporters|helpers|publisher|role:({'|'.join(ROLES)})@(grid|community))$"

NOTICE_EVENTS = (
    "report.rejected",
    "report.merged",
    *(
        f"case.{fact}"
        for fact in ("filed", "dispatched", "claimed", "handled", "checked", "closed", "reopened", "overdue")
    ),
    "points.posted",
    "points.reversed",
)
"""The facts that a route can be hung on."""

TEMPLATES = SandboxedEnvironment(autoescape=False)
"""Plain text, not HTML; sandboxed, because a pack is data and not code."""


def variables_of(source: str) -> set[str]:
    """The variables that a template uses. Raises `ValueError` when it does not compile."""
    try:
        return set(find_undeclared_variables(TEMPLATES.parse(source)))
    except TemplateSyntaxError as wrong:
        raise ValueError(f"line {wrong.lineno} of the template: {wrong.message}") from wrong


def compiles(source: str) -> None:
    """marshmallow's question whether a template is one."""
    try:
        variables_of(source)
    except ValueError as wrong:
        raise ValidationError(str(wrong)) from wrong


class ContactChannel(Strict):
    """One way to reach somebody. A webhook or a mail needs its address; a webhook may be signed with a secret."""

    channel = one_of(*MESSAGE_CHANNELS, required=True)
    address = text(500, allow_none=True, load_default=None)
    secret = text(200, allow_none=True, load_default=None)


class Contact(Strict):
    """Somebody who can be reached."""

    ref = reference(required=True)
    channels = fields.List(fields.Nested(ContactChannel), required=True, validate=validate.Length(min=1))


class Template(Strict):
    """What is said, in jinja2, in Chinese."""

    code = matching(TEMPLATE_CODE, required=True)
    title = fields.String(required=True, validate=[validate.Length(min=1, max=200), compiles])
    text = fields.String(required=True, validate=[validate.Length(min=1, max=4000), compiles])


class Route(Strict):
    """Which fact is told to whom; `urgent` does not wait for the morning."""

    event = one_of(*NOTICE_EVENTS, required=True)
    template = matching(TEMPLATE_CODE, required=True)
    to = fields.List(matching(RECIPIENT), required=True, validate=validate.Length(min=1))
    urgent = fields.Boolean(load_default=False)


class QuietHours(Strict):
    """From when to when nobody is disturbed, except urgently (Asia/Shanghai)."""

    from_ = time_of_day(data_key="from", required=True)
    to = time_of_day(required=True)


class Retries(Strict):
    """How often and how far apart a delivery is tried again."""

    tries = fields.Integer(load_default=5, validate=validate.Range(min=1, max=20))
    first_seconds = fields.Float(load_default=5.0, validate=validate.Range(min=0.1))
    factor = fields.Float(load_default=2.0, validate=validate.Range(min=1))
    most_seconds = fields.Float(load_default=600.0, validate=validate.Range(min=1))


class NotifyPart(SitePart):
    """Notify's part of a site pack."""

    part = "notify"

    contacts = fields.List(fields.Nested(Contact), required=True)
    templates = fields.List(fields.Nested(Template), required=True)
    routes = fields.List(fields.Nested(Route), required=True)
    quiet = fields.Nested(QuietHours, allow_none=True, load_default=None)
    retries = fields.Nested(Retries, load_default=lambda: Retries().load({}))

    def contradictions(self, data: Mapping[str, Any], mistakes: Mistakes) -> None:
        """Contacts and templates are unique, routes name templates that exist, addresses are there where needed."""
        mistakes.repeated("contacts", data["contacts"], "ref")
        mistakes.repeated("templates", data["templates"], "code")
        codes = {row["code"] for row in data["templates"]}
        for i, route in enumerate(data["routes"]):
            mistakes.unknown("template", route["template"], codes, "routes", i, "template")
        for i, contact in enumerate(data["contacts"]):
            for j, channel in enumerate(contact["channels"]):
                if channel["channel"] != "inbox" and not channel["address"]:
                    mistakes.add("needs an address", "contacts", i, "channels", j, "address")
