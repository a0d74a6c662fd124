"""Decides who is a member here: what a site pack's list changes, and who may see whom."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class MemberStatus(StrEnum):
    """正式、预备、流动、免考核: an exempt member is not ranked."""

    FORMAL = "formal"
    PROBATIONARY = "probationary"
    MOBILE = "mobile"
    EXEMPT = "exempt"


@dataclass(frozen=True, slots=True)
class Member:
    """A party member who is scored at one site. `area` is their grid, or the community where no grid is named."""

    person_id: str
    site: str
    org: str
    status: MemberStatus
    area: str
    left_at: datetime | None = None


def changes(known: Mapping[str, Member], listed: Iterable[Member], now: datetime) -> list[Member]:
    """The members to save so that `listed` are the members: new, changed, come back, and those who left."""
    present = {member.person_id: member for member in listed}
    left = [
        replace(member, left_at=now)
        for person_id, member in known.items()
        if person_id not in present and member.left_at is None
    ]
    return [member for member in present.values() if known.get(member.person_id) != member] + left
