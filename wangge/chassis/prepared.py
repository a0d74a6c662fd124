"""Statements that a connection's server process has planned once: planning most of ours costs more than running them.

A constant text is sent as it is the first time, and from the second time on prepared once on each connection, under a
name, and run by it. After the fifth time PostgreSQL takes one plan for all values, where it expects that to cost no more.
Limits: a text that is made anew for each use is never prepared; one with several statements, or with any other than a
query or a change of rows, neither. Every parameter needs a type that the server can see, as in `CAST(:ids AS text[])`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, TextClause

#: Uses of a text in this process after which it is prepared.
PLAIN_USES = 1

_INFO = "wangge.prepared"

_CAN_BE_PREPARED = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b[^;]*", re.IGNORECASE)

#: As SQLAlchemy writes for psycopg2: a parameter, or a percent sign.
_PARAMETER = re.compile(r"%\((\w+)\)s|%%")


Mogrify = Callable[[str, Any], bytes]
"""Puts values in: the method of that name of a psycopg2 cursor."""


class Statement:
    """A constant text in the words of the driver, and in those of `PREPARE`."""

    def __init__(self, compiled: str) -> None:
        self._compiled = compiled
        self.can_be_prepared = _CAN_BE_PREPARED.fullmatch(compiled) is not None
        names = dict.fromkeys(name for name in _PARAMETER.findall(compiled) if name)
        numbers = {name: f"${number}" for number, name in enumerate(names, 1)}
        self.numbered = _PARAMETER.sub(lambda found: numbers[found[1]] if found[1] else "%", compiled)
        self._arguments = f"({', '.join(f'%({name})s' for name in names)})" if names else ""
        self.uses = 0

    def plain(self, values: Mapping[str, Any], mogrify: Mogrify) -> str:
        """The whole statement with its values."""
        return mogrify(self._compiled, values).decode()

    def execution(self, name: str, values: Mapping[str, Any], mogrify: Mogrify) -> str:
        """What runs it with these values where it is prepared under `name`."""
        return mogrify(f"EXECUTE {name}{self._arguments}", values).decode()


class Prepared:
    """What one connection has prepared. What was never sent, or sent and failed, counts as not prepared."""

    def __init__(self) -> None:
        self._names: dict[Statement, str] = {}
        self._unsent: list[Statement] = []
        self._number = 0
        self._is_sure = True

    @staticmethod
    def on(connection: Connection) -> Prepared:
        """That of a connection to the server, for as long as it lives."""
        found: Prepared = connection.info.setdefault(_INFO, Prepared())
        return found

    def rendered(self, statement: Statement, values: Mapping[str, Any], mogrify: Mogrify) -> str:
        """The statement with its values, ready to be sent."""
        statement.uses += 1
        if not statement.can_be_prepared or statement.uses <= PLAIN_USES:
            return statement.plain(values, mogrify)
        name = self._names.get(statement)
        if name is not None:
            return statement.execution(name, values, mogrify)
        self._number += 1
        name = f"w{self._number}"
        run = statement.execution(name, values, mogrify)
        self._names[statement] = name
        self._unsent.append(statement)
        return f"PREPARE {name} AS {statement.numbered};\n{run}"

    def sent(self) -> None:
        """Everything rendered so far was sent and run."""
        self._unsent.clear()

    def dropped(self) -> None:
        """What was rendered and not sent will not be."""
        for statement in self._unsent:
            del self._names[statement]
        self._unsent.clear()

    def failed(self) -> None:
        """Something that was sent failed: what is prepared now is not known."""
        self._names.clear()
        self._unsent.clear()
        self._is_sure = False

    def forgotten(self) -> str | None:
        """What makes the server forget everything, where that is needed; to be sent outside a failed transaction."""
        if self._is_sure:
            return None
        self._is_sure = True
        return "DEALLOCATE ALL"


def statement_of(text: TextClause, connection: Connection) -> Statement:
    """The statement of a text, made once."""
    found = _statements.get(text)
    if found is None:
        found = _statements[text] = Statement(str(text.compile(connection)))
    return found


_statements: WeakKeyDictionary[TextClause, Statement] = WeakKeyDictionary()
