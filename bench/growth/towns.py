"""One system with the same street several times, each with its own number of cases, databases and service processes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg2
import requests

from bench.growth import filling, street
from wangge.chassis.app import App
from wangge.chassis.runner import build
from wangge.chassis.settings import Settings
from wangge.cli.api import Api
from wangge.cli.local import SERVICES, LocalSystem
from wangge.cli.local.rabbitmq import permissions_of
from wangge.cli.token import sign
from wangge.contracts.events import REGISTRY

#: Seconds within which the directory's facts have reached every service.
SETTLED_SECONDS = 120.0

#: What differs from PostgreSQL's defaults, which are for a machine of twenty years ago.
TUNED = {
    "shared_buffers": "2GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "random_page_cost": "1.1",
}


@dataclass
class Town:
    """The street at one size: where its services and databases are, and its people's tokens."""

    system: LocalSystem
    cases: int
    database: int
    urls: dict[str, str] = field(default_factory=dict)
    filled_seconds: float = 0.0
    _local: threading.local = field(default_factory=threading.local)
    _tokens: dict[Any, str] = field(default_factory=dict)
    _apps: dict[str, App] = field(default_factory=dict)

    @property
    def instance(self) -> str:
        """The name of its service processes and databases."""
        return str(self.cases)

    def environment(self, service: str) -> dict[str, str]:
        """What its process of a service is told besides the usual settings."""
        rabbitmq = self.system.rabbitmq
        return {
            "WANGGE_DATABASE_URI": f"{self.system.postgres.service_url(service)}_{self.instance}",
            "WANGGE_AMQP_URI": rabbitmq.service_url(service).removesuffix("/") + f"growth-{self.instance}",
            "WANGGE_REDIS_URI": self.redis_uri,
        }

    @property
    def redis_uri(self) -> str:
        """Its own database of Redis."""
        return self.system.redis.url().removesuffix("/0") + f"/{self.database}"

    def admin_uri(self, service: str) -> str:
        """The administrator's address of the database of a service."""
        return self.system.postgres.url().rsplit("/", 1)[0] + f"/{service}_{self.instance}"

    def rows(self, service: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the database of a service."""
        with psycopg2.connect(self.admin_uri(service)) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def call(self, who: Who, service: str, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The JSON that a service answers one of its people; a connection is kept, as a browser keeps it."""
        session = self._session()
        answer = session.request(
            method,
            self.urls[service] + path,
            json=body,
            params={name: value for name, value in query.items() if value is not None},
            headers={"Authorization": f"Bearer {self.token(who)}"},
            timeout=60,
        )
        if not answer.ok:
            raise RuntimeError(f"{service} {method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def metrics(self, service: str) -> None:
        """Ask a service for its metrics, as Prometheus does."""
        address = self.system.addresses.service(service, self.instance)
        self._session().get(f"{address.health_url}/metrics", timeout=60).raise_for_status()

    def app(self, service: str) -> App:
        """The service's own parts on its database, in this process."""
        if service not in self._apps:
            environment = self.system.service_env(service, self.instance) | self.environment(service)
            with patch.dict(os.environ, environment):
                settings = Settings.from_environment(service)
            module = import_module(f"services.{service}.service")
            self._apps[service] = build(getattr(module, service.capitalize()), settings, REGISTRY)
        return self._apps[service]

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session

    def token(self, who: Who) -> str:
        """A bearer token of theirs."""
        if who not in self._tokens:
            self._tokens[who] = sign(self.system.keys_dir, who.person, who.roles, who.areas, who.unit)
        return self._tokens[who]


@dataclass(frozen=True)
class Who:
    """Somebody of the street."""

    person: str
    roles: tuple[str, ...]
    areas: tuple[str, ...]
    unit: str | None = None


@contextmanager
def towns(
    directory: Path, sizes: Sequence[int], services: Sequence[str] = tuple(SERVICES)
) -> Iterator[list[Town]]:
    """The street at each of these sizes, filled and served; everything is erased at the end."""
    system = LocalSystem(directory, services=services)
    try:
        _tune(system)
        system.start()
        _apply_packs(system)
        for service in services:
            system.stop_service(service)
        made = [_made(system, size, number) for number, size in enumerate(sizes, 1)]
        for town in made:
            _serve(town)
        yield made
    finally:
        system.erase()


def _tune(system: LocalSystem) -> None:
    """Give PostgreSQL the memory that a machine with a million cases would give it."""
    system.start_servers()
    with closing(psycopg2.connect(system.postgres.url())) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for name, value in TUNED.items():
                cursor.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    system.stop_server("postgres")
    system.start_server("postgres")


def _apply_packs(system: LocalSystem) -> None:
    api = Api.of_operator(system.directory)
    for number in range(1, street.COMMUNITIES + 1):
        for service, part in street.parts(number).items():
            if service in system.services:
                api.call(service, "PUT", f"/v1/sites/{part['site']}", part)
    until = time.monotonic() + SETTLED_SECONDS
    while _unsettled(system):
        if time.monotonic() > until:
            raise RuntimeError("the directory's facts did not arrive")
        time.sleep(0.2)


def _unsettled(system: LocalSystem) -> bool:
    pending = 0
    for service in system.services:
        with psycopg2.connect(_base_uri(system, service)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM outbox WHERE published_at IS NULL")
            pending += cursor.fetchone()[0]
    queues = system.rabbitmq.call("GET", "/queues")
    return bool(pending or sum(queue.get("messages", 0) for queue in queues if ".dead" not in queue["name"]))


def _base_uri(system: LocalSystem, service: str) -> str:
    return system.postgres.url().rsplit("/", 1)[0] + f"/{service}"


def _made(system: LocalSystem, size: int, number: int) -> Town:
    """The databases of a town: copies of the ones with the street's packs, filled."""
    town = Town(system, size, number)
    with_admin = psycopg2.connect(system.postgres.url())
    with_admin.autocommit = True
    with with_admin.cursor() as cursor:
        for service in system.services:
            cursor.execute(f"CREATE DATABASE {service}_{town.instance} TEMPLATE {service} OWNER {service}")
            cursor.execute(f"GRANT ALL ON DATABASE {service}_{town.instance} TO {service}")
    with_admin.close()
    started = time.monotonic()
    until = datetime.now(UTC) - timedelta(days=1)
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(
            pool.map(
                lambda service: filling.fill(town.admin_uri(service), service, size, until), system.services
            )
        )
    town.filled_seconds = time.monotonic() - started
    return town


def _serve(town: Town) -> None:
    system, vhost = town.system, f"growth-{town.instance}"
    system.rabbitmq.create_vhost(vhost)
    for service in system.services:
        system.rabbitmq.call("PUT", f"/permissions/{vhost}/{service}", permissions_of(service))
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda s: system.start_service(s, town.environment(s), town.instance), system.services))
    for service in system.services:
        town.urls[service] = system.addresses.service(service, town.instance).http_url


def people() -> Mapping[str, Who]:
    """Those who ask most: of the third community, its fifth grid, its power company, and of the street."""
    home, grid = street.community(3), street.grid(3, 5)
    return {
        "admin": Who("admin-1", ("admin",), (street.STREET,)),
        "province": Who("wangge-cli", ("admin",), tuple(f"{each}" for each in range(11, 83))),
        "dispatcher": Who("g3-dispatcher", ("dispatcher",), (street.STREET,)),
        "secretary": Who("g3-secretary", ("community_secretary",), (home,)),
        "operator": Who("g3-operator", ("intake_operator",), (home,)),
        "worker": Who("g3-worker-5", ("grid_worker",), (grid,)),
        "contact": Who("g3-huanwei-contact", ("unit_contact",), (home,), "g3-huanwei"),
        "electrician": Who("g3-gongdian-contact", ("unit_contact",), (grid,), "g3-gongdian"),
        "leader": Who("g3-leader-3", ("grid_leader",), (street.grid(3, 3),)),
        "member": Who("g3-member-7", ("party_member",), (home,)),
        "reviewer": Who("g3-reviewer", ("points_reviewer",), (home,)),
    }
