"""Decides what a new site pack changes: only what differs is written and told, what is missing is ended."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Rejection:
    """What is not for the community: its reason code, the words that tell it, the reply to the reporter."""

    reason: str
    keywords: tuple[str, ...]
    reply: str


@dataclass(frozen=True, slots=True)
class Nearness:
    """Within how many metres and hours two reports of one category tell of the same thing."""

    metres: int
    hours: int


@dataclass(frozen=True, slots=True)
class Site:
    """A community's settings of intake. `area` is its 12 digits, `revision` the SHA-256 of its part."""

    site: str
    name: str
    area: str
    revision: str
    lng: float
    lat: float
    default_category: str
    auto_accept: frozenset[str]
    rejections: tuple[Rejection, ...]
    near: Nearness


def changes(
    before: Mapping[Key, Thing], after: Mapping[Key, Thing], ended: Callable[[Thing], Thing]
) -> list[Thing]:
    """What has to be written: the things that are new or differ, then `ended(thing)` for those no longer listed."""
    written = [thing for key, thing in after.items() if before.get(key) != thing]
    gone = [(thing, ended(thing)) for key, thing in before.items() if key not in after]
    return written + [end for thing, end in gone if end != thing]
