"""Alembic's entry into notify's migrations."""

from wangge.chassis.alembic_env import run

run()
