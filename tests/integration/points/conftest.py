"""Points as a real process on a database and a virtual host of its own; dispatch's voice; villages that exist nowhere."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import amqp
import psycopg2
import psycopg2.extras
import pytest
import redis as redis_client
import requests
from kit.waiting import eventually

from wangge.chassis import broker
from wangge.chassis.ids import new_id
from wangge.cli import packs
from wangge.cli.local import LocalSystem
from wangge.cli.local.rabbitmq import permissions_of
from wangge.cli.token import sign
from wangge.contracts.areas import Area
from wangge.contracts.envelope import CONTENT_TYPE, Event
from wangge.contracts.events import REGISTRY
from wangge.contracts.sites import with_revision

ROOT = Path(__file__).parents[3]
TOWN = "140105100"
NOW = "2025-09-14T09:00:00+08:00"
TODAY = "2025-09-14"
QUARTER = "2025Q3"

#: Redis's database of these tests.
REDIS_DATABASE = 2

villages = itertools.count(1)
cases = itertools.count(1)


class PointsProcess:
    """The process under test, as its callers, its broker and its database see it."""

    def __init__(self, servers: LocalSystem, name: str) -> None:
        self._servers = servers
        self._vhost = name.replace("_", "-")
        self._database = name
        self.admin_uri = servers.rabbitmq.create_vhost(self._vhost)
        for login in ("points", "dispatch"):
            path = f"/permissions/{self._vhost}/{login}"
            servers.rabbitmq.call("PUT", path, permissions_of(login))
        self.database_uri = servers.postgres.create_database(name)
        self.redis_uri = servers.redis.url().removesuffix("/0") + f"/{REDIS_DATABASE}"
        self.instance = "tested"

    def start(self, instance: str = "tested", **env: str) -> None:
        ours = {
            "WANGGE_DATABASE_URI": self.database_uri,
            "WANGGE_AMQP_URI": self.login_uri("points"),
            "WANGGE_REDIS_URI": self.redis_uri,
        }
        self._servers.start_service("points", {**ours, **env}, instance)

    def stop(self, instance: str = "tested") -> None:
        self._servers.stop_service("points", instance)

    def kill(self) -> None:
        self._servers.kill_service("points", self.instance)

    def drop(self) -> None:
        self._servers.rabbitmq.drop_vhost(self._vhost)
        self._servers.postgres.drop_database(self._database)

    def login_uri(self, login: str) -> str:
        return self._servers.rabbitmq.service_url(login).removesuffix("/") + self._vhost

    # HTTP

    def token(self, person: str, *roles: str, areas: tuple[str, ...] = (TOWN,)) -> str:
        return sign(self._servers.keys_dir, person, roles, areas)

    def call(
        self, method: str, path: str, token: str | None, body: Any = None, instance: str = "", **more: Any
    ) -> requests.Response:
        address = self._servers.addresses.service("points", instance or self.instance)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= more.pop("headers", {})
        return requests.request(
            method, address.http_url + path, json=body, params=more, headers=headers, timeout=30
        )

    def get(self, path: str, token: str, **query: Any) -> Any:
        answer = self.call("GET", path, token, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def clock(self, **wish: Any) -> None:
        address = self._servers.addresses.service("points", self.instance)
        answer = requests.put(f"{address.health_url}/clock", json=wish, timeout=5)
        assert answer.ok, answer.text

    def flush_redis(self) -> None:
        with redis_client.Redis.from_url(self.redis_uri) as client:
            client.flushall()

    # the record

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        connection = psycopg2.connect(self.database_uri.replace("+psycopg2", ""))
        try:
            with connection, connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(statement, values)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            connection.close()

    def differences(self) -> dict[str, list[dict[str, Any]]]:
        """Where the books disagree; empty when all is well."""
        found = {name: self.sql(statement) for name, statement in BOOKS.items()}
        return {name: rows for name, rows in found.items() if rows}

    def has_settled(self, *events: Event) -> bool:
        """Every one of these events was processed or is quarantined."""
        ids = [event.id for event in events]
        seen = "SELECT event_id FROM inbox UNION SELECT event_id FROM held_event WHERE state = 'quarantined'"
        found = self.sql(f"SELECT event_id FROM ({seen}) seen WHERE event_id = ANY(%s)", ids)  # noqa: S608 (constant)
        return len(found) == len(set(ids))


#: What must hold whatever happened: scores, tallies, accounts and facts told are the sums of what entries count.
BOOKS = {
    "scores": """
        SELECT person_id, period FROM (
            SELECT person_id, period, 'base' AS part, base AS amount FROM board_rows
            UNION ALL SELECT person_id, period, 'award', award FROM board_rows
            UNION ALL SELECT person_id, period, 'penalty', penalty FROM board_rows
            UNION ALL SELECT person_id, period, part, CASE WHEN reverses IS NULL THEN -counted ELSE counted END
            FROM entries WHERE state IN ('posted', 'reversed')
        ) amounts GROUP BY person_id, period, part HAVING sum(amount) <> 0""",
    "tallies": """
        SELECT person_id, period, item FROM (
            SELECT person_id, period, item, (SELECT coalesce(sum(each.value::int), 0) FROM jsonb_each(times) each) AS n
            FROM tallies
            UNION ALL SELECT person_id, period, item, -1 FROM entries WHERE state = 'posted' AND reverses IS NULL
        ) standing GROUP BY person_id, period, item HAVING sum(n) <> 0""",
    "accounts": """
        SELECT person_id FROM (
            SELECT person_id, account AS amount FROM wallets
            UNION ALL SELECT person_id, -delta FROM wallet_entries
        ) amounts GROUP BY person_id HAVING sum(amount) <> 0""",
    "ledgers": """
        SELECT person_id, line FROM (
            SELECT *, sum(delta) OVER (PARTITION BY person_id ORDER BY line) AS account FROM wallet_entries
        ) lines WHERE balance_after <> greatest(account, 0) OR shortfall_after <> greatest(-account, 0)""",
    "facts": """
        SELECT person_id FROM (
            SELECT person_id, CASE WHEN reverses IS NULL THEN counted ELSE -counted END AS amount
            FROM entries WHERE state IN ('posted', 'reversed')
            UNION ALL SELECT subject, (body::jsonb #>> '{data,value}')::numeric
                * CASE type WHEN 'points.posted.v1' THEN -1 ELSE 1 END FROM outbox
        ) amounts GROUP BY person_id HAVING sum(amount) <> 0""",
}


class Dispatch:
    """Tells facts as dispatch does: on its exchange, with its login on the broker."""

    def __init__(self, uri: str) -> None:
        self._connection = broker.connect((uri,), confirm_publish=True)
        self._channel = self._connection.channel()

    def publish(self, *events: Event) -> None:
        for event in events:
            message = amqp.Message(
                event.to_json(),
                content_type=CONTENT_TYPE,
                delivery_mode=2,
                message_id=event.id,
                type=event.type,
                user_id="dispatch",
                application_headers={"partitionkey": event.partitionkey},
            )
            key = f"{event.name}.{Area.parse(event.data['area']).routing}"
            self._channel.basic_publish(message, "dispatch.events", key)

    def close(self) -> None:
        self._connection.close()


class Village:
    """A village with the rules of the pack of Liangjiazhuang and members of its own, so that tests do not meet."""

    def __init__(self, points: PointsProcess, dispatch: Dispatch) -> None:
        self.points = points
        self.dispatch = dispatch
        number = next(villages)
        self.site = f"village-{number}"
        self.area = f"{TOWN}{900 + number:03d}"
        self.grid = f"{self.area}00100"
        self.pack = deepcopy(packs.read(ROOT / "sites/liangjiazhuang").part("points"))
        self.members = ["m1", "m2", "m3", "m4", "m5"]
        self.exempt = ["old"]
        self.clerk = points.token(f"{self.site}-clerk", "points_clerk")
        self.reviewer = points.token(f"{self.site}-reviewer", "points_reviewer")
        self.secretary = points.token(f"{self.site}-secretary", "branch_secretary", areas=(self.area,))

    def id(self, name: str) -> str:
        return f"{self.site}-{name}"

    # the site pack

    def part(self, **changes: Any) -> dict[str, Any]:
        listed = [
            {"person_id": self.id(name), "org": "第一党小组", "status": status, "grid": self.grid}
            for names, status in ((self.members, "formal"), (self.exempt, "exempt"))
            for name in names
        ]
        ours = {"site": self.site, "name": "示例村", "area": self.area, "members": listed}
        return with_revision({**self.pack, **ours, **changes})

    def rules(self, **changes: Any) -> dict[str, Any]:
        return {**self.pack["rule_set"], **changes}

    def rules_with(self, code: str, **changes: Any) -> dict[str, Any]:
        """The rule set with one item changed, as another version."""
        items = [item | changes if item["code"] == code else item for item in self.rules()["items"]]
        return self.rules(items=items, version=2)

    def put(self, part: Mapping[str, Any], token: str | None = None) -> requests.Response:
        admin = token or self.points.token("boss", "admin")
        return self.points.call("PUT", f"/v1/sites/{self.site}", admin, part)

    def apply(self, **changes: Any) -> dict[str, int]:
        answer = self.put(self.part(**changes))
        assert answer.status_code == 200, answer.text
        changed: dict[str, int] = answer.json()["changed"]
        return changed

    # what dispatch tells

    def a_case(self) -> str:
        return f"140105{20250914}{next(cases):05d}"

    def closed(
        self, case_no: str, *helpers: tuple[str, str], closing: int = 1, category: str = "G0101", **more: Any
    ) -> Event:
        """A closing; `category` G0101 is a settled quarrel: A3, 2 points for handler and helpers."""
        listed = [{"person_id": self.id(name), "part": part} for name, part in helpers]
        facts = {
            "category": category,
            "level": "L2",
            "mode": "joint",
            "channel": "grid_visit",
            "on_time": True,
            "closing": closing,
            "reply": "已办结",
            "helpers": listed,
        }
        return self._event("case.closed.v1", case_no, {**facts, **more})

    def reopened(self, case_no: str, closing: int = 1, **more: Any) -> Event:
        facts = {
            "category": "G0101",
            "closing": closing,
            "reason": "回访未解决",
            "lead": "unit",
            "deadline": NOW,
        }
        return self._event("case.reopened.v1", case_no, {**facts, **more})

    def _event(self, event_type: str, case_no: str, data: dict[str, Any]) -> Event:
        common = {"case_no": case_no, "report_code": "BG20250914-000001", "area": self.grid, "at": NOW}
        whole = {**common, **data}
        assert not REGISTRY[event_type].loader.validate(whole)
        return Event(
            id=new_id(),
            source="/wangge/dispatch",
            type=event_type,
            subject=case_no,
            time=datetime.now(UTC),
            data=whole,
            area=whole["area"],
            partitionkey=case_no,
            sequence=1,
        )

    def tell(self, *events: Event) -> None:
        """Publish facts and wait until points has settled them."""
        self.dispatch.publish(*events)
        eventually(lambda: self.points.has_settled(*events))

    # entries by hand

    def record(self, name: str, item: str, /, **more: Any) -> requests.Response:
        evidence = [{"url": "https://files.example/1.jpg", "kind": "photo_near"}]
        body = {"person_id": self.id(name), "item": item, "occurred_on": TODAY, "evidence": evidence}
        return self.points.call("POST", "/v1/entries", self.clerk, {**body, **more})

    def review(self, entry_id: str, decision: str = "post", token: str | None = None, **more: Any) -> Any:
        path = f"/v1/entries/{entry_id}/review"
        return self.points.call("POST", path, token or self.reviewer, {"decision": decision}, **more)

    def post(self, name: str, item: str, **more: Any) -> dict[str, Any]:
        """An entry recorded by one person and posted by another."""
        recorded = self.record(name, item, **more)
        assert recorded.status_code == 201, recorded.text
        answer = self.review(recorded.json()["entry_id"])
        assert answer.status_code == 200, answer.text
        posted: dict[str, Any] = answer.json()
        return posted

    def reverse(self, entry_id: str, reason: str = "记错") -> requests.Response:
        return self.points.call("POST", f"/v1/entries/{entry_id}/reverse", self.reviewer, {"reason": reason})

    # what became of it

    def member(self, name: str, **query: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.points.get(f"/v1/members/{self.id(name)}", self.secretary, **query)
        return found

    def award(self, name: str) -> float:
        found: float = self.member(name)["evaluation"]["award"]
        return found

    def entries(self, name: str, **query: Any) -> list[dict[str, Any]]:
        path = f"/v1/members/{self.id(name)}/entries"
        found: list[dict[str, Any]] = self.points.get(path, self.secretary, **query)["items"]
        return found

    def ledger(self, name: str) -> list[dict[str, Any]]:
        path = f"/v1/members/{self.id(name)}/wallet"
        found: list[dict[str, Any]] = self.points.get(path, self.secretary)["items"]
        return found[::-1]

    def board(self, period: str = QUARTER, **query: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.points.get(f"/v1/boards/{period}", self.secretary, **query)
        return found

    def standings(self, **query: Any) -> list[tuple[int, str, float]]:
        prefix = f"{self.site}-"
        return [
            (each["rank"], each["person_id"].removeprefix(prefix), each["total"])
            for each in self.board(**query)["items"]
        ]

    def told(self, name: str) -> list[dict[str, Any]]:
        """What points told of a member: type, then data, in order."""
        rows = self.points.sql(
            "SELECT type, body::jsonb -> 'data' AS data FROM outbox WHERE subject = %s ORDER BY sequence",
            self.id(name),
        )
        return [{"type": row["type"], **row["data"]} for row in rows]


@pytest.fixture(scope="session")
def points_process(servers: LocalSystem) -> Iterator[PointsProcess]:
    process = PointsProcess(servers, f"points_{uuid.uuid4().hex[:8]}")
    process.start()
    yield process
    process.stop()
    process.drop()


@pytest.fixture
def points(points_process: PointsProcess) -> Iterator[PointsProcess]:
    """The process, its clock standing at nine in the morning of 2025-09-14."""
    points_process.start()
    points_process.clock(set=NOW)
    yield points_process
    assert points_process.differences() == {}
    with suppress(requests.RequestException):
        points_process.clock(release=True)


@pytest.fixture
def dispatch(points: PointsProcess) -> Iterator[Dispatch]:
    voice = Dispatch(points.login_uri("dispatch"))
    yield voice
    voice.close()


@pytest.fixture
def village(points: PointsProcess, dispatch: Dispatch) -> Village:
    """A village with its pack applied."""
    village = Village(points, dispatch)
    village.apply()
    return village


@pytest.fixture
def new_village(points: PointsProcess, dispatch: Dispatch) -> Village:
    """A village whose pack nobody has applied."""
    return Village(points, dispatch)
