"""Questions about categories."""

from typing import Any

from services.intake.categories import store
from services.intake.categories.schemas import CategoryPage, CategoryQuery
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import key_of, page
from wangge.chassis.transaction import Transaction


class CategoryEntrypoints:
    """Lists the categories."""

    @route("GET", "/v1/categories", query=CategoryQuery(), answer=CategoryPage(), tag="directory")
    def list_categories(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """What reports may be about, site by site; the same for everybody."""
        site, code = key_of(ask.query["cursor"], 2) or ["", ""]
        limit = ask.query["limit"]
        rows = store.listed(tx, ask.query["site"], (site, code), limit + 1)
        return page(rows, limit, lambda category: (category.site, category.code))
