"""Alembic's door to the chassis tables."""

from wangge.chassis.alembic_env import run

run()
