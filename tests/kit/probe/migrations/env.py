from wangge.chassis.alembic_env import run

run()
