"""Shows an administrator what is said."""

from __future__ import annotations

from services.notify.templates import store
from services.notify.templates.model import Template
from services.notify.templates.schemas import TemplateAnswer
from wangge.chassis.http import Ask, route
from wangge.chassis.transaction import Transaction


class TemplateEntrypoints:
    """Questions about templates."""

    @route(
        "GET",
        "/v1/sites/<site>/templates",
        may={"admin", "auditor"},
        answer=TemplateAnswer(),
        many=True,
        tag="templates",
    )
    def list_templates(self, tx: Transaction, ask: Ask, site: str) -> list[Template]:
        """A site's templates, by code."""
        return list(store.by_code(tx, site).values())
