"""The door to the catalogue."""

from typing import Any

from services.dispatch.categories import store
from services.dispatch.categories.schemas import CategoryPage, CategoryQuery
from wangge.chassis.app import App
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import key_of, page
from wangge.chassis.transaction import Transaction


class CategoryEntrypoints:
    """Questions about categories; they are changed by applying a site pack."""

    app: App

    @route("GET", "/v1/categories", query=CategoryQuery(), answer=CategoryPage(), tag="categories")
    def list_categories(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """List the catalogue: names, limits, leads, conditions."""
        after = key_of(ask.query["cursor"], 2)
        rows = store.listed(tx, ask.query["site"], after, ask.query["limit"] + 1)
        return page(rows, ask.query["limit"], lambda row: (row.site, row.code))
