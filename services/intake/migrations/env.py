"""Alembic's door to intake's tables."""

from wangge.chassis.alembic_env import run

run()
