"""Says what dispatch needs to know of a unit and of a person; the rest of the directory stays with intake."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that can be given work. `duties`: category codes it answers for."""

    unit_id: str
    name: str
    duties: tuple[str, ...]

    def answers_for(self, category: str) -> bool:
        """Whether the category is on its duty list."""
        return category in self.duties


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the directory: an id and a unit, no name."""

    person_id: str
    unit_id: str | None
