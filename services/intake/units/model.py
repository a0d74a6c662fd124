"""Knows a unit: an organisation that can be handed a case."""

from dataclasses import dataclass, replace
from enum import StrEnum


class UnitStatus(StrEnum):
    """Whether the unit still works here."""

    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Unit:
    """A community, department, utility, company … `duties` are the category codes that it answers for."""

    unit_id: str
    site: str
    name: str
    kind: str
    area: str
    parent: str | None
    duties: tuple[str, ...]
    status: UnitStatus = UnitStatus.ACTIVE


def ended(unit: Unit) -> Unit:
    """The unit once its site no longer lists it."""
    return replace(unit, status=UnitStatus.ENDED)
