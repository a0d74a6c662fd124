"""Logs one JSON object a line: a constant phrase plus fields, with ids and never people.

Fields bound with `bound(...)` (correlation_id, message_id) are on every line written inside it.
"""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager
from typing import Any

import structlog
from structlog.contextvars import bound_contextvars


def configure(service: str, cell: str, level: str) -> None:
    """Set up this process's log on standard error; each line names service and cell. `level` is a name such as `info`."""

    def name_process(logger: Any, method: str, fields: dict[str, Any]) -> dict[str, Any]:
        return {"service": service, "cell": cell, **fields}

    shared: list[Any] = [
        name_process,  # not by a context variable: greenlets have contexts of their own
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.EventRenamer("message"),
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("amqp", "kombu", "alembic", "urllib3", "nameko"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for the module `name`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def bound(**fields: Any) -> AbstractContextManager[None]:
    """Put `fields` on every line logged inside the block; None is left out."""
    return bound_contextvars(**{name: value for name, value in fields.items() if value is not None})
