"""Opens the door to rule sets: what earns how much."""

from __future__ import annotations

from typing import Any

from services.points.rule_sets import store
from services.points.rule_sets.schemas import RuleSetPage, RuleSetQuery
from services.points.sites import store as sites
from wangge.chassis.errors import invalid
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import key_of, page
from wangge.chassis.transaction import Transaction


class RuleSetEntrypoints:
    """Questions about rule sets."""

    app: Any

    @route("GET", "/v1/rule_sets", query=RuleSetQuery(), answer=RuleSetPage(), tag="rule_sets")
    def list_rule_sets(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """The published versions of one site, oldest first: everybody may know by which rules they are scored."""
        site = sites.of_asker(tx, ask.who, ask.query["area"])
        cursor = key_of(ask.query["cursor"], 1) or [0]
        if not isinstance(cursor[0], int):
            raise invalid([{"field": "cursor", "message": "not a cursor of this list"}])
        limit = ask.query["limit"]
        rows = store.page_of(tx, [site.site], cursor[0], limit + 1)
        return page(rows, limit, lambda each: (each.rule_set_id,))
