"""Runs Alembic on the connection that `wangge.chassis.schema.migrate` holds; every env.py calls it."""

from alembic import context


def run() -> None:
    """Apply migrations on the given connection, each in the caller's transaction."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"],
        version_table=attributes["version_table"],
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
