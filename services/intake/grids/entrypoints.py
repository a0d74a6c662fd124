"""Questions about grids."""

from typing import Any

from services.intake.grids import store
from services.intake.grids.schemas import GridPage, GridQuery
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import key_of, page
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area


class GridEntrypoints:
    """Lists the grids."""

    @route("GET", "/v1/grids", query=GridQuery(), answer=GridPage(), tag="directory")
    def list_grids(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """Grids within one's areas."""
        (after,) = key_of(ask.query["cursor"], 1) or [""]
        area = Area.parse(ask.query["area"]) if ask.query["area"] else None
        limit = ask.query["limit"]
        rows = store.listed(tx, ask.who.areas, area, ask.query["status"], after, limit + 1)
        return page(rows, limit, lambda grid: (grid.area,))
