from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.points.rule_sets.model import Part
from services.points.wallets.model import WalletMove, WalletReason, balance, earned, ledger

NOW = datetime(2025, 9, 14, tzinfo=UTC)

deltas = st.lists(st.decimals(-20, 20, places=2), min_size=1, max_size=12)


def moves(amounts: list[Decimal]) -> list[WalletMove]:
    return [WalletMove("ann", amount, WalletReason.ENTRY, "e") for amount in amounts]


def test_penalties_lower_and_all_else_raises():
    assert [earned(part, Decimal(5)) for part in Part] == [Decimal(5), Decimal(5), Decimal(-5)]


def test_balance_does_not_fall_below_0_and_the_shortfall_is_noted():
    lines = ledger(moves([Decimal(4), Decimal(-10), Decimal(2), Decimal(7)]), Decimal(3), NOW)
    assert [(line.balance_after, line.shortfall_after) for line in lines] == [
        (Decimal(4), Decimal(0)),
        (Decimal(0), Decimal(6)),
        (Decimal(0), Decimal(4)),
        (Decimal(3), Decimal(0)),
    ]


@given(deltas, st.decimals(-50, 50, places=2))
def test_ledger_ends_where_the_account_stands(amounts, before):
    account = before + sum(amounts)
    last = ledger(moves(amounts), account, NOW)[-1]
    assert last.balance_after - last.shortfall_after == account
    assert last.balance_after == balance(account)


@given(deltas, st.randoms())
def test_posting_and_taking_back_in_any_order_leaves_the_account_where_it_was(amounts, chance):
    both = [*amounts, *(-amount for amount in amounts)]
    chance.shuffle(both)
    last = ledger(moves(both), sum(both, Decimal(0)), NOW)[-1]
    assert (last.balance_after, last.shortfall_after) == (Decimal(0), Decimal(0))
