"""Intake as a real process on a database, a virtual host and a Redis database of its own, with invented communities."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import amqp
import psycopg2
import psycopg2.extras
import pytest
import redis
import requests
from kit.publishing import Outgoing, publish_all
from kit.waiting import eventually

from wangge.chassis import broker
from wangge.chassis.ids import new_id
from wangge.cli.local import LocalSystem
from wangge.cli.token import sign
from wangge.contracts.areas import Area
from wangge.contracts.events import REGISTRY
from wangge.contracts.sites import with_revision

REPOSITORY = Path(__file__).parents[3]
COUNTY = "140802"

#: Redis's database for these tests; the services use 0, tests of one part 1.
REDIS_DATABASE = 3

towns = itertools.count()


class World:
    """The servers that intake stands on."""

    def __init__(self, servers: LocalSystem, folder: Path) -> None:
        self.servers = servers
        self.folder = folder
        self.vhost = f"intake-{uuid.uuid4().hex}"
        self.database = f"intake_{uuid.uuid4().hex}"
        self.amqp_uri = servers.rabbitmq.create_vhost(self.vhost)
        self.database_uri = servers.postgres.create_database(self.database)
        self.redis_uri = servers.redis.url().removesuffix("/0") + f"/{REDIS_DATABASE}"
        self.redis = redis.Redis.from_url(self.redis_uri, decode_responses=True)
        self.redis.flushdb()

    def drop(self) -> None:
        self.redis.flushdb()
        self.redis.close()
        self.servers.rabbitmq.drop_vhost(self.vhost)
        self.servers.postgres.drop_database(self.database)

    def publisher_uri(self, login: str) -> str:
        """The broker's address for a publisher with the rights that publishers have."""
        rabbit = self.servers.rabbitmq
        rabbit.put_user(login, "secret")
        rights = {"configure": "^$", "write": "^incidents$", "read": rf"^receipts\.{login}$"}
        rabbit.call("PUT", f"/permissions/{self.vhost}/{login}", rights)
        return f"amqp://{login}:secret@127.0.0.1:{urlsplit(self.amqp_uri).port}/{self.vhost}"

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        connection = psycopg2.connect(self.database_uri.replace("+psycopg2", ""))
        with connection, connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(statement, values or None)
            rows = [dict(row) for row in cursor.fetchall()] if cursor.description else []
        connection.close()
        return rows

    def facts(self, fact: str, subject: str | None = None) -> list[dict[str, Any]]:
        """What intake told, oldest first: the whole events."""
        rows = self.sql("SELECT body FROM outbox WHERE type = %s ORDER BY id", fact)
        events = [json.loads(row["body"]) for row in rows]
        return [event for event in events if subject is None or event["subject"] == subject]


class IntakeProcess:
    """One process of intake."""

    def __init__(self, world: World, **settings: str) -> None:
        self.world = world
        self.keys_dir = world.servers.keys_dir
        self.port, self.health_port = _free_port(), _free_port()
        self.log = world.folder / f"intake-{self.port}.log"
        self._env = {
            **os.environ,
            "PYTHONWARNINGS": "ignore",
            "EVENTLET_NO_GREENDNS": "yes",
            "WANGGE_DATABASE_URI": world.database_uri,
            "WANGGE_AMQP_URI": world.amqp_uri,
            "WANGGE_REDIS_URI": world.redis_uri,
            "WANGGE_KEYS_DIR": str(self.keys_dir),
            "WANGGE_HTTP_PORT": str(self.port),
            "WANGGE_HEALTH_PORT": str(self.health_port),
            "WANGGE_MOVABLE_CLOCK": "1",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> IntakeProcess:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "services.intake"]
            self._process = subprocess.Popen(command, env=self._env, stdout=log, stderr=log, cwd=REPOSITORY)
        eventually(self.is_ready, 60)
        return self

    def is_ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            pytest.fail(f"intake ended:\n{self.log.read_text()[-3000:]}")
        with suppress(requests.ConnectionError):
            return requests.get(f"http://127.0.0.1:{self.health_port}/health/ready", timeout=5).ok
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(40)
            self._process = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, person: str, *roles: str, areas: tuple[str, ...] = (COUNTY,)) -> str:
        return sign(self.keys_dir, person, roles, areas)

    def call(
        self, method: str, path: str, token: str = "", body: Any = None, **headers: str
    ) -> requests.Response:
        given = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.request(
            method, f"{self.url}{path}", json=body, headers={**given, **headers}, timeout=30
        )

    def clock(self, **wish: Any) -> None:
        answer = requests.put(f"http://127.0.0.1:{self.health_port}/clock", json=wish, timeout=5)
        assert answer.ok, answer.text


def square(west: float, north: float, side: float = 0.003) -> list[list[float]]:
    """A square boundary by its corner and side in degrees."""
    return [[west, north], [west + side, north], [west + side, north - side], [west, north - side]]


class Town:
    """A community on intake, with two grids, a market, people and publishers of its own."""

    def __init__(self, intake: IntakeProcess) -> None:
        number = next(towns)
        self.intake = intake
        self.world = intake.world
        self.key = f"t{number}"
        self.area = f"{COUNTY}{901 + number // 90}{901 + number % 90}"
        self.west, self.north = 110.0 + number / 10, 35.0
        self.yard, self.market = f"{self.area}00100", f"{self.area}00200"
        self.login, self.strict = f"{self.key}-hotline", f"{self.key}-camera"
        self.worker = f"{self.key}-worker"
        self.staff = intake.token(f"{self.key}-staff", "intake_operator", areas=(self.area,))
        self.admin = intake.token("boss", "admin")

    # the site

    def part(self, **changes: Any) -> dict[str, Any]:
        part = {
            "site": f"{self.key}-site",
            "name": f"{self.key}社区",
            "area": self.area,
            "centre": {"lng": self.west, "lat": self.north},
            "units": [
                {"unit_id": f"{self.key}-power", "name": "供电所", "kind": "utility", "area": COUNTY},
                {"unit_id": f"{self.key}-home", "name": "居委会", "kind": "community", "area": self.area},
            ],
            "grids": [
                self.grid(self.yard, "家属院网格", 0, ["家属院"]),
                self.grid(self.market, "市场网格", 0.003, ["西街", "西街市场"]),
            ],
            "people": [
                self.person("worker", "何一", "19900000111", "grid_worker", self.yard),
                self.person("staff", "吴二", "19900000112", "community_staff"),
            ],
            "publishers": [
                self.publisher(self.login, ["hotline_12345", "hotline_12319"], user_id_required=False),
                self.publisher(self.strict, ["video"], auto_accept=False),
            ],
            "categories": [
                {"code": "E0596", "name": "高空坠物", "urgency": "emergency", "keywords": ["墙体脱落"]},
                {"code": "C0137", "name": "路灯不亮", "keywords": ["路灯"]},
                {"code": "E0110", "name": "垃圾", "keywords": ["垃圾"]},
                {"code": "G0201", "name": "咨询", "keywords": ["请问"]},
            ],
            "default_category": "G0201",
            "auto_accept": ["grid_visit"],
            "reject": [
                {"reason": "in_litigation", "keywords": ["已起诉"], "reply": "请向受理法院了解进展。"}
            ],
            "near": {"metres": 50, "hours": 24},
        }
        return with_revision({**part, **changes})

    def grid(self, area: str, name: str, east: float, keywords: list[str], **more: Any) -> dict[str, Any]:
        boundary = square(self.west + east, self.north)
        row = {"area": area, "name": name, "kind": "base", "boundary": boundary, "address_keywords": keywords}
        return {**row, **more}

    def person(
        self, name: str, called: str, phone: str, role: str, area: str | None = None
    ) -> dict[str, Any]:
        roles = [{"role": role, "area": area}]
        return {"person_id": f"{self.key}-{name}", "name": called, "phone": phone, "roles": roles}

    def publisher(self, login: str, channels: list[str], **more: Any) -> dict[str, Any]:
        digest = hashlib.sha256(self.api_key(login).encode()).hexdigest()
        return {
            "login": login,
            "source": self.source(login),
            "name": login,
            "channels": channels,
            "areas": [self.area],
            "api_key_sha256": digest,
            **more,
        }

    def api_key(self, login: str) -> str:
        return f"key-of-{login}"

    def source(self, login: str) -> str:
        return f"https://{login}.example"

    def put(self, part: Mapping[str, Any]) -> requests.Response:
        return self.intake.call("PUT", f"/v1/sites/{part['site']}", self.admin, part)

    def apply(self, **changes: Any) -> dict[str, int]:
        answer = self.put(self.part(**changes))
        assert answer.status_code == 200, answer.text
        changed: dict[str, int] = answer.json()["changed"]
        return changed

    # places: the n-th lies 200 metres from the one before, the offset is in metres

    def at(self, place: int = 0, metres: float = 0.0) -> dict[str, float]:
        """A point in the yard."""
        lng = self.west + 0.0002 + 0.0022 * (place % 2) + metres / 91_000
        lat = self.north - 0.0002 - 0.0018 * (place // 2 % 2)
        return {"lng": lng, "lat": lat}

    # reports over HTTP

    def incident(self, **data: Any) -> dict[str, Any]:
        told = {"text": "路灯坏了", "channel": "hotline_12345", "occurred_at": datetime.now(UTC).isoformat()}
        return {**told, **data}

    def post(
        self, token: str = "", headers: Mapping[str, str] | None = None, **data: Any
    ) -> requests.Response:
        return self.intake.call("POST", "/v1/reports", token, self.incident(**data), **(headers or {}))

    def reported(self, **data: Any) -> dict[str, Any]:
        """A report of the grid worker."""
        token = self.intake.token(self.worker, "grid_worker", areas=(self.yard,))
        answer = self.post(token, **{"channel": "grid_visit", **data})
        assert answer.status_code == 201, answer.text
        report: dict[str, Any] = answer.json()
        return report

    def keyed(self, login: str) -> dict[str, str]:
        return {"X-API-Key": self.api_key(login)}

    def report(self, code: str) -> dict[str, Any]:
        answer = self.intake.call("GET", f"/v1/reports/{code}", self.staff)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    # incidents on the bus

    def event(self, login: str, **data: Any) -> dict[str, Any]:
        event_id = new_id()
        return {
            "specversion": "1.0",
            "id": event_id,
            "source": self.source(login),
            "type": "incident.reported.v1",
            "time": datetime.now(UTC).isoformat(),
            "data": self.incident(**data),
        }

    def send(self, uri: str, *events: Mapping[str, Any] | bytes, **properties: Any) -> None:
        connection = broker.connect((uri,), confirm_publish=True)
        channel = connection.channel()
        key = f"incident.reported.{Area.parse(self.area).routing}"
        for event in events:
            body = event if isinstance(event, bytes) else json.dumps(event).encode()
            channel.basic_publish(amqp.Message(body, delivery_mode=2, **properties), "incidents", key)
        connection.close()

    def send_plainly(self, *events: Mapping[str, Any] | bytes) -> None:
        """Publish as a program that sets nothing."""
        self.send(self.world.amqp_uri, *events)

    def send_vouched(self, login: str, *events: Mapping[str, Any] | bytes) -> None:
        """Publish as a program whose login the broker vouches for."""
        self.send(self.world.publisher_uri(login), *events, user_id=login)

    def send_spread(self, *events: Mapping[str, Any], login: str = "") -> None:
        """Publish over all lanes: each message under a partition key of its own."""
        uri = self.world.publisher_uri(login) if login else self.world.amqp_uri
        key = f"incident.reported.{Area.parse(self.area).routing}"
        publish_all(
            uri,
            [
                Outgoing(json.dumps(event).encode(), "incidents", key, {"partitionkey": event["id"]}, login)
                for event in events
            ],
        )

    def receipt(self, login: str, event: Mapping[str, Any] | str) -> dict[str, Any]:
        """The receipt of a message, once it is there."""
        message_id = event if isinstance(event, str) else event["id"]

        def look() -> Any:
            answer = self.intake.call("GET", f"/v1/receipts/{login}/{message_id}", self.staff)
            return answer.json() if answer.ok else None

        found: dict[str, Any] = eventually(look)
        return found

    def told(self, login: str, event: Mapping[str, Any] | str, most: int = 1) -> list[dict[str, Any]]:
        """The receipts of a message that were published, once there are so many."""
        message_id = event if isinstance(event, str) else event["id"]

        def look() -> Any:
            facts = self.world.facts("receipt.issued.v1", message_id)
            mine = [fact["data"] for fact in facts if fact["data"]["publisher"] == login]
            return mine if len(mine) >= most else None

        found: list[dict[str, Any]] = eventually(look)
        return found

    def queue(self, login: str) -> list[dict[str, Any]]:
        """Take what waits in the publisher's receipts queue, with the publisher's own rights."""
        connection = broker.connect((self.world.publisher_uri(login),))
        channel = connection.channel()
        taken = []
        while message := channel.basic_get(f"receipts.{login}", no_ack=True):
            taken.append(json.loads(message.body)["data"])
        connection.close()
        return taken

    # facts of cases

    def case_fact(self, fact: str, report_code: str, sequence: int, **more: Any) -> dict[str, Any]:
        case_no = f"{COUNTY}20230914{int(report_code[-5:]):05d}"
        data = {
            "case_no": case_no,
            "report_code": report_code,
            "area": self.yard,
            "category": "C0137",
            "at": datetime.now(UTC).isoformat(),
            **CASE_FIELDS[fact],
            **more,
        }
        return {
            "specversion": "1.0",
            "id": new_id(),
            "source": "/wangge/dispatch",
            "type": f"{fact}.v1",
            "subject": case_no,
            "time": datetime.now(UTC).isoformat(),
            "sequence": sequence,
            "data": data,
        }

    def dispatch_tells(self, *events: Mapping[str, Any]) -> None:
        """Publish facts as dispatch does; one report's facts keep their order."""
        connection = broker.connect((self.world.amqp_uri,), confirm_publish=True)
        channel = connection.channel()
        for event in events:
            contract = REGISTRY[event["type"]]
            message = amqp.Message(
                json.dumps(event).encode(),
                delivery_mode=2,
                application_headers={"partitionkey": event["subject"]},
            )
            key = f"{contract.name}.{Area.parse(event['data']['area']).routing}"
            channel.basic_publish(message, contract.on_exchange, key)
        connection.close()

    def has_settled(self, event: Mapping[str, Any]) -> bool:
        seen = (
            "SELECT 1 FROM inbox WHERE event_id = %s UNION ALL SELECT 1 FROM held_event WHERE event_id = %s"
        )
        return bool(self.world.sql(seen, event["id"], event["id"]))


CASE_FIELDS: dict[str, dict[str, Any]] = {
    "case.filed": {"level": "L2", "urgency": "none", "limit": "2 work_day"},
    "case.closed": {
        "level": "L2",
        "mode": "single",
        "channel": "grid_visit",
        "on_time": True,
        "closing": 1,
        "reply": "已修复。",
    },
    "case.reopened": {
        "reason": "又坏了",
        "closing": 1,
        "lead": "power",
        "deadline": "2030-01-01T00:00:00Z",
    },
}


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def world(servers: LocalSystem, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = World(servers, tmp_path_factory.mktemp("intake"))
    yield found
    found.drop()


@pytest.fixture(scope="session")
def intake(world: World) -> Iterator[IntakeProcess]:
    process = IntakeProcess(world).start()
    yield process
    process.stop()


@pytest.fixture
def empty_town(intake: IntakeProcess) -> Town:
    """A community whose site was not applied yet."""
    intake.clock(release=True)
    return Town(intake)


@pytest.fixture
def town(empty_town: Town) -> Town:
    empty_town.apply()
    return empty_town


@pytest.fixture(scope="module")
def without_redis(world: World) -> Iterator[IntakeProcess]:
    """A second process of intake, for which Redis is away. It takes its part of the work, by its own clock."""
    process = IntakeProcess(world, WANGGE_REDIS_URI="redis://127.0.0.1:1/0").start()
    yield process
    process.stop()
