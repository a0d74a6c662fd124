"""Opens the door through which an administrator gives notify its part of a site pack."""

from __future__ import annotations

from typing import Any

from services.notify.contacts import store as contact_store
from services.notify.contacts.schemas import contacts_of
from services.notify.routes import store as route_store
from services.notify.routes.schemas import routes_of
from services.notify.sites import store
from services.notify.sites.model import Site, unknown_site
from services.notify.sites.schemas import SiteAnswer, site_of
from services.notify.templates import store as template_store
from services.notify.templates.schemas import templates_of
from wangge.chassis.errors import invalid
from wangge.chassis.http import Ask, route
from wangge.chassis.transaction import Transaction
from wangge.contracts.sites import NotifyPart, SiteApplied

#: Bytes of a part: a street office of some ten thousand contacts.
PART_BYTES = 4 * 1024 * 1024


class SiteEntrypoints:
    """Applying a site's part."""

    @route(
        "PUT",
        "/v1/sites/<site>",
        may={"admin"},
        body=NotifyPart(),
        answer=SiteApplied(),
        tag="sites",
        max_bytes=PART_BYTES,
    )
    def apply_site(self, tx: Transaction, ask: Ask, site: str) -> dict[str, Any]:
        """Take a site's part, all of it or nothing; the same revision again changes nothing."""
        part = ask.body
        if part["site"] != site:
            raise invalid([{"field": "site", "message": f"the address says {site}"}])
        ask.who.require_area(part["area"])
        wanted = site_of(part)
        before = store.find(tx, site)
        if before and before.revision == wanted.revision:
            return {"site": site, "revision": wanted.revision, "changed": {}}
        changed = store.save(tx, wanted)
        changed["templates"] = template_store.replace(tx, site, templates_of(part))
        changed["routes"] = route_store.replace(tx, site, routes_of(part))
        changed["contacts"] = contact_store.replace(tx, site, contacts_of(part))
        return {"site": site, "revision": wanted.revision, "changed": changed}

    @route("GET", "/v1/sites/<site>", may={"admin", "auditor"}, answer=SiteAnswer(), tag="sites")
    def show_site(self, tx: Transaction, ask: Ask, site: str) -> Site:
        """Which revision of a site's part holds."""
        found = store.find(tx, site)
        if found is None or not ask.who.covers(found.area):
            raise unknown_site(site)
        return found
