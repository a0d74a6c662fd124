"""Decides what a member may redeem: the points they earned at any time, less what was taken.

The account may go below 0, the balance may not: what is missing is noted as the shortfall, and later points fill it
first. So taking an entry back undoes exactly what posting it did, in whichever order things happen.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from services.points.rule_sets.model import Part


class WalletReason(StrEnum):
    """Why an account moved."""

    ENTRY = "entry"
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True)
class WalletMove:
    """One movement to come: `ref` is the entry behind it."""

    person_id: str
    delta: Decimal
    reason: WalletReason
    ref: str


@dataclass(frozen=True, slots=True)
class WalletEntry:
    """One line of the ledger, never changed: what moved and how it stood then."""

    person_id: str
    delta: Decimal
    balance_after: Decimal
    shortfall_after: Decimal
    reason: WalletReason
    ref: str
    at: datetime


def earned(part: Part, counted: Decimal) -> Decimal:
    """What an entry moves when it is posted: a penalty lowers, everything else raises."""
    return part.sign * counted


def balance(account: Decimal) -> Decimal:
    """What may be redeemed of an account."""
    return max(Decimal(0), account)


def ledger(moves: list[WalletMove], account: Decimal, at: datetime) -> list[WalletEntry]:
    """The lines for one member's moves in order, which leave the account at `account`."""
    lines = []
    running = account - sum((move.delta for move in moves), Decimal(0))
    for move in moves:
        running += move.delta
        lines.append(
            WalletEntry(
                move.person_id, move.delta, balance(running), balance(-running), move.reason, move.ref, at
            )
        )
    return lines
