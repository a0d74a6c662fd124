"""The door for site packs."""

from typing import Any

import amqp

from services.intake.sites import applying, store
from services.intake.sites.schemas import SitePage, SiteQuery
from wangge.chassis.app import App
from wangge.chassis.errors import Infrastructure, invalid
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import key_of, page
from wangge.chassis.topology import declare_receipts
from wangge.chassis.transaction import Transaction
from wangge.contracts.sites import IntakePart, SiteApplied

#: Bytes of a part: a street office with a hundred grids and some thousand people.
MOST_BYTES = 16 * 1024 * 1024


class SiteEntrypoints:
    """Takes and lists sites."""

    app: App

    @route(
        "PUT",
        "/v1/sites/<site>",
        may={"admin"},
        body=IntakePart(),
        answer=SiteApplied(),
        tag="sites",
        max_bytes=MOST_BYTES,
    )
    def put_site(self, tx: Transaction, ask: Ask, site: str) -> dict[str, Any]:
        """Make the directory of a site what its part says, all or nothing; the same part again changes nothing."""
        if ask.body["site"] != site:
            raise invalid([{"field": "site", "message": f"the address says {site}"}])
        ask.who.require_area(ask.body["area"])
        store.lock(tx)
        changed = applying.apply(tx, ask.body)
        # before the commit: a publisher that may send must find its receipts
        self._declare_receipts([row["login"] for row in ask.body["publishers"]])
        return {"site": site, "revision": ask.body["revision"], "changed": changed}

    @route("GET", "/v1/sites", query=SiteQuery(), answer=SitePage(), tag="sites")
    def list_sites(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """Sites within one's areas."""
        (after,) = key_of(ask.query["cursor"], 1) or [""]
        limit = ask.query["limit"]
        return page(store.listed(tx, ask.who.areas, after, limit + 1), limit, lambda site: (site.site,))

    def _declare_receipts(self, logins: list[str]) -> None:
        if not logins:
            return
        try:
            with self.app.broker_channel() as channel:
                for login in logins:
                    declare_receipts(channel, login)
        except (OSError, amqp.AMQPError) as away:
            raise Infrastructure(f"receipts queues could not be declared: {away}") from away
