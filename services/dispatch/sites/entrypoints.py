"""The door through which a site pack's dispatch part comes."""

from typing import Any

from services.dispatch.categories import store as categories
from services.dispatch.sites import store
from services.dispatch.sites.schemas import DispatchPart, SiteApplied
from wangge.chassis.app import App
from wangge.chassis.errors import invalid
from wangge.chassis.http import Ask, route
from wangge.chassis.transaction import Transaction

#: Bytes of a part: a few hundred categories.
PART_BYTES = 4 * 1024 * 1024


class SiteEntrypoints:
    """Commands about sites."""

    app: App

    @route(
        "PUT",
        "/v1/sites/<site>",
        may={"admin"},
        body=DispatchPart(),
        answer=SiteApplied(),
        tag="sites",
        max_bytes=PART_BYTES,
    )
    def put_site(self, tx: Transaction, ask: Ask, site: str) -> dict[str, Any]:
        """Apply a site's dispatch part: all of it or nothing; the same revision again changes nothing."""
        part = ask.body
        if part["site"] != site:
            raise invalid([{"field": "site", "message": f"the address says {site}"}])
        ask.who.require_area(part["area"])
        changed = {"sites": 0, "categories": 0}
        if store.revision_of(tx, site) != part["revision"]:
            changed["sites"] = int(store.put(tx, part))
            changed["categories"] = categories.replace_all(tx, site, part["categories"])
        return {"site": site, "revision": part["revision"], "changed": changed}
