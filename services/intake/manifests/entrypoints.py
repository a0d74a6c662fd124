"""The door for manifests: for the publisher itself, admins and intake operators."""

from typing import Any

from services.intake.manifests import store
from services.intake.manifests.model import Manifest
from services.intake.manifests.schemas import ManifestAnswer, MessagePage, MessagesQuery, day_in
from services.intake.publishers.model import may_read
from wangge.chassis.auth import Principal
from wangge.chassis.errors import NotFound
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import key_of, page
from wangge.chassis.transaction import Transaction


class ManifestEntrypoints:
    """A publisher reconciles its own log with what arrived here. Those whom nobody knows are under `unknown`."""

    @route("GET", "/v1/publishers/<login>/manifest/<date>", answer=ManifestAnswer(), tag="receipts")
    def show_manifest(self, tx: Transaction, ask: Ask, login: str, date: str) -> Manifest:
        """What became of the messages that first came on a day (Asia/Shanghai), counted, with digests."""
        _require_reader(ask.who, login)
        return store.manifest(tx, login, day_in(date))

    @route(
        "GET",
        "/v1/publishers/<login>/manifest/<date>/messages",
        query=MessagesQuery(),
        answer=MessagePage(),
        tag="receipts",
    )
    def list_messages(self, tx: Transaction, ask: Ask, login: str, date: str) -> dict[str, Any]:
        """The messages of a day with their receipts, by outcome and id."""
        _require_reader(ask.who, login)
        query = ask.query
        key = key_of(query["cursor"], 2)
        after = (str(key[0]), str(key[1])) if key else None
        rows = store.messages(tx, login, day_in(date), query["outcome"], after, query["limit"] + 1)
        return page(rows, query["limit"], lambda row: (row["outcome"], row["message_id"]))


def _require_reader(who: Principal, login: str) -> None:
    if not may_read(who.id, who.roles, login):
        raise NotFound("manifest.not_found", "没有这份清单", f"no manifest of {login}")
