"""Decides of whom a route speaks: it turns `lead` or `role:grid_leader@grid` into people, or questions about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.notify.directory.model import Holders, Question, Spokespeople
from wangge.contracts.areas import Area


@dataclass(frozen=True, slots=True)
class Route:
    """Which fact is told to whom in which words; an urgent one does not wait for the morning."""

    event: str
    template: str
    to: tuple[str, ...]
    is_urgent: bool


Wanted = str | Question
"""A recipient's reference, or a question that the directory answers with references."""


def wanted(selector: str, data: Mapping[str, Any]) -> list[Wanted]:
    """Whom a selector of a route means for a fact with these data; nobody where the fact names nobody.

    Raises:
        ValueError: there is no such selector.
    """
    match selector:
        case "lead":
            unit = data.get("lead") or data.get("unit")
            return [Spokespeople(unit)] if unit else []
        case "assist":
            return [Spokespeople(unit) for unit in data.get("assist", ())]
        case "reporters":
            return list(_reporters(data))
        case "publisher":
            return [ref for ref in _reporters(data) if ref.startswith("publisher:")]
        case "helpers":
            return list(_helpers(data))
        case _:
            return [_holders(selector, data)]


def questions(everybody: Iterable[Wanted]) -> list[Question]:
    """What must be asked of the directory, each once."""
    return list(dict.fromkeys(each for each in everybody if not isinstance(each, str)))


def allot(
    routes: Iterable[Route], data: Mapping[str, Any], answers: Mapping[Question, Iterable[str]]
) -> dict[str, Route]:
    """The recipients of a fact, each with the route that tells them.

    It is the first that means them, so that nobody who has two parts in a matter is told twice.
    """
    told: dict[str, Route] = {}
    for route in routes:
        for selector in route.to:
            for each in wanted(selector, data):
                for ref in [each] if isinstance(each, str) else answers.get(each, ()):
                    told.setdefault(ref, route)
    return told


def _reporters(data: Mapping[str, Any]) -> Iterator[str]:
    yield from data.get("reporters", ())
    reporter = data.get("reporter")
    if reporter and reporter["wants_reply"]:
        yield reporter["ref"]


def _helpers(data: Mapping[str, Any]) -> Iterator[str]:
    # a reporter is answered as a reporter
    for helper in data.get("helpers", ()):
        if helper["part"] != "reporter":
            yield f"person:{helper['person_id']}"
    if "person_id" in data:
        yield f"person:{data['person_id']}"


def _holders(selector: str, data: Mapping[str, Any]) -> Holders:
    role, _, place = selector.removeprefix("role:").partition("@")
    if not role or place not in ("grid", "community"):
        raise ValueError(f"there is no selector {selector}")
    area = Area.parse(data["area"])
    over = (area.community or area) if place == "community" else area
    return Holders(role, (over.code, *(parent.code for parent in over.parents)))
