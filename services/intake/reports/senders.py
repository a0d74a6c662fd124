"""Knows who brings a report, what they may send, and whose report it is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from services.intake.people import store as people
from services.intake.people.model import Contact, is_somebody_else
from services.intake.publishers.model import Publisher
from services.intake.reports.masking import mask
from wangge.chassis.auth import Principal
from wangge.chassis.errors import Forbidden
from wangge.chassis.ids import new_id
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area
from wangge.contracts.fields import CHANNELS

#: Roles that report through channels of their own only; every other role may use any.
CHANNELS_OF = {
    "resident": frozenset({"resident_app"}),
    "volunteer": frozenset({"resident_app"}),
    "rider": frozenset({"rider"}),
    "unit_leader": frozenset({"unit_leader", "resident_app"}),
}
ANY_CHANNEL = frozenset(CHANNELS)

#: What a publisher's reference to somebody may look like to travel (the contract of references).
OPAQUE = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who brings a report. `ref` is None for somebody who wants to stay unknown; an empty `reach` is everywhere."""

    ref: str | None
    reach: tuple[Area, ...]
    channels: frozenset[str]
    is_trusted: bool


@dataclass(frozen=True, slots=True)
class Reporter:
    """Whose report it is, by reference; `contact` is there when intake has to keep it."""

    ref: str
    is_confidential: bool = False
    wants_reply: bool = True
    contact: Contact | None = None
    is_anonymous: bool = False


def of_publisher(publisher: Publisher) -> Sender:
    """A publisher as the sender."""
    return Sender(
        publisher.ref,
        tuple(Area.parse(code) for code in publisher.areas),
        publisher.channels,
        publisher.is_auto_accepted,
    )


def of_person(who: Principal, reporter: Reporter) -> Sender:
    """Somebody with a token as the sender: for all of the communities where they have a role.

    A grid worker's own report needs no verification. Raises `Forbidden` when no role of theirs reports at all.
    """
    channels = frozenset[str]().union(*(CHANNELS_OF.get(role, ANY_CHANNEL) for role in who.roles))
    if not channels:
        raise Forbidden("role.missing", "没有可以上报的角色", "none of your roles may report")
    reach = tuple(dict.fromkeys(area.community or area for area in who.areas))
    is_own = reporter.ref == f"person:{who.id}"
    ref = None if reporter.is_anonymous else f"person:{who.id}"
    return Sender(ref, reach, channels, is_own and "grid_worker" in who.roles)


def reporter_of_message(tx: Transaction, publisher: Publisher, reference: str | None) -> Reporter:
    """Whose report a publisher's message is.

    Somebody of the directory whom it names; else somebody whom only the publisher knows, by its own reference; else
    the publisher. A reference that holds a personal number stays here.
    """
    kind, _, person_id = (reference or "").partition(":")
    if kind == "person" and people.is_known(tx, person_id):
        return Reporter(f"person:{person_id}")
    if reference and OPAQUE.fullmatch(reference) and mask(reference) == reference:
        return Reporter(f"{publisher.ref}/{reference}")
    return Reporter(publisher.ref)


def reporter_given(
    tx: Transaction,
    who: Principal,
    given: Mapping[str, Any] | None,
    publisher: Publisher | None,
    ref: str | None,
) -> Reporter:
    """Whose report one over HTTP is.

    The person with the token, where the directory knows them and `given` names nobody else; whom a publisher names;
    anybody else is a resident under a new reference, with the contact that was given. Anonymous: nothing is kept.
    """
    given = given or {"anonymous": False, "confidential": False, "wants_reply": True}
    if given["anonymous"]:
        return Reporter(_new_resident(), is_confidential=True, wants_reply=False, is_anonymous=True)
    contact = Contact(given.get("name"), given.get("phone"), given.get("mail"))
    is_named = contact != Contact()
    if publisher and not is_named:
        return replace(
            reporter_of_message(tx, publisher, ref),
            is_confidential=given["confidential"],
            wants_reply=given["wants_reply"],
        )
    own = None if publisher else people.contact(tx, who.id)
    if own and not is_somebody_else(contact, own):
        return Reporter(f"person:{who.id}", given["confidential"], given["wants_reply"])
    kept = contact if is_named else None
    return Reporter(_new_resident(), given["confidential"], given["wants_reply"], kept)


def _new_resident() -> str:
    return f"resident:{new_id()}"
