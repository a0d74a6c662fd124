"""Finds an open report of the same category near a point: Redis GEO proposes, the database decides.

Guarantee: of two near reports received at the same time by any processes the second finds the first (one advisory
lock from the search to the commit). Redis may be empty, stale or away: the index carries the database's epoch and is
rebuilt where it is missing or another's; while Redis is away SQL is asked, and what it missed makes a new epoch.
Limit: a Redis that loses single writes but keeps its epoch (a failover to a lagging replica) may hide a near report.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from math import asin, cos, radians, sin, sqrt
from typing import Any
from weakref import WeakKeyDictionary

import redis

from services.intake.reports import store
from services.intake.reports.model import Report
from services.intake.sites.model import Nearness
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


@dataclass(slots=True)
class Turn:
    """One transaction's time under the lock: the epoch, and what is added to the index before the commit."""

    epoch: int
    added: list[Report] = field(default_factory=list)


class NearIndex:
    """The index of open reports by place, of one process."""

    def __init__(self) -> None:
        self._turns: WeakKeyDictionary[Transaction, Turn] = WeakKeyDictionary()
        self._away_until = 0.0

    def nearest(self, tx: Transaction, client: redis.Redis, report: Report, near: Nearness) -> Report | None:
        """The nearest open report of the same community and category, within metres and hours; locked until commit."""
        turn = self._enter(tx)
        codes = self._proposed(tx, client, turn, report, near)
        if codes is None:
            found = store.open_around(tx, report, near.metres)
        else:
            own = [other.code for other in turn.added if _measured(report, other, near) is not None]
            found = store.open_among(tx, {*codes, *own})
            self._forget(client, report, set(codes) - {one.code for one in found})
        return _nearest(report, found, near)

    def add(self, tx: Transaction, client: redis.Redis, report: Report) -> None:
        """Let later reports find this one. The index learns of it before the commit: rolled back, it names nothing."""
        turn = self._enter(tx)
        if not turn.added:
            tx.before_commit(lambda: self._write(tx, client, turn))
        turn.added.append(report)

    def _write(self, tx: Transaction, client: redis.Redis, turn: Turn) -> None:
        if not self._is_away():
            try:
                _index(client, turn.added)
            except redis.RedisError as error:
                self._leave_alone(error)
            else:
                return
        store.new_epoch(tx)

    def _enter(self, tx: Transaction) -> Turn:
        if tx not in self._turns:
            self._turns[tx] = Turn(store.lock_near(tx))
        return self._turns[tx]

    def _proposed(
        self, tx: Transaction, client: redis.Redis, turn: Turn, report: Report, near: Nearness
    ) -> list[str] | None:
        if self._is_away():
            return None
        try:
            epoch, codes = self._search(client, report, near.metres + SLACK)
            if epoch != str(turn.epoch):
                self._rebuild(tx, client, turn)
                _, codes = self._search(client, report, near.metres + SLACK)
        except redis.RedisError as error:
            self._leave_alone(error)
            return None
        return codes

    @staticmethod
    def _search(client: redis.Redis, report: Report, metres: float) -> tuple[str | None, list[str]]:
        # first the places, then the epoch: an index that was emptied in between has none
        with client.pipeline(transaction=False) as pipe:
            pipe.geosearch(
                _key(report),
                longitude=report.incident.lng,
                latitude=report.incident.lat,
                radius=metres,
                unit="m",
            )
            pipe.get(EPOCH)
            codes, epoch = pipe.execute()
        return epoch, codes

    @staticmethod
    def _rebuild(tx: Transaction, client: redis.Redis, turn: Turn) -> None:
        reports = store.open_with_point(tx)
        for start in range(0, len(reports), CHUNK):
            _index(client, reports[start : start + CHUNK])
        client.set(EPOCH, turn.epoch)
        log.info("near index rebuilt", reports=len(reports), epoch=turn.epoch)

    @staticmethod
    def _forget(client: redis.Redis, report: Report, codes: set[str]) -> None:
        if codes:
            try:
                client.zrem(_key(report), *codes)
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


def _index(client: redis.Redis, reports: list[Report]) -> None:
    with client.pipeline(transaction=False) as pipe:
        for report in reports:
            pipe.geoadd(_key(report), _member(report))
        pipe.execute()


def _key(report: Report) -> str:
    return f"intake:near:{report.community}:{report.category}"


def _member(report: Report) -> list[Any]:
    return [report.incident.lng, report.incident.lat, report.code]
