"""Remembers the accounts and their ledger, to which lines are only appended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Identity, Index, Numeric, Table, Text, select
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.postgresql import insert

from services.points.metadata import metadata
from services.points.wallets.model import WalletMove, balance, ledger
from wangge.chassis.transaction import Transaction

wallets = Table(
    "wallets",
    metadata,
    Column("person_id", Text, ForeignKey("members.person_id"), primary_key=True),
    Column("account", Numeric(12, 2), nullable=False),
)

lines = Table(
    "wallet_entries",
    metadata,
    Column("line", BigInteger, Identity(), primary_key=True),
    Column("person_id", Text, ForeignKey("members.person_id"), nullable=False),
    Column("delta", Numeric(8, 2), nullable=False),
    Column("balance_after", Numeric(12, 2), nullable=False),
    Column("shortfall_after", Numeric(12, 2), nullable=False),
    Column("reason", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("wallet_entry_person", "person_id", "line"),
)


def move(tx: Transaction, moves: Sequence[WalletMove]) -> None:
    """Move accounts and append to the ledger. The caller holds the posting lock."""
    by_person: dict[str, list[WalletMove]] = defaultdict(list)
    for each in moves:
        if each.delta:
            by_person[each.person_id].append(each)
    if not by_person:
        return
    statement = insert(wallets).values(
        [{"person_id": who, "account": sum(m.delta for m in by_person[who])} for who in sorted(by_person)]
    )
    statement = statement.on_conflict_do_update(
        index_elements=["person_id"], set_={"account": wallets.c.account + statement.excluded.account}
    )
    stand = tx.execute(statement.returning(wallets.c.person_id, wallets.c.account)).all()
    appended = [line for row in stand for line in ledger(by_person[row.person_id], row.account, tx.now)]
    tx.execute(plain_insert(lines), [asdict(line) for line in appended])


def balances(tx: Transaction, person_ids: Iterable[str]) -> dict[str, Decimal]:
    """By person: what they may redeem."""
    wanted = list(person_ids)
    found = dict.fromkeys(wanted, Decimal(0))
    for row in tx.execute(select(wallets).where(wallets.c.person_id.in_(wanted))):
        found[row.person_id] = balance(row.account)
    return found


def page_of(tx: Transaction, person_id: str, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Lines of one ledger with number < `before`, the newest first."""
    query = select(lines).where(lines.c.person_id == person_id).order_by(lines.c.line.desc()).limit(limit)
    if before is not None:
        query = query.where(lines.c.line < before)
    return [dict(row) for row in tx.execute(query).mappings()]
