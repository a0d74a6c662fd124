"""Finds an open report of the same category near a point: Redis GEO proposes, the database decides.

Guarantee: of two near reports received at the same time by any processes the second finds the first. Each searches
without a lock; at the end of its transaction it locks the places (community and category) where it adds or found
something, in one order, searches again, and where the answer is another one meanwhile, `Temporary` is raised: tried
again, the report finds the other. So those who report elsewhere, or something else, never wait for each other.
Redis may be empty, stale or away: the index carries the database's epoch and is rebuilt where it is missing or
another's, while nobody adds; until then, and while Redis is away, SQL is asked, and what it missed makes a new epoch.
Limit: a Redis that loses single writes but keeps its epoch (a failover to a lagging replica) may hide a near report.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import asin, cos, radians, sin, sqrt
from weakref import WeakKeyDictionary

import redis

from services.intake.reports import near_store, store
from services.intake.reports.model import Report
from services.intake.reports.near_store import Point
from services.intake.sites.model import Nearness
from wangge.chassis.errors import Temporary
from wangge.chassis.logging import get_logger
from wangge.chassis.transaction import Transaction

log = get_logger(__name__)

EPOCH = "intake:near:epoch"
"""Key of the database's epoch that the index belongs to."""

#: Metres by which Redis's 52-bit positions may be off; the database measures exactly.
SLACK = 2.0

#: Seconds for which a Redis that did not answer is left alone.
AWAY_SECONDS = 5.0

EARTH_METRES = 6_371_008.8

#: Members of one command while rebuilding.
CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Search:
    """A search that was decided on: what for, among how many of the transaction's own reports, and what was found."""

    report: Report
    near: Nearness
    own: int
    found: str | None


@dataclass(slots=True)
class Turn:
    """What one transaction has searched for, and what it adds to the index before its commit."""

    searches: list[Search] = field(default_factory=list)
    added: list[Report] = field(default_factory=list)
    epoch: int | None = None
    is_locked: bool = False


class NearIndex:
    """The index of open reports by place, of one process."""

    def __init__(self) -> None:
        self._turns: WeakKeyDictionary[Transaction, Turn] = WeakKeyDictionary()
        self._away_until = 0.0

    def nearest(self, tx: Transaction, client: redis.Redis, report: Report, near: Nearness) -> Report | None:
        """The nearest open report of the same community and category, within metres and hours.

        At the end of the transaction it must be that still, or `Temporary` is raised.
        """
        turn = self._turn(tx, client)
        search = Search(report, near, len(turn.added), None)
        (found,) = self._found(tx, client, turn, [search])
        turn.searches.append(replace(search, found=found.code if found else None))
        return found

    def add(self, tx: Transaction, client: redis.Redis, report: Report) -> None:
        """Let later reports find this one. The index learns of it before the commit: rolled back, it names nothing."""
        self._turn(tx, client).added.append(report)

    def _turn(self, tx: Transaction, client: redis.Redis) -> Turn:
        turn = self._turns.get(tx)
        if turn is None:
            turn = self._turns[tx] = Turn()
            tx.before_commit(lambda: self._finish(tx, client, turn))
        return turn

    def _finish(self, tx: Transaction, client: redis.Redis, turn: Turn) -> None:
        """Search once more while nobody adds to the places, then add."""
        del self._turns[tx]
        store.write_arrivals(tx)
        concerned = [*(search.report for search in turn.searches), *turn.added]
        near_store.lock_places(tx, {near_store.place_of(report) for report in concerned})
        turn.is_locked, turn.epoch = True, None
        now = self._found(tx, client, turn, turn.searches) if turn.searches else []
        for search, found in zip(turn.searches, now, strict=True):
            if (found.code if found else None) != search.found:
                raise Temporary("a near report was received or decided about at the same time")
        if turn.added:
            self._write(tx, client, turn.added)

    def _write(self, tx: Transaction, client: redis.Redis, added: list[Report]) -> None:
        if not self._is_away():
            try:
                _index(client, [_point(report) for report in added])
            except redis.RedisError as error:
                self._leave_alone(error)
            else:
                return
        near_store.new_epoch(tx)

    def _found(
        self, tx: Transaction, client: redis.Redis, turn: Turn, searches: Sequence[Search]
    ) -> list[Report | None]:
        """What each search finds now, among what is committed and the transaction's own reports of before it."""
        proposed = self._proposed(tx, client, turn, searches)
        if proposed is None:
            among = [near_store.open_around(tx, search.report, search.near.metres) for search in searches]
        else:
            among = self._open(tx, client, turn, searches, proposed)
        return [
            _nearest(search.report, _known(turn, search, found), search.near)
            for search, found in zip(searches, among, strict=True)
        ]

    def _open(
        self,
        tx: Transaction,
        client: redis.Redis,
        turn: Turn,
        searches: Sequence[Search],
        proposed: Sequence[Sequence[str]],
    ) -> list[list[Report]]:
        """Those of the reports proposed for each search that are open, with the transaction's own."""
        wanted = {code for codes in proposed for code in codes} | {each.code for each in turn.added}
        by_code = {report.code: report for report in near_store.open_among(tx, wanted)} if wanted else {}
        found = []
        for search, codes in zip(searches, proposed, strict=True):
            if turn.is_locked:  # else it may be one that is about to be committed
                self._forget(client, search.report, set(codes) - by_code.keys())
            own = [each.code for each in turn.added[: search.own]]
            found.append([by_code[code] for code in dict.fromkeys([*codes, *own]) if code in by_code])
        return found

    def _proposed(
        self, tx: Transaction, client: redis.Redis, turn: Turn, searches: Sequence[Search]
    ) -> list[list[str]] | None:
        """What the index proposes; None where it is away, or out of date and not to be rebuilt just now."""
        if self._is_away():
            return None
        try:
            if turn.epoch is None:
                turn.epoch = near_store.epoch(tx)
            epoch, codes = self._ask(client, searches)
            if epoch != str(turn.epoch):
                if not near_store.try_near(tx):
                    return None
                turn.epoch = near_store.epoch(tx)
                self._rebuild(tx, client, turn.epoch)
                _, codes = self._ask(client, searches)
        except redis.RedisError as error:
            self._leave_alone(error)
            return None
        return codes

    @staticmethod
    def _ask(client: redis.Redis, searches: Sequence[Search]) -> tuple[str | None, list[list[str]]]:
        # first the places, then the epoch: an index that was emptied in between has none
        with client.pipeline(transaction=False) as pipe:
            for search in searches:
                pipe.geosearch(
                    _key(search.report.community, search.report.category),
                    longitude=search.report.incident.lng,
                    latitude=search.report.incident.lat,
                    radius=search.near.metres + SLACK,
                    unit="m",
                )
            pipe.get(EPOCH)
            *codes, epoch = pipe.execute()
        return epoch, codes

    @staticmethod
    def _rebuild(tx: Transaction, client: redis.Redis, epoch: int) -> None:
        points = near_store.open_points(tx)
        for start in range(0, len(points), CHUNK):
            _index(client, points[start : start + CHUNK])
        client.set(EPOCH, epoch)
        log.info("near index rebuilt", reports=len(points), epoch=epoch)

    @staticmethod
    def _forget(client: redis.Redis, report: Report, codes: set[str]) -> None:
        if codes:
            try:
                client.zrem(_key(report.community, report.category), *codes)
            except redis.RedisError as error:
                log.info("stale places stay in the index", cause=str(error))

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    def _leave_alone(self, error: Exception) -> None:
        self._away_until = time.monotonic() + AWAY_SECONDS
        log.warning("near search goes without Redis", cause=str(error))


def metres_between(lng: float, lat: float, other_lng: float, other_lat: float) -> float:
    """Great-circle distance in metres (haversine)."""
    phi, other_phi = radians(lat), radians(other_lat)
    half = sin((other_phi - phi) / 2) ** 2
    half += cos(phi) * cos(other_phi) * sin(radians(other_lng - lng) / 2) ** 2
    return 2 * EARTH_METRES * asin(sqrt(half))


def _nearest(report: Report, found: list[Report], near: Nearness) -> Report | None:
    close = [
        (metres, other.code, other)
        for other in found
        if (metres := _measured(report, other, near)) is not None
    ]
    return min(close, key=lambda each: each[:2])[2] if close else None


def _measured(report: Report, other: Report, near: Nearness) -> float | None:
    """How many metres the other is away; None when it tells of something else."""
    if (other.community, other.category) != (report.community, report.category):
        return None
    if _hours_between(report.incident.occurred_at, other.incident.occurred_at) > near.hours:
        return None
    metres = _distance(report, other)
    return metres if metres <= near.metres else None


def _distance(report: Report, other: Report) -> float:
    here, there = report.incident, other.incident
    if here.lng is None or here.lat is None or there.lng is None or there.lat is None:
        return float("inf")
    return metres_between(here.lng, here.lat, there.lng, there.lat)


def _hours_between(at: datetime, other: datetime) -> float:
    return abs((at - other).total_seconds()) / 3600


def _known(turn: Turn, search: Search, found: Sequence[Report]) -> list[Report]:
    """Without the report itself and those that its transaction added after it."""
    later = {each.code for each in turn.added[search.own :]} | {search.report.code}
    return [report for report in found if report.code not in later]


def _index(client: redis.Redis, points: Sequence[Point]) -> None:
    with client.pipeline(transaction=False) as pipe:
        for point in points:
            pipe.geoadd(_key(point.community, point.category), [point.lng, point.lat, point.code])
        pipe.execute()


def _key(community: str, category: str) -> str:
    return f"intake:near:{community}:{category}"


def _point(report: Report) -> Point:
    lng, lat = report.incident.lng or 0.0, report.incident.lat or 0.0
    return Point(report.community, report.category, report.code, lng, lat)
