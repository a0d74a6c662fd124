"""One database transaction whose statements travel together: a round trip costs more than most statements.

What needs no answer (`write`) goes with whatever is asked next, the beginning with the first statement, the commit with
the last ones. Guarantee: statements run in the order in which they were given, each with a snapshot of its own as ever,
and nothing after a failed one takes effect. Limit: a fault of what was only written is raised by the statement that it
travels with, the commit at the latest.

The driver runs in autocommit, so that it sends no `BEGIN` of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from psycopg2 import extensions
from sqlalchemy import Connection, CursorResult, Engine, Executable, TextClause, event
from sqlalchemy.exc import DisconnectionError, InvalidatePoolError

#: Seconds without use after which a connection is tried before it is given out: its server may have gone meanwhile.
UNTRIED_SECONDS = 1.0

_AHEAD = "wangge.ahead"
_USED_AT = "wangge.used_at"

_compiled: WeakKeyDictionary[TextClause, str] = WeakKeyDictionary()

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class Pipeline:
    """A transaction on one connection. It ends with `commit` or `roll_back`, once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ahead = ["BEGIN"]
        self._is_open = False

    def execute(self, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]:
        """Run one SQLAlchemy Core statement, after all that was written before it."""
        if isinstance(parameters, Sequence):
            self._send()  # the rows of such a statement may go in several batches
        self._hand_over()
        return self._connection.execute(statement, parameters)

    def write(self, statement: TextClause, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement whose answer nobody needs with the next one. It is best a constant: it is compiled once."""
        sql = _compiled.get(statement)
        if sql is None:
            sql = _compiled[statement] = str(statement.compile(self._connection))
        cursor: Any = self._connection.connection.cursor()
        self._ahead.append(cursor.mogrify(sql, dict(parameters or {})).decode())
        cursor.close()

    def commit(self) -> None:
        """Make everything take effect. Raises what the driver raises; `RuntimeError` where a fault was swallowed."""
        if not self._is_open and self._ahead == ["BEGIN"]:
            return
        self._ahead.append("COMMIT")
        status = self._send()
        self._is_open = False
        if status != "COMMIT":
            raise RuntimeError(
                f"nothing was committed, the server said {status}: an earlier statement had failed"
            )

    def roll_back(self) -> None:
        """Undo everything; a connection that cannot is given up, which undoes it, too."""
        self._ahead.clear()
        if not self._is_open or self._connection.invalidated:
            return
        self._connection.info.pop(_AHEAD, None)
        try:
            self._connection.exec_driver_sql("ROLLBACK")
        except Exception:  # the fault that led here matters more
            self._connection.invalidate()

    def _hand_over(self) -> None:
        """Let what waits travel with the next statement."""
        if self._ahead:
            self._connection.info[_AHEAD] = ";\n".join(self._ahead)
            self._ahead.clear()
            self._is_open = True

    def _send(self) -> str:
        """Send what waits at once; answers what the server says of the last one."""
        if not self._ahead:
            return ""
        sql = ";\n".join(self._ahead)
        self._ahead.clear()
        self._is_open = True
        result = self._connection.exec_driver_sql(sql.replace("%", "%%"))
        return str(result.context.cursor.statusmessage)


def install(engine: Engine) -> None:
    """Make the engine's connections fit for pipelines, and try those that were not used for a while."""
    event.listen(engine, "before_cursor_execute", _travel_with, retval=True)
    event.listen(engine, "checkout", _try)
    event.listen(engine, "checkin", _used)
    event.listen(engine, "connect", _used)


def _travel_with(
    connection: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    ahead = connection.info.pop(_AHEAD, None)
    return (f"{ahead.replace('%', '%%')};\n{statement}" if ahead else statement), parameters


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
