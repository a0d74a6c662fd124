"""Notify as a real process on a database and a virtual host of its own, with communities that exist nowhere."""

from __future__ import annotations

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

import amqp
import psycopg2
import psycopg2.extras
import pytest
import requests
from kit.waiting import eventually

from wangge.chassis import broker
from wangge.chassis.ids import new_id
from wangge.cli.local import LocalSystem
from wangge.cli.token import sign
from wangge.contracts.areas import Area
from wangge.contracts.events import REGISTRY
from wangge.contracts.sites import with_revision

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
sys.path.insert(0, str(HERE))

from providers import MailServer, Receiver  # noqa: E402 (stands beside this file)

#: Seconds that a delivery without an outcome is waited for in these tests.
LEASE_SECONDS = 3.0

COUNTY = "140802"
towns = itertools.count()
numbers = itertools.count(1)


class NotifyProcess:
    """One process of notify, and the world around it."""

    def __init__(
        self, database_uri: str, amqp_uri: str, redis_uri: str, keys_dir: Path, log: Path, mail: str
    ) -> None:
        self.database_uri = database_uri
        self.amqp_uri = amqp_uri
        self.keys_dir = keys_dir
        self.log = log
        self.port, self.health_port = _free_port(), _free_port()
        self._env = {
            **os.environ,
            "PYTHONWARNINGS": "ignore",
            "EVENTLET_NO_GREENDNS": "yes",
            "WANGGE_DATABASE_URI": database_uri,
            "WANGGE_AMQP_URI": amqp_uri,
            "WANGGE_REDIS_URI": redis_uri,
            "WANGGE_KEYS_DIR": str(keys_dir),
            "WANGGE_HTTP_PORT": str(self.port),
            "WANGGE_HEALTH_PORT": str(self.health_port),
            "WANGGE_MOVABLE_CLOCK": "1",
            "WANGGE_SMTP_URI": mail,
            "WANGGE_MAIL_FROM": "网格 <wangge@mail.example>",
            "WANGGE_DELIVERY_LEASE_SECONDS": str(LEASE_SECONDS),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **env: str) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "services.notify"]
            self._process = subprocess.Popen(
                command, env=self._env | env, stdout=log, stderr=log, cwd=REPOSITORY
            )
        eventually(self.is_ready, 30)

    def is_ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            pytest.fail(f"notify ended:\n{self.log.read_text()[-3000:]}")
        with suppress(requests.ConnectionError):
            return requests.get(f"http://127.0.0.1:{self.health_port}/health/ready", timeout=5).ok
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(how)
        code = self._process.wait(40)
        self._process = None
        return code

    # the bus

    def publish(self, event_type: str, data: Mapping[str, Any], **envelope: Any) -> dict[str, Any]:
        """Publish a fact as its owner does; answers the event."""
        contract = REGISTRY[event_type]
        subject = str(data[contract.subject])
        event = {
            "specversion": "1.0",
            "id": new_id(),
            "source": f"/wangge/{contract.owner}",
            "type": event_type,
            "subject": subject,
            "time": datetime.now(UTC).isoformat(),
            "partitionkey": subject,
            "sequence": 1,
            "data": dict(data),
            **envelope,
        }
        self.publish_again(event)
        return event

    def publish_again(self, event: Mapping[str, Any]) -> None:
        contract = REGISTRY[str(event["type"])]
        routing_key = f"{contract.name}.{Area.parse(event['data']['area']).routing}"
        connection = broker.connect((self.amqp_uri,), confirm_publish=True)
        headers = {"partitionkey": event["partitionkey"]}
        message = amqp.Message(json.dumps(event).encode(), delivery_mode=2, application_headers=headers)
        connection.channel().basic_publish(message, contract.on_exchange, routing_key)
        connection.close()

    # HTTP

    def token(
        self, person: str, *roles: str, areas: tuple[str, ...] = (COUNTY,), unit: str | None = None
    ) -> str:
        return sign(self.keys_dir, person, roles, areas, unit)

    def call(self, method: str, path: str, token: str, body: Any = None, **query: Any) -> requests.Response:
        return requests.request(
            method,
            f"http://127.0.0.1:{self.port}{path}",
            json=body,
            params=query,
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
        )

    def messages(self, **query: Any) -> list[dict[str, Any]]:
        """What an administrator of the county sees, oldest first."""
        answer = self.call("GET", "/v1/messages", self.token("boss", "admin"), **{"limit": 200, **query})
        assert answer.ok, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items[::-1]

    def whole(self, message: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.call(
            "GET", f"/v1/messages/{message['message_id']}", self.token("boss", "admin")
        ).json()
        return found

    # clock and database

    def clock(self, **wish: Any) -> None:
        answer = requests.put(f"http://127.0.0.1:{self.health_port}/clock", json=wish, timeout=5)
        assert answer.ok, answer.text

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg2.connect(self.database_uri.replace("+psycopg2", "")) as connection:
            cursor = connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
            cursor.execute(statement, values or None)
            rows = [dict(row) for row in cursor.fetchall()] if cursor.description else []
        connection.close()
        return rows

    def has_settled(self, event: Mapping[str, Any]) -> bool:
        """Whether the event was processed or held."""
        seen = (
            "SELECT 1 FROM inbox WHERE event_id = %s UNION ALL SELECT 1 FROM held_event WHERE event_id = %s"
        )
        return bool(self.sql(seen, event["id"], event["id"]))


TEMPLATES = [
    {
        "code": "lead",
        "title": "派单 {{ category | name }}",
        "text": "{{ summary }}；{{ lead | name }}；{{ deadline | moment }}",
    },
    {"code": "leader", "title": "知悉 {{ area | name }}", "text": "{{ site }}：{{ summary }}"},
    {"code": "late", "title": "超时", "text": "{{ summary }}已超时 {{ overdue_seconds // 60 }} 分钟"},
    {"code": "reply", "title": "已办结", "text": "{{ reply }}"},
    {"code": "thanks", "title": "谢谢", "text": "案件 {{ case_no }} 已办结"},
    {"code": "refused", "title": "答复", "text": "{{ reply }}"},
]
ROUTES = [
    {"event": "case.dispatched", "template": "lead", "to": ["lead", "assist"], "urgent": True},
    {"event": "case.dispatched", "template": "leader", "to": ["role:grid_leader@grid"], "urgent": True},
    {
        "event": "case.overdue",
        "template": "late",
        "to": ["lead", "role:grid_leader@grid", "role:community_secretary@community"],
        "urgent": True,
    },
    {"event": "case.closed", "template": "reply", "to": ["reporters"]},
    {"event": "case.closed", "template": "thanks", "to": ["helpers"]},
    {"event": "report.rejected", "template": "refused", "to": ["reporters"]},
]


class Town:
    """A community with units, people and routes; every one has codes of its own, so that tests do not meet."""

    def __init__(self, notify: NotifyProcess) -> None:
        self.notify = notify
        number = next(towns)
        self.key = f"t{number}"
        self.area = f"{COUNTY}{901 + number // 90}{901 + number % 90}"
        self.grid = f"{self.area}00100"
        self.sequences = itertools.count(1)

    def part(self, **changes: Any) -> dict[str, Any]:
        part = {
            "site": f"{self.key}-site",
            "name": f"{self.key}社区",
            "area": self.area,
            "contacts": [],
            "templates": TEMPLATES,
            "routes": ROUTES,
            "names": {"E0596": "墙体脱落"},
            "quiet": {"from": "22:00", "to": "07:00"},
            "retries": {"tries": 3, "first_seconds": 0.2, "factor": 2, "most_seconds": 1},
        }
        return with_revision({**part, **changes})

    def put(self, part: dict[str, Any]) -> requests.Response:
        return self.notify.call("PUT", f"/v1/sites/{part['site']}", self.notify.token("boss", "admin"), part)

    def apply(self, **changes: Any) -> dict[str, Any]:
        answer = self.put(self.part(**changes))
        assert answer.status_code == 200, answer.text
        applied: dict[str, Any] = answer.json()
        return applied

    def contact(self, ref: str, *channels: tuple[str, str], secret: str | None = None) -> dict[str, Any]:
        rows = [{"channel": channel, "address": address, "secret": secret} for channel, address in channels]
        return {"ref": ref, "channels": rows}

    # the directory

    def id(self, name: str) -> str:
        return f"{self.key}-{name}"

    def person(
        self, name: str, unit: str | None = None, *, sequence: int = 1, status: str = "active"
    ) -> dict[str, Any]:
        data = {"person_id": self.id(name), "area": self.area, "status": status}
        if unit:
            data["unit_id"] = self.id(unit)
        return self.notify.publish("person.changed.v1", data, sequence=sequence)

    def role(
        self,
        name: str,
        role: str,
        *,
        area: str = "",
        unit: str = "",
        sequence: int = 1,
        status: str = "active",
    ) -> dict[str, Any]:
        data = {"person_id": self.id(name), "role": role, "area": area or self.area, "status": status}
        if unit:
            data["unit_id"] = self.id(unit)
        return self.notify.publish("role.changed.v1", data, sequence=sequence)

    def people(self) -> None:
        """A lead unit with contact, head and a driver; a helping unit with a contact; two grid leaders; a secretary."""
        facts = [
            self.person("contact", "power"),
            self.person("head", "power"),
            self.person("driver", "power"),
            self.person("helper-contact", "estate"),
            self.role("contact", "unit_contact", unit="power"),
            self.role("head", "unit_head", unit="power"),
            self.role("helper-contact", "unit_contact", unit="estate"),
            self.role("leader", "grid_leader", area=self.grid),
            self.role("other-leader", "grid_leader", area=f"{self.area}00200"),
            self.role("secretary", "community_secretary"),
            self.notify.publish(
                "unit.changed.v1",
                {
                    "unit_id": self.id("power"),
                    "name": f"{self.key}供电所",
                    "kind": "utility",
                    "area": COUNTY,
                    "status": "active",
                },
            ),
            self.notify.publish(
                "grid.changed.v1",
                {"area": self.grid, "name": f"{self.key}一网格", "kind": "base", "status": "active"},
            ),
        ]
        for fact in facts:
            eventually(lambda fact=fact: self.notify.has_settled(fact))

    # cases

    def fact(self, **more: Any) -> dict[str, Any]:
        number = next(numbers)
        return {
            "case_no": f"{self.area[:6]}20230914{number:05d}",
            "report_code": f"BG20230914-{number:06d}",
            "area": self.grid,
            "category": "E0596",
            "at": "2023-09-14T11:00:00Z",
            **more,
        }

    def dispatched(self, assist: tuple[str, ...] = (), **envelope: Any) -> dict[str, Any]:
        data = self.fact(
            lead=self.id("power"),
            assist=[self.id(unit) for unit in assist],
            level="L2",
            urgency="emergency",
            deadline="2023-09-14T13:00:00Z",
            summary="院门口墙体脱落",
        )
        return self.notify.publish("case.dispatched.v1", data, **envelope)

    def overdue(self) -> dict[str, Any]:
        data = self.fact(
            stage="handle",
            lead=self.id("power"),
            level="L2",
            deadline="2023-09-14T13:00:00Z",
            overdue_seconds=180,
            summary="院门口墙体脱落",
        )
        return self.notify.publish("case.overdue.v1", data)

    def closed(self, reporters: list[str], helpers: tuple[tuple[str, str], ...] = ()) -> dict[str, Any]:
        data = self.fact(
            level="L2",
            mode="joint",
            channel="grid_visit",
            on_time=True,
            closing=1,
            reply="墙体已修复。",
            reporters=reporters,
            helpers=[{"person_id": self.id(name), "part": part} for name, part in helpers],
        )
        return self.notify.publish("case.closed.v1", data)

    # what became of it

    def told(self, event: Mapping[str, Any], **query: Any) -> list[dict[str, Any]]:
        """The messages about a fact once it was processed."""
        eventually(lambda: self.notify.has_settled(event))
        return self.notify.messages(event=event["id"], **query)

    def one(
        self, event: Mapping[str, Any], channel: str, *states: str, seconds: float = 20
    ) -> dict[str, Any]:
        """The one message about a fact by a channel, once it is in one of these states."""

        def found() -> dict[str, Any]:
            messages = self.told(event, channel=channel)
            assert len(messages) == 1, messages
            assert messages[0]["state"] in states, messages
            return messages[0]

        return eventually(found, seconds)


class Bus:
    """Everything that notify tells."""

    def __init__(self, amqp_uri: str) -> None:
        self._connection = broker.connect((amqp_uri,))
        self._channel = self._connection.channel()
        self._queue = self._channel.queue_declare(exclusive=True).queue
        self._channel.queue_bind(self._queue, "notify.events", "#")
        self._heard: list[dict[str, Any]] = []

    def about(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The facts about a message so far."""
        while (got := self._channel.basic_get(self._queue, no_ack=True)) is not None:
            self._heard.append(json.loads(got.body))
        return [event for event in self._heard if event["subject"] == message["message_id"]]

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="session")
def mail() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def notify_process(
    servers: LocalSystem, mail: MailServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NotifyProcess]:
    name = f"notify-{uuid.uuid4().hex[:8]}"
    log = tmp_path_factory.mktemp("notify") / "notify.log"
    process = NotifyProcess(
        servers.postgres.create_database(name.replace("-", "_")),
        servers.rabbitmq.create_vhost(name),
        servers.redis.url(),
        servers.keys_dir,
        log,
        mail.uri,
    )
    process.start()
    yield process
    code = process.stop()
    servers.rabbitmq.drop_vhost(name)
    servers.postgres.drop_database(name.replace("-", "_"))
    assert code == 0, log.read_text()[-3000:]


@pytest.fixture
def notify(notify_process: NotifyProcess) -> Iterator[NotifyProcess]:
    """Notify, running, at ten in the morning in Shanghai."""
    notify_process.clock(set="2023-09-14T10:00:00+08:00")
    yield notify_process
    notify_process.clock(release=True)


@pytest.fixture
def town(notify: NotifyProcess) -> Town:
    """A community whose part is not applied yet."""
    return Town(notify)


@pytest.fixture
def another_town(notify: NotifyProcess) -> Town:
    return Town(notify)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def bus(notify: NotifyProcess) -> Iterator[Bus]:
    heard = Bus(notify.amqp_uri)
    yield heard
    heard.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
