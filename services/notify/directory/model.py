"""Decides who speaks for a unit and who holds a role over a place, from notify's copy of the directory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """Whether a unit, a person or a role still counts; an ended one is kept, so that older news cannot revive it."""

    ACTIVE = "active"
    ENDED = "ended"


UNIT_ROLES = ("unit_contact", "unit_head")
"""The roles that speak for a unit."""


@dataclass(frozen=True, slots=True)
class Role:
    """A role that a person holds over an area, perhaps for a unit."""

    person_id: str
    role: str
    area: str
    unit_id: str | None


@dataclass(frozen=True, slots=True)
class Spokespeople:
    """The question who is told what a unit must know."""

    unit_id: str


@dataclass(frozen=True, slots=True)
class Holders:
    """The question who holds a role over a place; `areas` are the place and everything that contains it."""

    role: str
    areas: tuple[str, ...]


Question = Spokespeople | Holders


def answer(
    question: Question, roles: Iterable[Role], people_by_unit: Mapping[str, Collection[str]]
) -> tuple[str, ...]:
    """The references of those who are meant, each once.

    For a unit: its contacts and its head; where it has none, everybody who works there; where nobody does, the unit
    itself, so that the message waits in its inbox and is not lost.
    """
    if isinstance(question, Holders):
        held = (
            each.person_id for each in roles if each.role == question.role and each.area in question.areas
        )
        return _references(held)
    speaking = {
        each.person_id for each in roles if each.unit_id == question.unit_id and each.role in UNIT_ROLES
    }
    people = speaking or people_by_unit.get(question.unit_id, ())
    return _references(people) or (f"unit:{question.unit_id}",)


def _references(people: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"person:{person_id}" for person_id in sorted(set(people)))
