"""Remembers what each site's pack told dispatch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import ARRAY, Column, Row, Table, Text, bindparam, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert

from services.dispatch.calendars.holidays import load_calendar
from services.dispatch.calendars.model import DayMode, Limit, Slot, WorkCalendar
from services.dispatch.metadata import metadata
from services.dispatch.sites.model import Site, StageLimits
from wangge.chassis.errors import Conflict, NotFound
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

site = Table(
    "sites",
    metadata,
    Column("site", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("area", Text, nullable=False, unique=True),
    Column("revision", Text, nullable=False),
    Column("calendar", JSONB, nullable=False),
    Column("stage_limits", JSONB, nullable=False),
    Column("default_category", Text, nullable=False),
    Column("grid_leads", JSONB, nullable=False),
    Column("community_unit", Text, nullable=False),
    Column("ladder", JSONB, nullable=False),
    Column("default_checkers", ARRAY(Text), nullable=False),
)

BY_AREA = select(site).where(site.c.area == bindparam("area"))
REVISION = text("SELECT site, revision FROM sites WHERE area = :area")

_known: dict[str, Site] = {}
"""Sites as this process last read them: a revision never changes."""

#: Calendars kept built, one for each distinct content: about a county's sites.
CALENDARS = 256


def find(tx: Transaction, name: str) -> Site:
    """The site of this name. Raises `NotFound`."""
    row = tx.execute(select(site).where(site.c.site == name)).one_or_none()
    if row is None:
        raise NotFound("site.unknown", f"没有站点 {name}", f"there is no site {name}")
    return _site(row)


def find_by_area(tx: Transaction, area: str) -> Site | None:
    """The site whose community is or contains this area, if its pack was applied."""
    community = Area.parse(area).community
    if community is None:
        return None
    revision = tx.execute(REVISION, {"area": community.code}).one_or_none()
    if revision is None:
        return None
    known = _known.get(revision.site)
    if known is None or known.revision != revision.revision:
        known = _known[revision.site] = _site(tx.execute(BY_AREA, {"area": community.code}).one())
    return known


def revision_of(tx: Transaction, name: str) -> str | None:
    """The revision that was applied last; other applications of the same site wait until this one is over."""
    statement = select(site.c.revision).where(site.c.site == name).with_for_update()
    return tx.execute(statement).scalar_one_or_none()


def put(tx: Transaction, part: Mapping[str, Any]) -> bool:
    """Remember a part; answers whether the site's own row changed. Refuses an area that is another site's."""
    row = _row(part)
    taken = select(site.c.site).where(site.c.area == row["area"], site.c.site != row["site"])
    other = tx.execute(taken).scalar_one_or_none()
    if other:
        raise Conflict(
            "site.area_taken", f"该社区已属于站点 {other}", f"the area belongs to the site {other}"
        )
    before = tx.execute(select(site).where(site.c.site == row["site"])).mappings().one_or_none()
    tx.execute(insert(site).values(row).on_conflict_do_update(index_elements=["site"], set_=row))
    return before is None or any(row[name] != before[name] for name in row if name != "revision")


def _row(part: Mapping[str, Any]) -> dict[str, Any]:
    calendar = part["calendar"]
    return {
        **{column.name: part[column.name] for column in site.c if column.name != "calendar"},
        "calendar": {
            "day_mode": calendar["day_mode"],
            "slots": [list(slot) for slot in calendar["slots"]],
            "off": sorted(day.isoformat() for day in calendar["off"]),
            "work": sorted(day.isoformat() for day in calendar["work"]),
            "last_year": calendar["last_year"],
        },
    }


def _site(row: Row[Any]) -> Site:
    limits = {name: Limit.parse(text) for name, text in row.stage_limits.items()}
    return Site(
        site=row.site,
        name=row.name,
        area=row.area,
        revision=row.revision,
        calendar=_calendar(orjson.dumps(row.calendar)),
        day_mode=DayMode(row.calendar["day_mode"]),
        stage_limits=StageLimits(**limits),
        default_category=row.default_category,
        grid_leads=row.grid_leads,
        community_unit=row.community_unit,
        ladder=row.ladder,
        default_checkers=tuple(row.default_checkers),
    )


@lru_cache(maxsize=CALENDARS)
def _calendar(stored: bytes) -> WorkCalendar:
    calendar = orjson.loads(stored)
    return load_calendar(
        map(date.fromisoformat, calendar["off"]),
        map(date.fromisoformat, calendar["work"]),
        calendar["last_year"],
        tuple(
            Slot(time.fromisoformat(opens), time.fromisoformat(closes)) for opens, closes in calendar["slots"]
        ),
    )
