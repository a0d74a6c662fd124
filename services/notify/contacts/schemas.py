"""Speaks the wire of contacts: the pack's, the sealed ones of reporters, and the masked ones that are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from services.notify.contacts.model import OUTSIDE, Address, Channel, Contact
from wangge.chassis.delivery import wrong_fields
from wangge.chassis.errors import Permanent, invalid
from wangge.contracts.fields import text


class SealedContact(Schema):
    """What lies inside `contact.shared`: how a reporter wants to be answered."""

    class Meta:
        unknown = EXCLUDE

    mail = fields.Email(allow_none=True, load_default=None)
    phone = text(20, allow_none=True, load_default=None)


class AddressAnswer(Schema):
    """An address, masked."""

    channel = fields.String()
    address = fields.String(attribute="masked")
    origin = fields.String()


class ContactAnswer(Schema):
    """Somebody and their masked addresses; the inbox needs none."""

    ref = fields.String()
    addresses = fields.List(fields.Nested(AddressAnswer))


def contacts_of(part: Mapping[str, Any]) -> list[Contact]:
    """The contacts of a loaded part that have an address. Raises `Invalid` when one has two of a channel."""
    origin = f"site:{part['site']}"
    wrong, contacts = [], []
    for i, row in enumerate(part["contacts"]):
        outside = [channel for channel in row["channels"] if channel["channel"] in OUTSIDE]
        if len({channel["channel"] for channel in outside}) < len(outside):
            wrong.append({"field": f"contacts.{i}.channels", "message": "one address for each channel"})
        if outside:
            contacts.append(Contact(row["ref"], tuple(_address(channel, origin) for channel in outside)))
    if wrong:
        raise invalid(wrong)
    return contacts


def addresses_of(opened: Mapping[str, Any]) -> list[Address]:
    """The addresses in an opened `contact.shared`. Raises `Permanent` naming what is wrong, not what it says."""
    try:
        content = SealedContact().load(opened)
    except ValidationError as wrong:
        raise Permanent("contact.bad_data", "the sealed contact is wrong", wrong_fields(wrong)) from None
    return list(_left(content))


def _left(content: Mapping[str, Any]) -> Iterator[Address]:
    for channel in (Channel.MAIL, Channel.PHONE):
        if content[channel]:
            yield Address(channel, content[channel])


def _address(row: Mapping[str, Any], origin: str) -> Address:
    return Address(Channel(row["channel"]), row["address"], row["secret"], origin)
