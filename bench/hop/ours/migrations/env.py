"""Alembic's entry: the chassis runs it."""

from wangge.chassis.alembic_env import run

run()
