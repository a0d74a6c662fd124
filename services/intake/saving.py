"""Writes many rows in one statement, and says what lies in an area."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Table, TextClause, false, or_, text
from sqlalchemy.dialects.postgresql import insert

from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area, Level


def save(tx: Transaction, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Make `table` hold exactly these values under their primary keys."""
    if not rows:
        return
    statement = insert(table).values(list(rows))
    key = [column.name for column in table.primary_key]
    given = {name: statement.excluded[name] for name in rows[0] if name not in key}
    tx.execute(statement.on_conflict_do_update(index_elements=key, set_=given))


def insert_all(table: Table, columns: Sequence[str], tail: str) -> TextClause:
    """A statement that inserts the rows of the JSON list `:rows`: one parameter, however many rows."""
    names = ", ".join(f'"{column}"' for column in columns)
    return text(
        f"INSERT INTO {table.name} ({names}) SELECT {names} "  # noqa: S608 (names of our own tables)
        f"FROM jsonb_populate_recordset(NULL::{table.name}, CAST(:rows AS jsonb)) {tail}"
    )


def as_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The parameter of `insert_all`."""
    return {"rows": orjson.dumps(rows).decode()}


def within(column: ColumnElement[str], areas: Sequence[Area]) -> ColumnElement[bool]:
    """Whether the area code in `column` lies in one of `areas`; with none of them nothing does."""
    return or_(*(column.startswith(_inside(area), autoescape=True) for area in areas), false())


def _inside(area: Area) -> str:
    # a grid's own code ends in micro-grid 00; its micro-grids share the digits before
    return area.code[:15] if area.level is Level.GRID else area.code
