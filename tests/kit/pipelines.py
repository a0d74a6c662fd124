"""Transactions of a database's own pipeline, begun and ended as `Database` does it."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from wangge.chassis.pipelining import Pipeline


@contextmanager
def pipeline(engine: Engine, beginning: str = "BEGIN") -> Iterator[Pipeline]:
    """One on a connection of the engine: committed when the block ends, rolled back when it raises."""
    with engine.connect() as connection:
        made = Pipeline(connection, beginning)
        try:
            yield made
            made.commit()
        except BaseException:
            made.roll_back()
            raise
