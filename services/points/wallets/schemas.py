"""The wire format of wallets."""

from marshmallow import fields

from services.points.fields import PointsField
from wangge.contracts.fields import Contract


class WalletEntryAnswer(Contract):
    """A line of the ledger."""

    delta = PointsField()
    balance_after = PointsField(metadata={"description": "what may be redeemed; never below 0"})
    shortfall_after = PointsField(metadata={"description": "what later points fill first"})
    reason = fields.String()
    ref = fields.String(metadata={"description": "the entry behind it"})
    at = fields.AwareDateTime()


class WalletPage(Contract):
    """A page of the ledger, the newest first."""

    items = fields.List(fields.Nested(WalletEntryAnswer))
    next_cursor = fields.String(allow_none=True)
