"""Opens the door to wallets: the ledger of one member."""

from __future__ import annotations

from typing import Any

from services.points.members.entrypoints import visible_member
from services.points.wallets import store
from services.points.wallets.schemas import WalletPage
from wangge.chassis.errors import invalid
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import PageQuery, key_of, page
from wangge.chassis.transaction import Transaction


class WalletEntrypoints:
    """Questions about wallets."""

    app: Any

    @route("GET", "/v1/members/<person_id>/wallet", query=PageQuery(), answer=WalletPage(), tag="members")
    def list_wallet(self, tx: Transaction, ask: Ask, person_id: str) -> dict[str, Any]:
        """A member's wallet, line by line, the newest first."""
        visible_member(tx, ask.who, person_id)
        cursor = key_of(ask.query["cursor"], 1)
        if cursor and not isinstance(cursor[0], int):
            raise invalid([{"field": "cursor", "message": "not a cursor of this list"}])
        limit = ask.query["limit"]
        rows = store.page_of(tx, person_id, cursor[0] if cursor else None, limit + 1)
        return page(rows, limit, lambda line: (line["line"],))
