"""Makes identifiers: UUIDv7, so that ids sort by the moment they were made."""

import secrets

from uuid_utils import uuid7


def new_id() -> str:
    """A new UUIDv7 in its usual text form (36 characters)."""
    return str(uuid7())


def traceparent(parent: str | None) -> str:
    """A W3C traceparent: the parent's trace with a new span, or a new trace where there is none."""
    span = secrets.token_hex(8)
    if parent and parent.count("-") == 3:
        version, trace, _, flags = parent.split("-")
        return f"{version}-{trace}-{span}-{flags}"
    return f"00-{secrets.token_hex(16)}-{span}-01"
