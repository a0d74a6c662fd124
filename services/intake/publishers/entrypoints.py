"""Questions about publishers, their end, and the door for their API keys."""

import hashlib
from collections.abc import Callable
from typing import Any

from nameko.extensions import DependencyProvider

from services.intake.directory import DirectoryCache
from services.intake.publishers import store
from services.intake.publishers.model import PUBLISHER, Publisher, ended, may_read, rekeyed
from services.intake.publishers.schemas import KeyBody, NoBody, PublisherAnswer, PublisherPage, PublisherQuery
from services.intake.sites import store as sites
from wangge.chassis.app import App
from wangge.chassis.auth import Principal
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import key_of, page
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area


class PublisherEntrypoints:
    """Lists the publishers, ends one, gives one a new key. What the site pack says of one comes with `wangge site apply`."""

    @route(
        "GET",
        "/v1/publishers",
        may={"admin"},
        query=PublisherQuery(),
        answer=PublisherPage(),
        tag="directory",
    )
    def list_publishers(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """The outside systems that may send."""
        (after,) = key_of(ask.query["cursor"], 1) or [""]
        limit = ask.query["limit"]
        rows = store.listed(tx, after, limit + 1)
        return page(rows, limit, lambda publisher: (publisher.login,))

    @route("GET", "/v1/publishers/<login>", answer=PublisherAnswer(), tag="directory")
    def show_publisher(self, tx: Transaction, ask: Ask, login: str) -> Publisher:
        """One outside system, for itself, admins and intake operators."""
        if not may_read(ask.who.id, ask.who.roles, login):
            raise store.no_publisher(login)
        return store.find(tx, login)

    @route(
        "POST",
        "/v1/publishers/<login>/end",
        may={"admin"},
        body=NoBody(),
        answer=PublisherAnswer(),
        tag="directory",
    )
    def end_publisher(self, tx: Transaction, ask: Ask, login: str) -> Publisher:
        """Take no more of a publisher; its receipts stay. Ended already, nothing changes."""
        return self._changed(tx, login, ended)

    @route(
        "PUT",
        "/v1/publishers/<login>/api-key",
        may={"admin"},
        body=KeyBody(),
        answer=PublisherAnswer(),
        tag="directory",
    )
    def put_key(self, tx: Transaction, ask: Ask, login: str) -> Publisher:
        """Let a publisher in by another API key, of which only the digest is told; the old one ends at once."""
        return self._changed(tx, login, lambda publisher: rekeyed(publisher, ask.body["api_key_sha256"]))

    @staticmethod
    def _changed(tx: Transaction, login: str, change: Callable[[Publisher], Publisher]) -> Publisher:
        sites.lock(tx)
        before = store.find(tx, login)
        after = change(before)
        if after != before:
            store.put(tx, [after])
            sites.changed(tx)
        return after


class ApiKeys(DependencyProvider):  # type: ignore[misc]
    """Lets publishers into this process by their API keys."""

    def __init__(self, directory: DirectoryCache) -> None:
        self._directory = directory

    def setup(self) -> None:
        """Give the authenticator its look-up."""
        app: App = self.container.app
        app.authenticator.api_key = lambda key: principal_of(app, self._directory, key)


def principal_of(app: App, directory: DirectoryCache, key: str) -> Principal | None:
    """The publisher whose key this is: compared by digest, against the directory as it is now."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    publisher = directory.now(app.database).publishers.by_key.get(digest)
    if publisher is None:
        return None
    areas = tuple(Area.parse(code) for code in publisher.areas)
    return Principal(publisher.ref, frozenset({PUBLISHER}), areas)
