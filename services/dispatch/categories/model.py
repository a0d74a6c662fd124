"""Decides what a case of a category promises: its limit, its level, and by which ways it may end."""

from dataclasses import dataclass
from enum import StrEnum

from services.dispatch.calendars.model import Limit


class ClockFrom(StrEnum):
    """When the handling time begins to run."""

    REPORT = "report"
    DISPATCH = "dispatch"


@dataclass(frozen=True, slots=True)
class Category:
    """One row of a site's catalogue. `lead` and `assist` are unit ids; `units_allowed` may claim from the pool."""

    code: str
    name: str
    family: str
    limit: Limit
    clock_from: ClockFrom
    lead: str | None
    assist: tuple[str, ...]
    level: str
    closing_condition: str
    on_spot_allowed: bool
    needs_check: bool
    pool: bool
    units_allowed: tuple[str, ...]
