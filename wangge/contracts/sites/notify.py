"""Notify's part: who can be reached how, what they are told, by which facts, and when they are left to sleep."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate

from wangge.contracts.events.notify import MESSAGE_CHANNELS
from wangge.contracts.fields import matching, one_of, reference, text
from wangge.contracts.sites.base import Mistakes, SitePart, Strict, time_of_day
from wangge.contracts.sites.roles import ROLES
from wangge.contracts.sites.wording import NOTICE_EVENTS, offered, used

TEMPLATE_CODE = r"^[a-z][a-z0-9_.-]{1,63}$"
RECIPIENT = rf"^(lead|assist|reporters|helpers|publisher|role:({'|'.join(ROLES)})@(grid|community))$"


def compiles(source: str) -> None:
    """Marshmallow's question whether a template is one."""
    try:
        used(source)
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
    """What is said, in Chinese; the language of templates is told in `wording`."""

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
    names = fields.Dict(
        keys=text(64),
        values=text(80),
        load_default=dict,
        metadata={"description": "Chinese names of category codes, units and grids, for the texts"},
    )
    quiet = fields.Nested(QuietHours, allow_none=True, load_default=None)
    retries = fields.Nested(Retries, load_default=lambda: Retries().load({}))

    def contradictions(self, data: Mapping[str, Any], mistakes: Mistakes) -> None:
        """Contacts and templates are unique, routes name templates that exist, addresses are there where needed."""
        mistakes.repeated("contacts", data["contacts"], "ref")
        mistakes.repeated("templates", data["templates"], "code")
        templates = {row["code"]: row for row in data["templates"]}
        for i, route in enumerate(data["routes"]):
            mistakes.unknown("template", route["template"], templates, "routes", i, "template")
            for name in sorted(self._not_offered(route, templates)):
                mistakes.add(f"{route['event']} offers no {{{{ {name} }}}}", "routes", i, "template")
        for i, contact in enumerate(data["contacts"]):
            for j, channel in enumerate(contact["channels"]):
                if channel["channel"] != "inbox" and not channel["address"]:
                    mistakes.add("needs an address", "contacts", i, "channels", j, "address")

    @staticmethod
    def _not_offered(route: Mapping[str, Any], templates: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
        template = templates.get(route["template"])
        if template is None:
            return frozenset()
        return (used(template["title"]) | used(template["text"])) - offered(route["event"])
