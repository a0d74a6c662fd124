"""Decides what a site is: a community whose members are scored here, by periods of one kind."""

from dataclasses import dataclass

from services.points.periods.model import PeriodKind
from wangge.chassis.errors import invalid


@dataclass(frozen=True, slots=True)
class Site:
    """A community as its site pack describes it. `boards_version` counts changes of who is on its boards."""

    site: str
    name: str
    area: str
    period_kind: PeriodKind
    revision: str
    boards_version: int = 0


def check_named(path_site: str, body_site: str) -> None:
    """The pack's site is the one in the address. Raises `Invalid`."""
    if path_site != body_site:
        raise invalid([{"field": "site", "message": f"the address says {path_site}"}])
