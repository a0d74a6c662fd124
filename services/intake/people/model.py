"""Knows the people of the directory and their roles; names and numbers are kept apart from them."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum


class PersonStatus(StrEnum):
    """Whether somebody still belongs to the directory."""

    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the directory, without a name: what others may know (P1). `area` is the community."""

    person_id: str
    site: str
    area: str
    unit_id: str | None
    is_party_member: bool
    status: PersonStatus = PersonStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class Contact:
    """How somebody is called and reached (P2): kept in a table of its own, never on the bus in clear."""

    name: str | None = None
    phone: str | None = None
    mail: str | None = None

    @property
    def is_reachable(self) -> bool:
        """Whether there is a way to send an answer."""
        return bool(self.phone or self.mail)


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """A role that somebody holds in an area, perhaps for a unit."""

    person_id: str
    role: str
    area: str
    unit_id: str | None


def ended(person: Person) -> Person:
    """The person once the site no longer lists them."""
    return replace(person, status=PersonStatus.ENDED)


def role_changes(
    before: Collection[RoleAssignment], after: Collection[RoleAssignment]
) -> tuple[list[RoleAssignment], list[RoleAssignment]]:
    """The roles given up and the roles taken up."""
    held, wanted = set(before), set(after)
    return sorted(held - wanted, key=_order), sorted(wanted - held, key=_order)


def _order(assignment: RoleAssignment) -> tuple[str, str, str, str]:
    return (assignment.person_id, assignment.role, assignment.area, assignment.unit_id or "")


def is_somebody_else(given: Contact, own: Contact) -> bool:
    """Whether the contact given with a report is not that of the person who brings it."""
    if given.phone:
        return given.phone != own.phone
    if given.mail:
        return given.mail != own.mail
    return given.name is not None and given.name != own.name
