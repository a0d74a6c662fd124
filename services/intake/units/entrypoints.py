"""Questions about units."""

from typing import Any

from services.intake.units import store
from services.intake.units.schemas import UnitPage, UnitQuery
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import key_of, page
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area


class UnitEntrypoints:
    """Lists the units."""

    @route("GET", "/v1/units", query=UnitQuery(), answer=UnitPage(), tag="directory")
    def list_units(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """Units within one's areas."""
        (after,) = key_of(ask.query["cursor"], 1) or [""]
        area = Area.parse(ask.query["area"]) if ask.query["area"] else None
        limit = ask.query["limit"]
        rows = store.listed(tx, ask.who.areas, area, ask.query["status"], after, limit + 1)
        return page(rows, limit, lambda unit: (unit.unit_id,))
