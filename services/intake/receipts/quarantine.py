"""Reads what little may be readable of a message that could not be processed, so that its sender can be answered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from wangge.chassis.delivery import Delivery
from wangge.chassis.errors import Permanent

#: Characters of a receipt's fields, by its contract.
ID_CHARACTERS = 128
LOGIN_CHARACTERS = 64
FIELD_CHARACTERS = 200
MESSAGE_CHARACTERS = 1000
SOURCE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Sender:
    """Which message, and which source it claims."""

    message_id: str
    source: str


def sender_of(delivery: Delivery) -> Sender:
    """The event's own id and source where they can be read, else the delivery's key and no source."""
    try:
        document = orjson.loads(delivery.body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        document = {}
    return Sender(
        _text(document.get("id"), ID_CHARACTERS) or delivery.key,
        _text(document.get("source"), SOURCE_CHARACTERS),
    )


def errors_of(fault: Permanent) -> tuple[tuple[str, str], ...]:
    """Every wrong field, for the sender; of our own bugs only that there is one."""
    if not fault.errors:
        is_ours = fault.code.startswith(("bug.", "database.", "contract.", "seal."))
        return (("body", "internal error, kept for an operator" if is_ours else fault.message or fault.code),)
    return tuple(_cut(fault.errors))


def _cut(errors: Iterable[Any]) -> Iterable[tuple[str, str]]:
    for error in errors:
        yield error["field"][:FIELD_CHARACTERS] or "body", error["message"][:MESSAGE_CHARACTERS] or "wrong"


def _text(value: Any, most: int) -> str:
    # an id that no envelope could have is none: what it names would never be found again
    return value if isinstance(value, str) and 0 < len(value) <= most and "\x00" not in value else ""
