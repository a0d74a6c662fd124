"""The migrations make the tables that the nouns declare, and take them away again."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

import services.points.service  # noqa: F401 (every noun hangs its tables on the metadata)
from services.points.metadata import metadata
from wangge.chassis.database import connect
from wangge.chassis.schema import config_of, migrate

MIGRATIONS = Path(__file__).parents[3] / "services/points/migrations"


def is_ours(thing, name, kind, reflected, compared_to) -> bool:
    return kind != "table" or name in metadata.tables


def test_migrations_make_what_the_nouns_declare_and_go_back(database_uri):
    engine = connect(database_uri, 2)
    migrate(engine, {"alembic_version": MIGRATIONS})
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": is_ours})
        assert compare_metadata(context, metadata) == []
        command.downgrade(config_of(connection, "alembic_version", MIGRATIONS), "base")
        connection.commit()
        assert not set(inspect(connection).get_table_names()) & set(metadata.tables)
    engine.dispose()
