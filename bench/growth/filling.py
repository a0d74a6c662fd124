"""Fills one service's database by SQL with what the service itself would have written, then gathers statistics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg2

SQL = Path(__file__).parent / "sql"

#: Days over which the cases are spread.
DAYS = 1095

SECONDARY = """
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind = 'r' AND NOT i.indisunique
"""


def fill(uri: str, service: str, cases: int, until: datetime) -> None:
    """Fill the database of `service` at this address (an administrator's) with the traces of `cases` cases."""
    with closing(psycopg2.connect(uri)) as connection:
        with connection, connection.cursor() as cursor:
            _settings(cursor, cases, until)
            with _without_indexes(cursor):
                cursor.execute((SQL / "common.sql").read_text(encoding="utf-8"))
                cursor.execute((SQL / f"{service}.sql").read_text(encoding="utf-8"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("DISCARD TEMP")
            cursor.execute("VACUUM (ANALYZE)")


def _settings(cursor: Any, cases: int, until: datetime) -> None:
    # foreign keys hold by construction; checking them row by row would take as long as the rows themselves
    for name, value in {
        "growth.cases": cases,
        "growth.until": until.isoformat(),
        "growth.days": DAYS,
        "timezone": "UTC",
        "session_replication_role": "replica",
        "synchronous_commit": "off",
        "work_mem": "256MB",
        "maintenance_work_mem": "512MB",
        "temp_buffers": "256MB",
    }.items():
        cursor.execute("SELECT set_config(%s, %s, false)", (name, str(value)))


@contextmanager
def _without_indexes(cursor: Any) -> Iterator[None]:
    cursor.execute(SECONDARY)
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    yield
    for _, definition in indexes:
        cursor.execute(definition)
