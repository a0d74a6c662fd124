"""Opens the door to periods: show one, close one."""

from __future__ import annotations

from typing import Any

from services.points.entries import posting
from services.points.periods import store
from services.points.periods.model import SitePeriod, move, parse
from services.points.periods.schemas import PeriodAnswer, PeriodQuery
from services.points.sites import store as sites
from wangge.chassis.http import Ask, route
from wangge.chassis.transaction import Transaction


class PeriodEntrypoints:
    """Questions and commands about periods."""

    app: Any

    @route("GET", "/v1/periods/<period>", query=PeriodQuery(), answer=PeriodAnswer(), tag="periods")
    def show_period(self, tx: Transaction, ask: Ask, period: str) -> SitePeriod:
        """A period of one site, with its state."""
        site = sites.of_asker(tx, ask.who, ask.query["area"])
        return store.find(tx, site.site, parse(period))

    @route(
        "POST",
        "/v1/periods/<period>/close",
        may={"points_reviewer", "branch_secretary"},
        query=PeriodQuery(),
        answer=PeriodAnswer(),
        tag="periods",
    )
    def close_period(self, tx: Transaction, ask: Ask, period: str) -> SitePeriod:
        """Close a period that is over: later entries go to the next one."""
        site = sites.of_asker(tx, ask.who, ask.query["area"])
        ask.who.require_area(site.area)
        posting.lock(tx)
        closed = move(store.find(tx, site.site, parse(period)), "close", tx.now, ask.who.id)
        store.save(tx, closed)
        return closed
