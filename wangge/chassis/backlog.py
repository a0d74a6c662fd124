"""Knows how many facts wait to be published and since when, and takes no new work over HTTP at the watermark.

Guarantee: a broker that is away for long cannot fill the database through this door; what was taken is kept and told.
Limit: measured each second, so the watermark may be passed by what arrives within one, and by a stream of lines that
began before; events from the bus are not refused, they end by themselves while the broker is away.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from wangge.chassis.database import Database
from wangge.chassis.errors import Backpressure
from wangge.chassis.faults import classify
from wangge.chassis.logging import get_logger
from wangge.chassis.tables import outbox

log = get_logger(__name__)

#: Seconds between measurements: one look at a partial index that is empty while all is well.
MEASURE_SECONDS = 1.0


class Backlog:
    """The unpublished facts of one service's database, as of the last measurement."""

    def __init__(self, database: Database, most_pending: int, most_seconds: float) -> None:
        self._database = database
        self._most_pending = most_pending
        self._most_seconds = most_seconds
        self.pending = 0
        self.oldest_seconds = 0.0

    def measure(self) -> None:
        """Count what waits, no further than the watermark; a database that is away leaves the last figures."""
        waiting = (
            select(outbox.c.created_at)
            .where(outbox.c.published_at.is_(None))
            .order_by(outbox.c.id)
            .limit(self._most_pending + 1)
            .subquery()
        )
        age = func.extract("epoch", func.clock_timestamp() - func.min(waiting.c.created_at))
        try:
            with self._database.look() as connection:
                query = select(func.count(), func.coalesce(age, 0)).select_from(waiting)
                found: Any = connection.execute(query).one()
        except Exception as error:
            log.info("backlog not measured", cause=str(classify(error)))
            return
        self.pending, self.oldest_seconds = int(found[0]), float(found[1])

    @property
    def trouble(self) -> str:
        """Why no new work is taken, in words; empty while there is room."""
        if self.pending <= self._most_pending and self.oldest_seconds <= self._most_seconds:
            return ""
        return f"backpressure: {self.pending} facts wait, the oldest for {self.oldest_seconds:.0f} s"

    def require_room(self) -> None:
        """Raise `Backpressure` at the watermark."""
        if self.trouble:
            raise Backpressure("backpressure", "系统积压过多，请稍后重试", f"{self.trouble}, try again later")
