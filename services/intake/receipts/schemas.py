"""How a receipt looks over HTTP and on the bus."""

from typing import Any

from marshmallow import Schema, fields

from services.intake.receipts.model import Receipt
from wangge.contracts.fields import WrongField


class ReceiptAnswer(Schema):
    """The answer to one message."""

    publisher = fields.String()
    message_id = fields.String()
    outcome = fields.String()
    report_code = fields.String()
    of = fields.String()
    errors = fields.List(fields.Nested(WrongField))
    code = fields.String()
    retry_at = fields.AwareDateTime()


def shown(receipt: Receipt) -> dict[str, Any]:
    """The receipt as fields; what it has not is left out."""
    fact: dict[str, Any] = {
        "publisher": receipt.publisher,
        "message_id": receipt.message_id,
        "outcome": receipt.outcome,
    }
    if receipt.report_code:
        fact["report_code"] = receipt.report_code
    if receipt.of:
        fact["of"] = receipt.of
    if receipt.errors:
        fact["errors"] = [{"field": field, "message": message} for field, message in receipt.errors]
    if receipt.code:
        fact["code"] = receipt.code
    if receipt.retry_at:
        fact["retry_at"] = receipt.retry_at
    return fact
