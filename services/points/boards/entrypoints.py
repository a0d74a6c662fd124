"""Opens the door to the four-colour boards."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from services.points.boards import store
from services.points.boards.model import after, count_bands, ranked
from services.points.boards.schemas import BoardAnswer, BoardQuery
from services.points.boards.sorted_sets import sorted_sets
from services.points.periods.model import parse
from services.points.sites import store as sites
from services.points.sites.model import Site
from wangge.chassis.errors import invalid
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import key_of, page
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

Totals = list[tuple[str, Decimal]]


class BoardEntrypoints:
    """Questions about boards."""

    app: Any

    @route("GET", "/v1/boards/<period>", query=BoardQuery(), answer=BoardAnswer(), tag="boards")
    def show_board(self, tx: Transaction, ask: Ask, period: str) -> dict[str, Any]:
        """Who stands where in a period, the highest first; for everybody in whose scope the community lies."""
        code = parse(period).code
        site = sites.of_asker(tx, ask.who, ask.query["area"])
        asked = Area.parse(ask.query["area"] or site.area)
        whole = asked.contains(Area.parse(site.area))
        totals = self._totals(tx, site, code) if whole else store.totals(tx, code, asked)
        standings = ranked(totals)
        cursor = key_of(ask.query["cursor"], 2)
        behind = after(standings, _decimal(cursor[0]), str(cursor[1])) if cursor else standings
        limit = ask.query["limit"]
        return {
            "period": code,
            "area": site.area if whole else asked.code,
            "bands": count_bands(standings),
            **page(behind[: limit + 1], limit, lambda each: (str(each.total), each.person_id)),
        }

    def _totals(self, tx: Transaction, site: Site, period: str) -> Totals:
        """From the sorted set where it has the site's present version, else from the database, and made anew."""
        boards = sorted_sets(self.app.redis)
        kept = boards.totals(site.site, period, site.boards_version)
        if kept is not None:
            return kept
        totals = store.totals(tx, period, Area.parse(site.area))
        boards.replace(site.site, period, site.boards_version, totals)
        return totals


def _decimal(text: Any) -> Decimal:
    try:
        return Decimal(str(text))
    except ArithmeticError as wrong:
        raise invalid([{"field": "cursor", "message": "not a cursor of this list"}]) from wrong
