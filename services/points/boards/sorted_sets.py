"""Keeps a site's boards in Redis, one sorted set a period, so that showing one asks the database for a number only.

Guarantee: a set is shown only while the version it carries is the site's version in the database, so a flush, a
restart, an eviction, a lost update or two updates in the wrong order make it unused, never wrong; the next reader
makes it anew. Limit: without Redis every board is read from the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import cache
from time import monotonic
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from wangge.chassis.logging import get_logger

log = get_logger(__name__)

#: Seconds that a set lives after its last change: past periods are seldom looked at.
LIFE_SECONDS = 7 * 86_400

#: Seconds for which Redis is left alone after it failed, so that its time-outs do not hold up the work.
REST_SECONDS = 5.0

#: Scores are kept in hundredths of a point: whole numbers, exact in a sorted set.
HUNDREDTHS = 100

#: The member that carries the version as a negative score; no person id holds this character.
VERSION = "#version"

REPLACE = """
local held = redis.call('ZSCORE', KEYS[1], ARGV[1])
if held and -tonumber(held) > tonumber(ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[1], -tonumber(ARGV[2]), ARGV[1])
for i = 4, #ARGV, 2 do redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
"""Take a whole set, unless a newer one is there."""

CHANGE = """
local held = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not held or -tonumber(held) ~= tonumber(ARGV[2]) - 1 then return 0 end
redis.call('ZADD', KEYS[1], -tonumber(ARGV[2]), ARGV[1])
for i = 4, #ARGV, 2 do redis.call('ZADD', KEYS[1], 'XX', ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
"""Take a change to the set of the version just before; exempt members are not in it and stay out."""


class SortedSets:
    """The boards in Redis of all sites."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._resting_until = 0.0

    def totals(self, site: str, period: str, version: int) -> list[tuple[str, Decimal]] | None:
        """The scores of a board, or None where Redis has not this version of it."""
        held = self._try(lambda: self._redis.zrange(_key(site, period), 0, -1, withscores=True))
        if not held or tuple(held[0]) != (VERSION, -float(version)):
            return None
        return [(person_id, Decimal(int(score)) / HUNDREDTHS) for person_id, score in held[1:]]

    def replace(self, site: str, period: str, version: int, totals: Iterable[tuple[str, Decimal]]) -> None:
        """Keep a whole board as the database had it at this version."""
        self._run(REPLACE, site, period, version, totals)

    def change(self, site: str, period: str, version: int, totals: Mapping[str, Decimal]) -> None:
        """Keep the new scores of some members, which made this version out of the one before."""
        self._run(CHANGE, site, period, version, totals.items())

    def _run(
        self, script: str, site: str, period: str, version: int, totals: Iterable[tuple[str, Decimal]]
    ) -> None:
        arguments: list[str | int] = [VERSION, version, LIFE_SECONDS]
        for person_id, total in totals:
            arguments += [int(total * HUNDREDTHS), person_id]
        self._try(lambda: self._redis.eval(script, 1, _key(site, period), *arguments))

    def _try(self, act: Callable[[], Any]) -> Any:
        if monotonic() < self._resting_until:
            return None
        try:
            return act()
        except RedisError as away:
            self._resting_until = monotonic() + REST_SECONDS
            log.warning("boards go without Redis", cause=str(away), seconds=REST_SECONDS)
            return None


@cache
def sorted_sets(redis: Redis) -> SortedSets:
    """The one instance of a process: it remembers when Redis failed."""
    return SortedSets(redis)


def _key(site: str, period: str) -> str:
    return f"points:board:{site}:{period}"
