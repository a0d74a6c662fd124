"""Keeps the pace of publishers: how many messages each brings within a minute, over all processes, in Redis.

A sliding window of the library `limits`: a burst may use the whole minute's number at once, then room comes back as the
window moves. What was refused is not counted, so a sender that is too fast gets its pace through all the same.
Guarantee: one sender's pace takes nothing from another's. Limit: while Redis is away each process counts alone (nothing
is refused for that, but n processes let n times the pace in); a `FLUSHALL` begins the minute anew.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

import redis
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from services.intake.publishers.model import Limits, Over, over_pace
from wangge.chassis.logging import get_logger
from wangge.chassis.transaction import Transaction

log = get_logger(__name__)

PREFIX = "intake:pace"

#: Seconds for which a Redis that did not answer is left alone.
AWAY_SECONDS = 5.0


class Pace:
    """What this process knows of everybody's pace."""

    def __init__(self) -> None:
        self._alone = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._together: SlidingWindowCounterRateLimiter | None = None
        self._away_until = 0.0
        self._counted: Counter[str] = Counter()
        self._foreseen: WeakKeyDictionary[Transaction, dict[str, tuple[int, Over | None]]] = (
            WeakKeyDictionary()
        )

    def foresee(
        self, tx: Transaction, client: redis.Redis, coming: Mapping[str, int], limits: Mapping[str, Limits]
    ) -> None:
        """Ask once for all messages that each login brings in one transaction, before `over_one` asks for each.

        Rolled back, they were counted all the same: whoever brings one of them again is not counted again.
        """
        found = {login: self.over(client, login, limits[login], wanted) for login, wanted in coming.items()}
        counted = {login: admitted for login, (admitted, _) in found.items()}
        self._foreseen[tx] = found
        tx.after_rollback(lambda: self._counted.update(counted))

    def over_one(self, tx: Transaction, client: redis.Redis, login: str, limits: Limits) -> Over | None:
        """Why the login may not bring one more message now; None where it may."""
        foreseen = self._foreseen.get(tx, {})
        if login not in foreseen:
            return None if self._was_counted(login) else self.over(client, login, limits, 1)[1]
        admitted, over = foreseen[login]
        foreseen[login] = (max(0, admitted - 1), over)
        return None if admitted else over

    def _was_counted(self, login: str) -> bool:
        left = self._counted[login]
        self._counted[login] = max(0, left - 1)
        return left > 0

    def over(self, client: redis.Redis, login: str, limits: Limits, wanted: int) -> tuple[int, Over | None]:
        """How many of `wanted` messages the login may bring now, and why not the others."""
        most = limits.pace_per_minute
        if most is None or not wanted:
            return wanted, None
        admitted, free_at = self._hit(client, login, most, wanted)
        return admitted, None if admitted == wanted else over_pace(most, free_at)

    def _hit(self, client: redis.Redis, login: str, most: int, wanted: int) -> tuple[int, datetime]:
        if time.monotonic() >= self._away_until:
            try:
                return _admit(self._shared(client), login, most, wanted)
            except redis.RedisError as away:
                log.warning("Redis is away, each process keeps the pace alone", cause=str(away))
                self._away_until = time.monotonic() + AWAY_SECONDS
        return _admit(self._alone, login, most, wanted)

    def _shared(self, client: redis.Redis) -> SlidingWindowCounterRateLimiter:
        if self._together is None:
            pool = client.connection_pool
            storage = RedisStorage("redis://", connection_pool=pool, key_prefix=PREFIX)
            self._together = SlidingWindowCounterRateLimiter(storage)
        return self._together


def _admit(
    limiter: SlidingWindowCounterRateLimiter, login: str, most: int, wanted: int
) -> tuple[int, datetime]:
    """As many as there is room for, and when there is room again."""
    item = RateLimitItemPerMinute(most)
    if limiter.hit(item, login, cost=wanted):
        return wanted, datetime.now(UTC)
    stats = limiter.get_window_stats(item, login)
    admitted = min(wanted, stats.remaining)
    if admitted and not limiter.hit(item, login, cost=admitted):
        admitted = 0  # somebody else was quicker
    return admitted, datetime.fromtimestamp(max(stats.reset_time, time.time()) + 1, UTC)
