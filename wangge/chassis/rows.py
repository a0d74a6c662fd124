"""Writes many rows in one statement with one parameter, however many rows there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Table, TextClause, text


def insert_all(table: Table, columns: Sequence[str], tail: str = "") -> TextClause:
    """A statement that inserts the rows of the JSON list `:rows`; `tail` is for example an `ON CONFLICT` clause."""
    names = ", ".join(f'"{column}"' for column in columns)
    return text(
        f"INSERT INTO {table.name} ({names}) SELECT {names} "  # noqa: S608 (names of our own tables)
        f"FROM jsonb_populate_recordset(NULL::{table.name}, CAST(:rows AS jsonb)) {tail}"
    )


def as_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The parameter of `insert_all`."""
    return {"rows": orjson.dumps(rows).decode()}


def conflicting(table: Table) -> str:
    """A `tail` of `insert_all` that brings the row with the same key up to date."""
    keys = [column.name for column in table.primary_key]
    updated = ", ".join(f'"{one.name}" = excluded."{one.name}"' for one in table.c if one.name not in keys)
    return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {updated}"
