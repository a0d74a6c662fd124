"""What the search for near duplicates asks of the database: locks of places, the index's epoch, open reports by place."""

from collections.abc import Collection
from dataclasses import dataclass
from math import cos, radians
from zlib import crc32

from sqlalchemy import BigInteger, Column, Sequence, SmallInteger, Table, select, text, update

from services.intake.metadata import metadata
from services.intake.reports.model import Report
from services.intake.reports.store import IS_OPEN, report_of, reports, unwritten, write_arrivals
from wangge.chassis.transaction import Transaction

#: Any number that no other lock of this database has: shared by all who add to the near index, alone who rebuilds it.
#: Together with a place (community and category) it is the lock of whoever adds a report there.
NEAR_LOCK = 7_203_102

#: How long these locks are waited for: whoever holds one is about to commit. Below the statement's own limit.
NEAR_WAIT = "20s"

#: Metres of one degree of latitude, at least.
DEGREE_METRES = 110_000.0

near_epochs = Sequence("near_epoch_number", metadata=metadata)

near_epoch = Table(
    "near_epochs",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Point:
    """Where an open report is, as the near index knows it."""

    community: str
    category: str
    code: str
    lng: float
    lat: float


_OPEN_AMONG = text(f"SELECT * FROM reports WHERE code = ANY(CAST(:codes AS text[])) AND {IS_OPEN}")  # noqa: S608 (ours)
_SHARE_NEAR = text(
    f"SELECT set_config('lock_timeout', '{NEAR_WAIT}', true), pg_advisory_xact_lock_shared({NEAR_LOCK})"
)
_LOCK_PLACES = text(
    f"SELECT count(pg_advisory_xact_lock({NEAR_LOCK}, place)) "  # noqa: S608 (a number of ours)
    "FROM unnest(CAST(:places AS integer[])) AS place"
)
_TRY_NEAR = text(f"SELECT pg_try_advisory_xact_lock({NEAR_LOCK})")
_EPOCH = text("SELECT epoch FROM near_epochs")


def place_of(report: Report) -> int:
    """The number of a report's community and category; two of them may have the same, which costs only waiting."""
    return crc32(f"{report.community}:{report.category}".encode()) - 2**31


def lock_places(tx: Transaction, places: Collection[int]) -> None:
    """Be the only one to add, or to decide about, reports of these communities and categories, until the commit.

    Taken in one order, so that two who want several do not wait for each other.
    """
    tx.write(_SHARE_NEAR)
    tx.execute(_LOCK_PLACES, {"places": sorted(places)})


def try_near(tx: Transaction) -> bool:
    """Try to keep everybody from adding until the commit; False where somebody is about to commit what they added."""
    return bool(tx.execute(_TRY_NEAR).scalar_one())


def epoch(tx: Transaction) -> int:
    """The epoch that an index must carry to be used."""
    return int(tx.execute(_EPOCH).scalar_one())


def new_epoch(tx: Transaction) -> int:
    """Make every index built before this commit stale; from a sequence, so that a rollback repeats no epoch."""
    statement = update(near_epoch).values(epoch=near_epochs.next_value()).returning(near_epoch.c.epoch)
    return int(tx.execute(statement).scalar_one())


def open_among(tx: Transaction, codes: Collection[str]) -> list[Report]:
    """Those of these reports that are open."""
    here = unwritten(tx)
    found = [here[code] for code in codes if code in here and here[code].is_open]
    others = [code for code in codes if code not in here]
    if others:
        found += [report_of(row) for row in tx.execute(_OPEN_AMONG, {"codes": others}).mappings()]
    return found


def open_around(tx: Transaction, report: Report, metres: float) -> list[Report]:
    """Open reports of the same community and category in a square around the report's point."""
    write_arrivals(tx)
    lng, lat = report.incident.lng or 0.0, report.incident.lat or 0.0
    up = metres / DEGREE_METRES
    side = up / max(cos(radians(lat)), 0.01)
    query = select(reports).where(
        reports.c.community == report.community,
        reports.c.category == report.category,
        text(IS_OPEN),
        reports.c.lng.between(lng - side, lng + side),
        reports.c.lat.between(lat - up, lat + up),
    )
    return [report_of(row) for row in tx.execute(query).mappings()]


def open_points(tx: Transaction) -> list[Point]:
    """Where every open report with a point is."""
    write_arrivals(tx)
    columns = (reports.c.community, reports.c.category, reports.c.code, reports.c.lng, reports.c.lat)
    rows = tx.execute(select(*columns).where(text(IS_OPEN), reports.c.lng.is_not(None)))
    return [Point(row.community, row.category, row.code, row.lng, row.lat) for row in rows]
