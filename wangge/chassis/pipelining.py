"""One database transaction whose statements travel together: a round trip costs more than most statements.

What needs no answer (`write`) goes with whatever is asked next, the beginning with the first statement, the commit with
the last ones. Guarantee: statements run in the order in which they were given, each with a snapshot of its own as ever,
and nothing after a failed one takes effect. Limit: a fault of what was only written is raised by the statement that it
travels with, the commit at the latest.

The driver runs in autocommit, so that it sends no `BEGIN` of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from time import monotonic
from typing import Any, cast

import psycopg2
from psycopg2 import extensions
from sqlalchemy import Connection, CursorResult, Engine, Executable, TextClause, event
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.exc import DBAPIError, DisconnectionError, InvalidatePoolError

from wangge.chassis.prepared import Prepared, statement_of

#: Seconds without use after which a connection is tried before it is given out: its server may have gone meanwhile.
UNTRIED_SECONDS = 1.0

_USED_AT = "wangge.used_at"

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class Rows(IteratorResult[Any]):
    """The answer of a textual statement: stands in for SQLAlchemy's `CursorResult` without what that costs."""

    def __init__(self, cursor: Any) -> None:
        has_rows = cursor.description is not None
        columns = _columns(tuple(column.name for column in cursor.description)) if has_rows else _NO_COLUMNS
        super().__init__(columns, iter(cursor.fetchall() if has_rows else ()))
        self.rowcount: int = cursor.rowcount


class Pipeline:
    """A transaction on one connection. It ends with `commit` or `roll_back`, once.

    Textual statements go to the driver directly; they are best constants, for each is compiled and prepared once. Any
    other goes SQLAlchemy's way, after what waits was sent. Without a `beginning`, every statement is a transaction of its
    own: for those that only look.
    """

    def __init__(self, connection: Connection, beginning: str = "BEGIN") -> None:
        self._connection = connection
        self._prepared = Prepared.on(connection)
        self._ahead: list[str] = []
        self._beginning = beginning
        self._is_open = False

    def execute(self, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]:
        """Run one SQLAlchemy Core statement, after all that was written before it."""
        if isinstance(statement, TextClause) and not isinstance(parameters, Sequence):
            self.write(statement, parameters)
            return cast("CursorResult[Any]", Rows(self._send(statement.text)))
        self._send()
        return self._connection.execute(statement, parameters)

    def write(self, statement: TextClause, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement whose answer nobody needs with the next one, unseen by the text of any error."""
        known = statement_of(statement, self._connection)
        with self._driver.cursor() as cursor:
            self._ahead.append(self._prepared.rendered(known, dict(parameters or {}), cursor.mogrify))

    def commit(self) -> None:
        """Make everything take effect. Raises what the driver raises; `RuntimeError` where a fault was swallowed."""
        if not self._is_open and not self._ahead:
            return
        self._ahead.append("COMMIT")
        status = self._send().statusmessage
        self._is_open = False
        if status != "COMMIT":
            raise RuntimeError(
                f"nothing was committed, the server said {status}: an earlier statement had failed"
            )

    def roll_back(self) -> None:
        """Undo everything; a connection that cannot is given up, which undoes it, too."""
        self._ahead.clear()
        self._prepared.dropped()
        if not self._is_open or self._connection.invalidated:
            return
        try:
            self._run(_joined("ROLLBACK", self._prepared.forgotten()))
        except Exception:  # the fault that led here matters more
            if not self._connection.invalidated:
                self._connection.invalidate()

    @property
    def _driver(self) -> Any:
        return self._connection.connection.driver_connection

    def _send(self, named: str = "") -> Any:
        """Send what waits at once; answers the cursor of the last one, whose text is `named` in an error."""
        ahead = self._ahead.copy()
        self._ahead.clear()
        if not self._is_open:
            ahead[:0] = filter(None, (self._prepared.forgotten(), self._beginning))
            self._is_open = bool(self._beginning)
        return self._run(_joined(*ahead), named) if ahead else None

    def _run(self, sql: str, named: str = "") -> Any:
        """Run it and answer the cursor. Raises as SQLAlchemy does, with `named` as the statement and no parameters."""
        driver = self._driver
        cursor = driver.cursor()
        try:
            cursor.execute(sql)
        except psycopg2.Error as error:
            self._prepared.failed()
            is_lost = self._connection.dialect.is_disconnect(error, driver, cursor)
            if is_lost:
                self._connection.invalidate(error)
            raise DBAPIError.instance(
                named, None, error, psycopg2.Error, connection_invalidated=is_lost
            ) from error
        except BaseException as deadline:
            self._connection.invalidate(deadline)  # the statement may still be running
            raise
        self._prepared.sent()
        return cursor


def _joined(*statements: str | None) -> str:
    return ";\n".join(filter(None, statements))


@lru_cache(maxsize=512)
def _columns(names: tuple[str, ...]) -> SimpleResultMetaData:
    return SimpleResultMetaData(names)


_NO_COLUMNS = SimpleResultMetaData(())


def try_before_use(engine: Engine) -> None:
    """Try connections that were not used for a while before they are given out."""
    event.listen(engine, "checkout", _try)
    event.listen(engine, "checkin", _used)
    event.listen(engine, "connect", _used)


def _try(driver_connection: Any, record: Any, _fairy: Any) -> None:
    """Raises `InvalidatePoolError` where the server does not answer: then all connections are made anew.

    One that is still in a transaction is made anew, too (`DisconnectionError`).
    """
    if driver_connection.info.transaction_status != extensions.TRANSACTION_STATUS_IDLE:
        raise DisconnectionError
    if monotonic() - record.info[_USED_AT] < UNTRIED_SECONDS:
        return
    try:
        with driver_connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as lost:
        raise InvalidatePoolError from lost


def _used(_driver_connection: Any, record: Any) -> None:
    record.info[_USED_AT] = monotonic()
