"""A street of twenty thousand cases on databases that tell the plan of every statement, its services in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql
from sqlalchemy import event
from werkzeug.routing import Map, Rule
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from bench.growth import filling, street
from bench.growth.towns import Town, Who
from wangge.chassis import prepared
from wangge.chassis.app import App
from wangge.chassis.delivery import Delivery
from wangge.chassis.health import HealthServer
from wangge.chassis.http import routes_of
from wangge.cli.local import SERVICES, LocalSystem
from wangge.contracts.areas import Area

CASES = 20_000

#: What makes PostgreSQL tell its plans to the client itself, those of triggers, too.
TELLING = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
    "auto_explain.log_nested_statements": "on",
    "client_min_messages": "notice",
    "random_page_cost": "1.1",  # a disk without arms, as everywhere today
    "plan_cache_mode": "force_generic_plan",  # of prepared texts the plan for all values, which is the worst
}

VHOST = "plans"

ADMIN = Who("wangge-cli", ("admin",), (street.STREET,))


@dataclass
class Plans:
    """The plans of the statements that ran since `clear`, each with the service that asked."""

    found: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def clear(self) -> None:
        self.found.clear()


@dataclass(frozen=True)
class Notices:
    """Where psycopg2 appends what the server tells on one connection."""

    service: str
    plans: Plans

    def append(self, notice: str) -> None:
        _, marker, plan = notice.partition("plan:\n")
        if marker:
            self.plans.found.append((self.service, json.loads(plan)))


@dataclass
class InProcess(Town):
    """The street with its services called in this process, route by route, and the plans of what they asked."""

    plans: Plans = field(default_factory=Plans)
    broker: str = ""
    uris: dict[str, str] = field(default_factory=dict)
    routes: dict[str, Any] = field(default_factory=dict)

    def environment(self, service: str) -> dict[str, str]:
        redis = self.system.redis.url().removesuffix("/0") + "/2"
        return {
            "WANGGE_DATABASE_URI": self.uris[service],
            "WANGGE_REDIS_URI": redis,
            "WANGGE_AMQP_URI": self.broker,
        }

    def admin_uri(self, service: str) -> str:
        return self.uris[service].replace("+psycopg2", "")

    def call(self, who: Who, service: str, method: str, path: str, body: Any = None, **query: Any) -> Any:
        wanted = {name: value for name, value in query.items() if value is not None}
        headers = {"Authorization": f"Bearer {self.token(who)}"}
        builder = EnvironBuilder(path, method=method, query_string=wanted, json=body, headers=headers)
        name, values = self._routes(service).bind("localhost").match(path, method)
        answer = getattr(self.app(service).service, name)(Request(builder.get_environ()), **values)
        assert answer.status_code < 300, answer.get_data(as_text=True)
        return json.loads(answer.get_data())

    def metrics(self, service: str) -> None:
        HealthServer(self.app(service))._metrics()

    def app(self, service: str) -> App:
        is_new = service not in self._apps
        app = super().app(service)
        if is_new:
            notices = Notices(service, self.plans)
            event.listen(app.database.engine, "connect", lambda made, _: setattr(made, "notices", notices))
        return app

    def _routes(self, service: str) -> Map:
        if service not in self.routes:
            routes = routes_of(type(self.app(service).service))
            rules = [Rule(spec.path, methods=[spec.method], endpoint=name) for name, spec in routes]
            self.routes[service] = Map(rules)
        return self.routes[service]


@pytest.fixture(scope="module")
def prepared_at_once() -> Iterator[None]:
    """Constant texts are prepared from their first use on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared, "PLAIN_USES", 0)
        yield


@pytest.fixture(scope="module")
def town(servers: LocalSystem, prepared_at_once: None) -> Iterator[InProcess]:
    """The filled street."""
    made = InProcess(servers, CASES, 0, broker=servers.rabbitmq.create_vhost(VHOST))
    try:
        for service in SERVICES:
            made.uris[service] = servers.postgres.create_database(f"plans_{service}")
            made.app(service).migrate()
            made.app(service).declare()
        for number in range(1, street.COMMUNITIES + 1):
            for service, part in street.parts(number, with_publishers=False).items():
                made.call(ADMIN, service, "PUT", f"/v1/sites/{part['site']}", part)
        _tell_people(made)
        for service in SERVICES:
            filling.fill(made.admin_uri(service), service, CASES, datetime.now(UTC) - timedelta(days=1))
            _tell_plans(made.admin_uri(service), f"plans_{service}")
            made.app(service).database.engine.dispose()
        yield made
    finally:
        for service in made.uris:
            made.app(service).close()
            servers.postgres.drop_database(f"plans_{service}")
        servers.rabbitmq.drop_vhost(VHOST)


def _tell_people(made: InProcess) -> None:
    """Let dispatch hear of the people of the third community, as over the bus."""
    told = made.rows(
        "intake",
        "SELECT event_id, body FROM outbox WHERE type = 'person.changed.v1' AND routing_key LIKE %s ORDER BY id",
        f"%.{'.'.join(Area.parse(street.community(3)).words)}%",
    )
    deliveries = [Delivery(body.encode(), "intake.events", message_id=event_id) for event_id, body in told]
    made.app("dispatch").inbox.process(deliveries, made.app("dispatch").handlers)


def _tell_plans(uri: str, database: str) -> None:
    connection = psycopg2.connect(uri)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for name, value in TELLING.items():
            setting = sql.SQL(".").join(map(sql.Identifier, name.split(".")))
            cursor.execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    sql.Identifier(database), setting, sql.Literal(value)
                )
            )
    connection.close()


@pytest.fixture(autouse=True)
def published(town: InProcess) -> None:
    """Nothing is pending when a test begins."""
    for service in SERVICES:
        town.rows(service, "UPDATE outbox SET published_at = now() WHERE published_at IS NULL")
