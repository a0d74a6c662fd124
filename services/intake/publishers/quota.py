"""Counts the messages of a publisher that were taken in a day, in the transaction that takes them.

Guarantee: with any number of processes no more than the quota is taken in a day; nothing is counted that was rolled
back, and nothing twice. Nobody waits for more of another's transaction than its commit: of two that take the last places
at the same time the second is rolled back, tried again, and then finds none. Limit: what cannot be refused any more
(junk that is in quarantine already) is counted beyond it, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from weakref import WeakKeyDictionary

from sqlalchemy import BigInteger, Column, Date, Table, Text, select, text

from services.intake.metadata import metadata
from services.intake.publishers.model import Publisher, day_of
from wangge.chassis.errors import Temporary
from wangge.chassis.transaction import Transaction

publisher_days = Table(
    "publisher_days",
    metadata,
    Column("publisher", Text, primary_key=True),
    Column("day", Date, primary_key=True, comment="in Asia/Shanghai"),
    Column("taken", BigInteger, nullable=False),
)

_ADD = text(
    "INSERT INTO publisher_days (publisher, day, taken) SELECT counted.publisher, :day, counted.number "
    "FROM unnest(CAST(:logins AS text[]), CAST(:numbers AS bigint[])) AS counted (publisher, number) "
    "ON CONFLICT (publisher, day) DO UPDATE SET taken = publisher_days.taken + excluded.taken "
    "RETURNING publisher, taken"
)


@dataclass(slots=True)
class Counting:
    """What one transaction counts: how much room each publisher had at its beginning, and what it has taken since."""

    day: date
    room: dict[str, int] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)
    bounds: dict[str, int] = field(default_factory=dict)


_counting: WeakKeyDictionary[Transaction, Counting] = WeakKeyDictionary()

_seen: dict[tuple[str, date], int] = {}
"""What this process last saw taken: a hint, by which most transactions need not ask."""


def has_room(tx: Transaction, publisher: Publisher) -> bool:
    """Whether one more message of the publisher may be taken today."""
    most = publisher.limits.quota_per_day
    if most is None:
        return True
    counting = _of(tx)
    if publisher.login not in counting.room:
        counting.room[publisher.login] = most - _before(tx, publisher.login, counting.day, most)
    return counting.taken[publisher.login] < counting.room[publisher.login]


def _before(tx: Transaction, login: str, day: date, most: int) -> int:
    """How many were taken before: what this process last saw will do while there is room, for the end decides."""
    known = _seen.get((login, day))
    if known is not None and known < most:
        return known
    return taken(tx, [login], day).get(login, 0)


def count(tx: Transaction, publisher: Publisher, *, is_bound: bool = True) -> None:
    """Count one message at the end of the transaction.

    Raises `Temporary` then, when others have used the quota up meanwhile: tried again, there is no room. Not where it
    `is_bound` no more: it is in quarantine already.
    """
    most = publisher.limits.quota_per_day
    if most is None:
        return
    counting = _of(tx)
    counting.taken[publisher.login] += 1
    if is_bound:
        counting.bounds[publisher.login] = most


def taken(tx: Transaction, logins: Collection[str], day: date) -> dict[str, int]:
    """How many messages of these publishers were taken on a day."""
    columns = publisher_days.c
    rows = tx.execute(
        select(columns.publisher, columns.taken).where(columns.publisher.in_(logins), columns.day == day)
    )
    found = {row.publisher: row.taken for row in rows}
    _seen.update({(login, day): number for login, number in found.items()})
    return found


def seen(login: str, day: date) -> int:
    """How many this process last saw taken; the whole quota where it met its end and has not asked since."""
    return _seen.get((login, day), 0)


def _of(tx: Transaction) -> Counting:
    if tx not in _counting:
        _counting[tx] = Counting(day_of(tx.now))
        tx.at_last(lambda: _write(tx, _counting.pop(tx)))
    return _counting[tx]


def _write(tx: Transaction, counting: Counting) -> None:
    logins = sorted(login for login, number in counting.taken.items() if number)
    if not logins:
        return
    numbers = [counting.taken[login] for login in logins]
    for row in tx.execute(_ADD, {"day": counting.day, "logins": logins, "numbers": numbers}):
        most = counting.bounds.get(row.publisher, row.taken)
        if row.taken > most:
            _remember(row.publisher, counting.day, most)  # the next one asks
            raise Temporary(f"the day's quota of {row.publisher} was used up meanwhile")
        _remember(row.publisher, counting.day, row.taken)


def _remember(login: str, day: date, number: int) -> None:
    if (login, day) not in _seen:
        for known in [key for key in _seen if key[1] != day]:
            del _seen[known]  # a day that is over is asked for no more
    _seen[login, day] = number
