"""Keeps a site's boards in Redis, one sorted set a period, so that a page of one is read and nothing else.

Guarantee: a set is shown only while the version it carries is the board's version in the database, so a flush, a
restart, an eviction, a lost update or two updates in the wrong order make it unused, never wrong; the next reader
makes it anew, from the whole board. Limit: without Redis every board is read whole from the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import cache
from time import monotonic
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from services.points.boards.model import FLOORS, MemberBand, Part, Version, placed
from wangge.chassis.logging import get_logger

log = get_logger(__name__)

#: Seconds that a set lives after its last change: past periods are seldom looked at.
LIFE_SECONDS = 7 * 86_400

#: Seconds for which Redis is left alone after it failed, so that its time-outs do not hold up the work.
REST_SECONDS = 5.0

#: Scores are kept in hundredths of a point: whole numbers, exact in a sorted set.
HUNDREDTHS = 100

#: Begins the member that carries the version; no person id holds this character.
VERSION = "#"

#: The score of that member: behind all others, whose scores are negative, so that the highest total comes first.
LAST = 1

REPLACE = """
local marker = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[4], ARGV[4])[1]
if marker then
  local site, board = string.match(marker, '(%d+)%.(%d+)')
  site, board = tonumber(site), tonumber(board)
  if site > tonumber(ARGV[1]) or (site == tonumber(ARGV[1]) and board > tonumber(ARGV[2])) then return 0 end
end
redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[1], ARGV[4], '#' .. ARGV[1] .. '.' .. ARGV[2])
for i = 5, #ARGV, 2 do redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
"""Take a whole set, unless a newer one is there."""

CHANGE = """
if redis.call('ZREM', KEYS[1], '#' .. ARGV[1] .. '.' .. (ARGV[2] - 1)) == 0 then return 0 end
redis.call('ZADD', KEYS[1], ARGV[4], '#' .. ARGV[1] .. '.' .. ARGV[2])
for i = 5, #ARGV, 2 do redis.call('ZADD', KEYS[1], 'XX', ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
"""Take a change to the set of the version just before; exempt members are not in it and stay out."""

PART = """
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return false end
local first = 0
if ARGV[3] ~= '' then
  -- nobody has this id, which stands right behind the one in the cursor
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[4] .. '#')
  first = redis.call('ZRANK', KEYS[1], ARGV[4] .. '#')
  redis.call('ZREM', KEYS[1], ARGV[4] .. '#')
end
local found = redis.call('ZRANGE', KEYS[1], first, first + ARGV[2] - 1, 'WITHSCORES')
local better = found[2] and redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. found[2]) or 0
local bands, above = {}, '-inf'
for i = 5, #ARGV do
  table.insert(bands, redis.call('ZCOUNT', KEYS[1], above, ARGV[i]))
  above = '(' .. ARGV[i]
end
return {first, better, bands, found}
"""
"""Some who follow one another with the place of the first and how many are better, and the count of each colour."""


class SortedSets:
    """The boards in Redis of all sites."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._resting_until = 0.0

    def part(
        self, site: str, period: str, version: Version, after: tuple[Decimal, str] | None, limit: int
    ) -> Part | None:
        """Up to `limit` standings behind `after`, or None where Redis has not this version of the board."""
        behind = (_score(after[0]), after[1]) if after else ("", "")
        floors = [_score(floor) for _, floor in FLOORS]
        arguments = [f"{VERSION}{version.site}.{version.board}", limit, *behind, *floors, 0]
        read = self._try(lambda: self._redis.eval(PART, 1, _key(site, period), *arguments))
        if not read:
            return None
        first, better, bands, flat = read
        totals = [
            (person_id, Decimal(-int(score)) / HUNDREDTHS)
            for person_id, score in zip(flat[::2], flat[1::2], strict=True)
            if not person_id.startswith(VERSION)
        ]
        counts = {band.value: count for band, count in zip(MemberBand, bands, strict=True)}
        return Part(placed(totals, first + 1, better + 1), counts)

    def replace(
        self, site: str, period: str, version: Version, totals: Iterable[tuple[str, Decimal]]
    ) -> None:
        """Keep a whole board as the database had it at this version."""
        self._run(REPLACE, site, period, version, totals)

    def change(self, site: str, period: str, version: Version, totals: Mapping[str, Decimal]) -> None:
        """Keep the new scores of some members, which made this version out of the one before."""
        self._run(CHANGE, site, period, version, totals.items())

    def _run(
        self, script: str, site: str, period: str, version: Version, totals: Iterable[tuple[str, Decimal]]
    ) -> None:
        arguments: list[str | int] = [version.site, version.board, LIFE_SECONDS, LAST]
        for person_id, total in totals:
            arguments += [_score(total), person_id]
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


def _score(total: Decimal) -> int:
    return -int(total * HUNDREDTHS)


def _key(site: str, period: str) -> str:
    return f"points:ranking:{site}:{period}"
