"""Keeps the answer to a command under its `Idempotency-Key`, in the command's own transaction.

Guarantee: a request repeated with the same key gets the first answer and has no second effect, for as long as keys are
kept; one that comes while the first is still at work waits for it. The key belongs to who asked, the method and the path.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.dialects.postgresql import insert

from wangge.chassis.errors import Invalid, invalid
from wangge.chassis.tables import idempotency_key
from wangge.chassis.transaction import Transaction

#: Characters of a key.
MOST = 128


@dataclass(frozen=True, slots=True)
class Kept:
    """What was answered before."""

    status: int
    body: str


def claim(tx: Transaction, scope: str, key: str, raw: bytes) -> Kept | None:
    """Claim the key for a request with this body, or answer what was answered to it before.

    Raises `Invalid` for a key that is too long, or that was used with another body.
    """
    if len(key) > MOST:
        raise invalid([{"field": "Idempotency-Key", "message": f"at most {MOST} characters"}])
    digest = hashlib.sha256(raw).hexdigest()
    row = {"scope": scope, "key": key, "request_digest": digest}
    if tx.execute(insert(idempotency_key).values(row).on_conflict_do_nothing()).rowcount:
        return None
    kept = tx.execute(select(idempotency_key).where(*_is(scope, key))).one()
    if kept.request_digest != digest:
        raise Invalid(
            "idempotency.key_reused",
            "该 Idempotency-Key 已用于不同的内容",
            "this Idempotency-Key was used with another body",
        )
    return Kept(kept.status, kept.body)


def keep(tx: Transaction, scope: str, key: str, status: int, body: str) -> None:
    """Keep the answer under a key that this transaction has claimed."""
    tx.execute(update(idempotency_key).where(*_is(scope, key)).values(status=status, body=body))


def _is(scope: str, key: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return idempotency_key.c.scope == scope, idempotency_key.c.key == key
