"""Tells publishers what became of their messages: on the exchange `receipts`, each under its login."""

from services.intake.receipts.model import Receipt
from services.intake.receipts.schemas import shown
from wangge.chassis.transaction import Transaction


def tell(tx: Transaction, receipt: Receipt) -> None:
    """Publish a receipt to its publisher."""
    tx.record("receipt.issued.v1", shown(receipt), routing_key=receipt.publisher)
