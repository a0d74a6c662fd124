"""Starts private servers for a measurement, and takes them away with all their data."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wangge.cli.local import LocalSystem, debian


@contextmanager
def servers(services: Sequence[str] = ()) -> Iterator[LocalSystem]:
    """PostgreSQL, RabbitMQ and Redis under a directory of their own; `services` are not started yet."""
    debian.install_missing()
    directory = Path(tempfile.mkdtemp(prefix="wangge-bench-"))
    directory.chmod(0o711)  # PostgreSQL's own user must pass through
    system = LocalSystem(directory, services=services)
    try:
        system.start_servers()
        yield system
    finally:
        system.erase()
