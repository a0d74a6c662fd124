"""Remembers the receipts: one for each message of a publisher."""

from typing import Any

from sqlalchemy import Column, DateTime, Index, Table, Text, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from services.intake.metadata import metadata
from services.intake.receipts.model import Outcome, Receipt
from wangge.chassis.transaction import Transaction

receipts = Table(
    "receipt",
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


def find(tx: Transaction, publisher: str, message_id: str) -> Receipt | None:
    """The receipt of a message."""
    query = select(receipts).where(receipts.c.publisher == publisher, receipts.c.message_id == message_id)
    row = tx.execute(query).mappings().first()
    return _receipt(row) if row else None


def put(tx: Transaction, receipt: Receipt) -> bool:
    """Write the receipt of a message; False when it has a final one already, which stays."""
    row = {
        "publisher": receipt.publisher,
        "message_id": receipt.message_id,
        "outcome": receipt.outcome,
        "report_code": receipt.report_code,
        "of": receipt.of,
        "errors": [list(error) for error in receipt.errors],
        "issued_at": tx.now,
    }
    statement = insert(receipts).values(row)
    key = ["publisher", "message_id"]
    given = {name: statement.excluded[name] for name in row if name not in key}
    statement = statement.on_conflict_do_update(
        index_elements=key, set_=given, where=receipts.c.outcome == Outcome.QUARANTINED
    )
    return tx.execute(statement).rowcount == 1


def _receipt(row: Any) -> Receipt:
    return Receipt(
        publisher=row["publisher"],
        message_id=row["message_id"],
        outcome=Outcome(row["outcome"]),
        report_code=row["report_code"],
        of=row["of"],
        errors=tuple((field, message) for field, message in row["errors"]),
    )
