"""Opens the door to the four-colour boards."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from services.points.boards import store
from services.points.boards.model import Part, Version, part_of
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

After = tuple[Decimal, str] | None


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
        cursor, limit = key_of(ask.query["cursor"], 2), ask.query["limit"]
        after = (_decimal(cursor[0]), str(cursor[1])) if cursor else None
        if whole:
            part = self._part(tx, site, code, after, limit + 1)
        else:
            part = part_of(store.totals(tx, code, asked), after, limit + 1)
        return {
            "period": code,
            "area": site.area if whole else asked.code,
            "bands": part.bands,
            **page(part.standings, limit, lambda each: (str(each.total), each.person_id)),
        }

    def _part(self, tx: Transaction, site: Site, period: str, after: After, limit: int) -> Part:
        """From the sorted set where it has the board's present version, else from the database, and made anew."""
        boards = sorted_sets(self.app.redis)
        version = Version(site.boards_version, store.version(tx, site.site, period))
        kept = boards.part(site.site, period, version, after, limit)
        if kept is not None:
            return kept
        totals = store.totals(tx, period, Area.parse(site.area))
        boards.replace(site.site, period, version, totals)
        return part_of(totals, after, limit)


def _decimal(text: Any) -> Decimal:
    try:
        return Decimal(str(text))
    except ArithmeticError as wrong:
        raise invalid([{"field": "cursor", "message": "not a cursor of this list"}]) from wrong
