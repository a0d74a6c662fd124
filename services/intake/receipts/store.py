"""Remembers the receipts: one for each message of a publisher."""

from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Column, DateTime, Index, Table, Text, bindparam, select
from sqlalchemy.dialects.postgresql import JSONB

from services.intake.metadata import metadata
from services.intake.receipts.model import Outcome, Receipt
from wangge.chassis.errors import Temporary
from wangge.chassis.rows import as_rows, insert_all
from wangge.chassis.transaction import Transaction

receipts = Table(
    "receipts",
    metadata,
    Column("publisher", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("report_code", Text),
    Column("of", Text),
    Column("errors", JSONB, nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Index("receipt_issued", "publisher", "issued_at"),
)


COLUMNS = [column.name for column in receipts.c]

_FIND = select(receipts).where(
    receipts.c.publisher == bindparam("login"), receipts.c.message_id == bindparam("id")
)

#: A final receipt stays; one of a quarantined message gives way.
_PUT = insert_all(
    receipts,
    COLUMNS,
    "ON CONFLICT (publisher, message_id) DO UPDATE SET "
    + ", ".join(
        f'"{name}" = excluded."{name}"' for name in COLUMNS if name not in receipts.primary_key.columns
    )
    + " WHERE receipts.outcome = 'quarantined'",
)

_waiting: WeakKeyDictionary[Transaction, dict[tuple[str, str], Receipt]] = WeakKeyDictionary()
"""Receipts that are written at the end of their transaction, all in one statement."""


def find(tx: Transaction, publisher: str, message_id: str) -> Receipt | None:
    """The receipt of a message."""
    waiting = _waiting.get(tx, {}).get((publisher, message_id))
    if waiting:
        return waiting
    row = tx.execute(_FIND, {"login": publisher, "id": message_id}).mappings().first()
    return _receipt(row) if row else None


def add(tx: Transaction, receipt: Receipt) -> None:
    """Write the receipt of a message that was taken, at the end of the transaction.

    Raises `Temporary` then, when another transaction answered the same message meanwhile: tried again, it is known.
    """
    if tx not in _waiting:
        _waiting[tx] = {}
        tx.before_commit(lambda: _write_waiting(tx))
    _waiting[tx][receipt.publisher, receipt.message_id] = receipt


def put(tx: Transaction, receipt: Receipt) -> None:
    """Write a receipt now, unless the message has a final one already."""
    tx.execute(_PUT, as_rows([_row(receipt, tx)]))


def _write_waiting(tx: Transaction) -> None:
    waiting = _waiting.pop(tx)
    written = tx.execute(_PUT, as_rows([_row(receipt, tx) for receipt in waiting.values()])).rowcount
    if written < len(waiting):
        raise Temporary("the same message was answered meanwhile")


def _row(receipt: Receipt, tx: Transaction) -> dict[str, Any]:
    return {
        "publisher": receipt.publisher,
        "message_id": receipt.message_id,
        "outcome": receipt.outcome,
        "report_code": receipt.report_code,
        "of": receipt.of,
        "errors": receipt.errors,
        "issued_at": tx.now,
    }


def _receipt(row: Any) -> Receipt:
    return Receipt(
        publisher=row["publisher"],
        message_id=row["message_id"],
        outcome=Outcome(row["outcome"]),
        report_code=row["report_code"],
        of=row["of"],
        errors=tuple((field, message) for field, message in row["errors"]),
    )
