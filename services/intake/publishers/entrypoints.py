"""Questions about publishers, and the door for their API keys."""

import hashlib
from typing import Any

from nameko.extensions import DependencyProvider

from services.intake.directory import DirectoryCache
from services.intake.publishers import store
from services.intake.publishers.model import PUBLISHER
from services.intake.publishers.schemas import PublisherPage, PublisherQuery
from wangge.chassis.app import App
from wangge.chassis.auth import Principal
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import key_of, page
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area


class PublisherEntrypoints:
    """Lists the publishers."""

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
    with app.database.begin() as tx:
        publisher = directory.of(tx).publishers.by_key.get(digest)
    if publisher is None:
        return None
    areas = tuple(Area.parse(code) for code in publisher.areas)
    return Principal(publisher.ref, frozenset({PUBLISHER}), areas)
