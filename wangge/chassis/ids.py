"""Makes identifiers: UUIDv7, so that ids sort by the moment they were made."""

import secrets
from datetime import datetime

from uuid_utils import uuid7


def new_id() -> str:
    """A new UUIDv7 in its usual text form (36 characters)."""
    return str(uuid7())


def earliest_id(at: datetime) -> str:
    """What every id made at this instant or later sorts behind, by the clock of the process that makes it."""
    milliseconds = f"{int(at.timestamp() * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"


def traceparent(parent: str | None) -> str:
    """A W3C traceparent: the parent's trace with a new span, or a new trace where there is none."""
    span = secrets.token_hex(8)
    if parent and parent.count("-") == 3:
        version, trace, _, flags = parent.split("-")
        return f"{version}-{trace}-{span}-{flags}"
    return f"00-{secrets.token_hex(16)}-{span}-01"
