"""The schema goes forward and back, and is what the tables in the code say."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from services.notify import service  # noqa: F401 (fills the metadata)
from services.notify.metadata import metadata

MIGRATIONS = "services/notify/migrations"


def config(connection):
    made = Config()
    made.set_main_option("script_location", MIGRATIONS)
    made.attributes.update(connection=connection, version_table="alembic_version")
    return made


def test_migrations_go_to_the_tables_of_the_code_and_back_to_nothing(database_uri):
    engine = create_engine(database_uri)
    with engine.connect() as connection:
        command.upgrade(config(connection), "head")
        connection.commit()
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        command.downgrade(config(connection), "base")
        connection.commit()
        assert inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()
