"""The schema that the migrations make is the one that the stores work with, and each can be taken back."""

from importlib import import_module
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect

import services.dispatch
from services.dispatch.metadata import metadata
from wangge.chassis import schema

MIGRATIONS = {"alembic_version": Path(services.dispatch.__file__).parent / "migrations"}


def test_migrations_make_what_the_stores_expect_and_go_back(database_uri):
    import_module("services.dispatch.service")  # every store adds its tables
    engine = create_engine(database_uri)
    schema.migrate(engine, MIGRATIONS)
    with engine.connect() as connection:
        options = {"include_object": lambda thing, name, kind, *_: kind != "table" or name in metadata.tables}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        connection.rollback()
        config = schema.config_of(connection, "alembic_version", MIGRATIONS["alembic_version"])
        command.downgrade(config, "base")
        connection.commit()
    assert not set(inspect(engine).get_table_names()) & set(metadata.tables)
    schema.migrate(engine, MIGRATIONS)
    assert set(metadata.tables) <= set(inspect(engine).get_table_names())
    engine.dispose()
