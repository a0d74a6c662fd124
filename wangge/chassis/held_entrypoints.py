"""The operators' door to held events, the same at every service."""

from __future__ import annotations

from typing import Any

from wangge.chassis import chosen
from wangge.chassis.chosen import Chosen
from wangge.chassis.held_schemas import (
    ActedAnswer,
    ChosenBody,
    DropBody,
    DropManyBody,
    EditBody,
    GroupQuery,
    HeldGroupPage,
    HeldPage,
    HeldQuery,
    HeldShown,
    NoBody,
)
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import key_of, page
from wangge.chassis.transaction import Transaction
from wangge.chassis.workbench import Acted

OPERATORS = ("admin",)

#: Refused events that an answer names; the others are counted.
NAMED = 20


class HeldEntrypoints:
    """Look at held events one by one or in groups; edit, replay and drop them. Idempotency key: the row's state."""

    app: Any
    dropped: Any

    @route("GET", "/v1/held", may=OPERATORS, query=HeldQuery(), answer=HeldPage(), tag="held")
    def held_list(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """Held events, oldest first."""
        query = dict(ask.query)
        (after,) = key_of(query.pop("cursor"), 1) or [0]
        limit = query.pop("limit")
        rows = chosen.page(tx, Chosen(**query), after, limit + 1)
        return page(rows, limit, lambda row: (row["id"],))

    @route("GET", "/v1/held/groups", may=OPERATORS, query=GroupQuery(), answer=HeldGroupPage(), tag="held")
    def held_groups(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """Held events grouped by cause and sender."""
        query = dict(ask.query)
        key = key_of(query.pop("cursor"), 2)
        limit = query.pop("limit")
        after = (str(key[0]), str(key[1])) if key else None
        rows = chosen.groups(tx, Chosen(**query), after, limit + 1)
        return page(rows, limit, lambda row: (row["fingerprint"], row["sender"]))

    @route("GET", "/v1/held/<int:held_id>", may=OPERATORS, answer=HeldShown(), tag="held")
    def held_show(self, tx: Transaction, ask: Ask, held_id: int) -> Any:
        """One held event, whole, with what operators did."""
        return self.app.workbench.show(tx, held_id)

    @route(
        "POST", "/v1/held/<int:held_id>/edit", may=OPERATORS, body=EditBody(), answer=HeldShown(), tag="held"
    )
    def held_edit(self, tx: Transaction, ask: Ask, held_id: int) -> Any:
        """Correct a quarantined message; its id, source and actor stay. It is tried when it is replayed."""
        return self.app.workbench.edit(tx, held_id, ask.body["body"], ask.who.id, ask.body["reason"])

    @route(
        "POST", "/v1/held/<int:held_id>/replay", may=OPERATORS, body=NoBody(), answer=HeldShown(), tag="held"
    )
    def held_replay(self, tx: Transaction, ask: Ask, held_id: int) -> Any:
        """Try a quarantined event again; same event id. One that is being tried already is left alone."""
        row, is_changed = self.app.workbench.replay(tx, held_id, ask.who.id)
        return {**row, "is_changed": is_changed}

    @route(
        "POST", "/v1/held/<int:held_id>/drop", may=OPERATORS, body=DropBody(), answer=HeldShown(), tag="held"
    )
    def held_drop(self, tx: Transaction, ask: Ask, held_id: int) -> Any:
        """Give a quarantined event up, with a reason; its sender may be told."""
        delivery = self.app.workbench.drop(tx, held_id, ask.who.id, ask.body["reason"])
        self.dropped(tx, delivery, ask.body["reason"])
        return self.app.workbench.show(tx, held_id)

    @route("POST", "/v1/held/replay", may=OPERATORS, body=ChosenBody(), answer=ActedAnswer(), tag="held")
    def held_replay_many(self, tx: Transaction, ask: Ask) -> Any:
        """Try a portion of the chosen quarantined events again; those that cannot be are named."""
        wanted, after = _chosen(ask)
        acted = self.app.workbench.replay_many(tx, wanted, after, ask.who.id)
        return self._acted(tx, wanted, acted)

    @route("POST", "/v1/held/drop", may=OPERATORS, body=DropManyBody(), answer=ActedAnswer(), tag="held")
    def held_drop_many(self, tx: Transaction, ask: Ask) -> Any:
        """Give a portion of the chosen quarantined events up, with a reason."""
        wanted, after = _chosen(ask)
        reason = ask.body["reason"]
        acted, deliveries = self.app.workbench.drop_many(tx, wanted, after, ask.who.id, reason)
        for delivery in deliveries:
            self.dropped(tx, delivery, reason)
        return self._acted(tx, wanted, acted)

    def _acted(self, tx: Transaction, wanted: Chosen, acted: Acted) -> dict[str, Any]:
        return {
            "acted": len(acted.ids),
            "refused": len(acted.refused),
            "named": [
                {"id": id_, "code": refusal.code, "detail": refusal.en}
                for id_, refusal in acted.refused[:NAMED]
            ],
            "left": acted.left,
            "states": chosen.states(tx, wanted),
            "after": acted.after,
        }


def _chosen(ask: Ask) -> tuple[Chosen, int]:
    body = dict(ask.body)
    body.pop("reason", None)
    after = body.pop("after")
    return Chosen(**body), after
