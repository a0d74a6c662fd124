"""Reads what little may be readable of a message, so that its sender can be found and answered.

What is read here is claimed, not checked; the broker vouches for the login alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from wangge.chassis.delivery import Delivery

#: Characters of an id and of a source, by the envelope.
ID_CHARACTERS = 128
SOURCE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose message it says it is: the event's own id (else the delivery's key), its source and actor, or ''."""

    message_id: str
    source: str = ""
    actor: str = ""


def claim_of(delivery: Delivery) -> Claim:
    """What the body claims, as far as it can be read."""
    document = _document(delivery.body)
    return Claim(
        _text(document.get("id"), ID_CHARACTERS) or delivery.key,
        _text(document.get("source"), SOURCE_CHARACTERS),
        _text(document.get("actor"), ID_CHARACTERS),
    )


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(value: Any, most: int) -> str:
    # an id that no envelope could have is none: what it names would never be found again
    return value if isinstance(value, str) and 0 < len(value) <= most and "\x00" not in value else ""
