"""Keeps the schema of a service's database current, by Alembic migrations.

Guarantee: replicas may start together; each migration is applied once, in a transaction of its own. Alembic is loaded
only where there is something to apply: a serving process asks `is_at_head` and leaves the applying to a process that
ends afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, text

if TYPE_CHECKING:
    from alembic.config import Config

#: Any number, the same in all processes: serialises migrations of one database.
MIGRATION_LOCK = 7_203_001

CHASSIS_MIGRATIONS = Path(__file__).parent / "migrations"

_REVISION = re.compile(r"^(revision|down_revision)\b[^=]*= *(?:\"([^\"]+)\"|None)", re.MULTILINE)


def migrate(engine: Engine, locations: dict[str, Path]) -> None:
    """Bring the schema to its head, under an advisory lock.

    `locations` maps a version table to its folder of Alembic migrations; the chassis's own come first.
    """
    from alembic import command  # noqa: PLC0415 (8 MB that a serving process does not need)

    with engine.connect().execution_options(isolation_level="READ COMMITTED") as connection:
        connection.execute(text("SET statement_timeout = 0; SET lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()
        try:
            for version_table, location in _all(locations).items():
                command.upgrade(config_of(connection, version_table, location), "head")
                connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
            connection.execute(text("RESET statement_timeout; RESET lock_timeout"))
            connection.commit()


def is_at_head(engine: Engine, locations: dict[str, Path]) -> bool:
    """Whether every migration known to this process has been applied."""
    with engine.connect() as connection:
        return all(
            _applied(connection, version_table) == head_of(location)
            for version_table, location in _all(locations).items()
        )


def head_of(location: Path) -> str:
    """The revision after which no other comes. Raises `ValueError` unless there is exactly one."""
    stated = [dict(_stated(path)) for path in (location / "versions").glob("*.py")]
    heads = {one["revision"] for one in stated} - {one["down_revision"] for one in stated}
    if len(heads) != 1:
        raise ValueError(f"{location} has {len(heads)} heads: {sorted(map(str, heads))}")
    return str(heads.pop())


def config_of(connection: Connection, version_table: str, location: Path) -> Config:
    """What Alembic is told: the folder, and the connection to work on."""
    from alembic.config import Config  # noqa: PLC0415 (as in `migrate`)

    config = Config()
    config.set_main_option("script_location", str(location))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = version_table
    return config


def _stated(path: Path) -> Iterator[tuple[str, str | None]]:
    for match in _REVISION.finditer(path.read_text(encoding="utf-8")):
        yield match[1], match[2]


def _applied(connection: Connection, version_table: str) -> str | None:
    if connection.execute(text("SELECT to_regclass(:name)"), {"name": version_table}).scalar() is None:
        return None
    found = connection.execute(text(f"SELECT version_num FROM {version_table}"))  # noqa: S608 (our own table)
    return found.scalar()


def _all(locations: dict[str, Path]) -> dict[str, Path]:
    return {"chassis_version": CHASSIS_MIGRATIONS, **locations}
