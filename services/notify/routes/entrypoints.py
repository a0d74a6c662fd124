"""Shows an administrator who is told what."""

from __future__ import annotations

from services.notify.routes import store
from services.notify.routes.model import Route
from services.notify.routes.schemas import RouteAnswer
from wangge.chassis.http import Ask, route
from wangge.chassis.transaction import Transaction


class RouteEntrypoints:
    """Questions about routes."""

    @route(
        "GET",
        "/v1/sites/<site>/routes",
        may={"admin", "auditor"},
        answer=RouteAnswer(),
        many=True,
        tag="routes",
    )
    def list_routes(self, tx: Transaction, ask: Ask, site: str) -> list[Route]:
        """A site's routes, in their order."""
        return store.of_site(tx, site)
