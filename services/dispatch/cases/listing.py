"""Lists the cases in somebody's sight, the newest first, at the same cost however many cases there are.

The database keeps `case_sights` for it, as it keeps an index (a trigger of migration 0002): one row for each key by which
a case is seen, which are its community and grid, the units concerned and the lead. A list reads each key of the asker
backwards and stops at the end of its page. Limit: a filter that few cases of a key meet (`due_before`) reads on through
the key's open, or closed, cases until the page is full; a scope above a community is read by the instant of filing, where
a street is never quiet for long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    PrimaryKeyConstraint,
    Select,
    Table,
    Text,
    false,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.sql.selectable import LateralFromClause

from services.dispatch.cases.model import ENDED, Case, CaseState
from services.dispatch.cases.store import cases, loaded
from services.dispatch.metadata import metadata
from wangge.chassis.newest import newest, way
from wangge.chassis.scopes import inside, places
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import ENDS, Area, Level

sights = Table(
    "case_sights",
    metadata,
    Column("key", Text, nullable=False, comment="area code of 12 or 15 digits, unit:<id> or lead:<id>"),
    Column("is_open", Boolean, nullable=False),
    Column("filed_at", DateTime(timezone=True), nullable=False),
    Column("case_no", Text, nullable=False),
    PrimaryKeyConstraint("key", "is_open", "filed_at", "case_no"),
    comment="kept by a trigger on cases",
)

#: The levels of area that have keys.
KEYED = frozenset({Level.COMMUNITY, Level.GRID})

Page = tuple[datetime, str] | None


@dataclass(frozen=True, slots=True)
class Sight:
    """What an asker may see: cases within the areas, and cases of the unit."""

    areas: tuple[Area, ...]
    unit: str | None

    def sees(self, case: Case) -> bool:
        """Whether this case is in sight."""
        place = Area.parse(case.area)
        return self.unit in case.units or any(area.contains(place) for area in self.areas)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the cases: by the key that leads to them, or by all cases where no key does, and what else must hold."""

    key: str | None
    conditions: tuple[ColumnElement[bool], ...] = ()


def listed(tx: Transaction, sight: Sight, filters: Mapping[str, Any], after: Page, limit: int) -> list[Case]:
    """Up to `limit` cases in sight, the newest first, after the given filing time and number."""
    others = tuple(_others(filters))
    branches = [
        branch
        for each in _ways(sight, filters)
        for branch in _branches(each, others, filters["state"], after, limit)
    ]
    return loaded(tx, newest(cases, list(cases.c), branches, limit)) if branches else []


def _ways(sight: Sight, filters: Mapping[str, Any]) -> Iterator[Way]:
    """The ways that together lead to all cases in sight that are asked for by report, lead and area."""
    area = Area.parse(filters["area"]) if filters["area"] is not None else None
    within = (_within(area),) if area else ()
    if filters["report_code"] is not None:
        yield Way(None, (_in_sight(sight), *within))
    elif filters["lead"] is not None:
        yield Way(f"lead:{filters['lead']}", (_in_sight(sight), *within))
    else:
        wide: list[ColumnElement[bool]] = []
        for place in places(sight.areas, area):
            if place.level in KEYED:
                yield Way(place.digits)
            elif place.level is Level.MICRO:
                yield Way(place.code[: ENDS[Level.GRID]], (_within(place),))
            else:
                wide.append(_within(place))
        if wide:
            yield Way(None, (or_(*wide),))
        if sight.unit and not (area and any(own.contains(area) for own in sight.areas)):
            yield Way(f"unit:{sight.unit}", within)


def _branches(
    each: Way, others: tuple[ColumnElement[bool], ...], state: str | None, after: Page, limit: int
) -> Iterator[Select[Any]]:
    """The newest cases of a way: of all cases in one go, of a key the open and the closed ones apart."""
    conditions = (*each.conditions, *others)
    if each.key is None:
        keys = (cases.c.filed_at, cases.c.case_no)
        yield way(select(*keys), keys, conditions, after, limit)
        return
    keys = (sights.c.filed_at, sights.c.case_no)
    query = select(*keys)
    if conditions:
        query = query.select_from(sights.join(_meeting(conditions), true()))
    for is_open in (True, False):
        if state is None or is_open is (CaseState(state) not in ENDED):
            by_key = (sights.c.key == each.key, sights.c.is_open.is_(is_open))
            yield way(query, keys, by_key, after, limit)


def _meeting(conditions: tuple[ColumnElement[bool], ...]) -> LateralFromClause:
    """The case of a row of sights, if it meets the conditions, looked at row by row.

    OFFSET 0 keeps it so. Left to itself the planner takes state and key for independent, expects few matches among
    the open cases of a key, and reads and sorts all of them.
    """
    case = select(literal(1)).where(cases.c.case_no == sights.c.case_no, *conditions)
    return case.offset(0).correlate(sights).lateral()


def _in_sight(sight: Sight) -> ColumnElement[bool]:
    seen = [_within(area) for area in sight.areas]
    if sight.unit:
        seen.append(cases.c.units.contains([sight.unit]))
    return or_(false(), *seen)


def _within(area: Area) -> ColumnElement[bool]:
    return inside(cases.c.area, area)


def _others(filters: Mapping[str, Any]) -> Iterator[ColumnElement[bool]]:
    if filters["report_code"] is not None:
        yield cases.c.report_code == filters["report_code"]
    if filters["lead"] is not None:
        yield cases.c.lead == filters["lead"]
    if filters["state"] is not None:
        yield cases.c.state == filters["state"]
    if filters["due_before"] is not None:
        yield cases.c.deadline < filters["due_before"]
