"""Says to a sender what was wrong with a message, within what a receipt holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wangge.chassis.errors import Permanent

INCIDENTS = "incidents"
"""The exchange on which publishers write."""

REPORTED = "incident.reported.v1"
"""The one type of event that they write."""

#: Characters of a receipt's fields, by its contract.
LOGIN_CHARACTERS = 64
FIELD_CHARACTERS = 200
MESSAGE_CHARACTERS = 1000


def errors_of(fault: Permanent) -> tuple[tuple[str, str], ...]:
    """Every wrong field, for the sender; of our own bugs only that there is one."""
    if not fault.errors:
        is_ours = fault.code.startswith(("bug.", "database.", "contract.", "seal."))
        return (("body", "internal error, kept for an operator" if is_ours else fault.message or fault.code),)
    return tuple(_cut(fault.errors))


def _cut(errors: Iterable[Any]) -> Iterable[tuple[str, str]]:
    for error in errors:
        yield error["field"][:FIELD_CHARACTERS] or "body", error["message"][:MESSAGE_CHARACTERS] or "wrong"
