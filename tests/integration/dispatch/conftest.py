"""One dispatch process with a site of its own, intake's voice on the bus, and people with tokens."""

import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import amqp
import pytest
import requests
from sqlalchemy import create_engine, text

from wangge.chassis.broker import connect
from wangge.cli.local import LocalSystem
from wangge.cli.token import sign
from wangge.contracts.areas import Area
from wangge.contracts.envelope import CONTENT_TYPE, Event
from wangge.contracts.events import REGISTRY
from wangge.contracts.sites import with_revision

COMMUNITY = "140802002907"
GRID = "14080200290700100"
OTHER_GRID = "14080200290700200"

#: Seconds within which something that was told must have had its effect.
SOON = 15.0


def a_category(code: str, **changes: Any) -> dict[str, Any]:
    row = {
        "code": code,
        "name": f"类别{code}",
        "family": "event",
        "limit": "4 work_hour",
        "level": "L2",
        "closing_condition": "办结",
    }
    return row | changes


def a_part(**changes: Any) -> dict[str, Any]:
    """Dispatch's part of the site `dongli`: a wall, a pool, an errand, rubbish, and what nobody knows."""
    part = {
        "site": "dongli",
        "name": "东里社区",
        "area": COMMUNITY,
        "calendar": {"day_mode": "hours8"},
        "categories": [
            a_category(
                "E0596",
                limit="2 urgent_hour",
                clock_from="report",
                lead="power",
                assist=["estate"],
            ),
            a_category("E0110", on_spot_allowed=True, lead="cleaning"),
            a_category(
                "G0301", limit="3 work_day", level="L4", pool=True, units_allowed=["enforcement", "police"]
            ),
            a_category("G0202", limit="3 work_day", needs_check=False, lead="community"),
            a_category("G0201", limit="1 work_day"),
        ],
        "default_category": "G0201",
        "grid_leads": {GRID: "estate"},
        "community_unit": "community",
        "ladder": {
            "L1": "unit_leader",
            "L2": "grid_leader",
            "L3": "community_secretary",
            "L4": "street_leader",
            "L5": "supervisor",
        },
        "default_checkers": ["grid_worker", "checker"],
    }
    return with_revision(part | changes)


PEOPLE = {
    "power-1": ("power", ["unit_contact"]),
    "estate-1": ("estate", ["unit_contact"]),
    "cleaning-1": ("cleaning", ["unit_contact"]),
    "enforcement-1": ("enforcement", ["enforcement_officer"]),
    "police-1": ("police", ["unit_contact"]),
    "staff-1": ("community", ["community_staff", "unit_contact"]),
    "operator-1": ("street", ["intake_operator"]),
    "dispatcher-1": ("street", ["dispatcher"]),
    "checker-1": ("street", ["checker"]),
    "worker-1": ("grid-office", ["grid_worker"]),
    "worker-2": ("grid-office", ["grid_worker"]),
}
WORKERS_GRID = {"worker-1": GRID, "worker-2": OTHER_GRID}


def soon(look: Callable[[], Any], seconds: float = SOON) -> Any:
    """What `look` answers once it answers something."""
    until = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < until, f"nothing came within {seconds} s"
        time.sleep(0.05)


class Intake:
    """Tells facts as intake does: on its exchange, with its login on the broker."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._channel: Any = None
        self._connection: Any = None
        self._sequences: dict[str, Iterator[int]] = {}
        self._number = itertools.count(int(time.time() * 1000) % 10_000_000)

    def tell(self, event_type: str, data: dict[str, Any], **envelope: Any) -> Event:
        """Publish a fact; `envelope` overrides its attributes. Answers the event, to be told again."""
        contract = REGISTRY[event_type]
        subject = str(data[contract.subject])
        counted = self._sequences.setdefault(f"{contract.name}:{subject}", itertools.count(1))
        event = Event(
            **{
                "id": str(uuid.uuid4()),
                "source": "/wangge/intake",
                "type": event_type,
                "subject": subject,
                "time": datetime.now(UTC),
                "data": data,
                "area": data["area"],
                "partitionkey": str(data.get(contract.partition) or subject),
                "sequence": next(counted),
                "correlationid": str(data.get("report_code", subject)),
            }
            | envelope
        )
        self.publish(event)
        return event

    def publish(self, event: Event) -> None:
        contract = REGISTRY[event.type]
        self._open().basic_publish(
            amqp.Message(
                event.to_json(),
                content_type=CONTENT_TYPE,
                delivery_mode=2,
                message_id=event.id,
                type=event.type,
                user_id="intake",
                application_headers={"partitionkey": event.partitionkey},
            ),
            contract.on_exchange,
            f"{contract.name}.{Area.parse(event.area or COMMUNITY).routing}",
        )

    def accept(self, **changes: Any) -> str:
        """Tell that a report was accepted; answers its code."""
        data = self.a_report(**changes)
        self.tell("report.accepted.v1", data)
        return str(data["report_code"])

    def a_report(self, **changes: Any) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat()
        report = {
            "report_code": self.new_code(),
            "channel": "hotline_12345",
            "category": "E0596",
            "urgency": "emergency",
            "area": GRID,
            "summary": "北院门口墙体脱落",
            "occurred_at": now,
            "received_at": now,
            "reporter": {"ref": "publisher:hotline"},
        }
        return report | changes

    def new_code(self) -> str:
        return f"BG20260101-{next(self._number):08d}"

    def _open(self) -> Any:
        if self._channel is None:
            self._connection = connect((self._uri,))
            self._channel = self._connection.channel()
        return self._channel

    def close(self) -> None:
        if self._connection is not None:
            self._connection.collect()  # the broker may have ended a connection that was idle for minutes


class Dispatch:
    """The process under test, as its callers and its database see it."""

    def __init__(self, servers: LocalSystem) -> None:
        address = servers.addresses.service("dispatch")
        self._keys_dir = servers.keys_dir
        self.url, self.health_url = address.http_url, address.health_url
        self.engine = create_engine(address.database_uri)
        self.exchange_uri = servers.rabbitmq.url()

    def token(
        self,
        person: str = "operator-1",
        roles: list[str] | None = None,
        areas: tuple[str, ...] | None = None,
        unit: str | None = None,
    ) -> str:
        own_unit, own_roles = PEOPLE.get(person, (None, []))
        return sign(
            self._keys_dir,
            person,
            own_roles if roles is None else roles,
            (COMMUNITY,) if areas is None else areas,
            unit or own_unit,
        )

    def call(
        self, method: str, path: str, body: Any = None, who: str | None = "operator-1", **more: Any
    ) -> requests.Response:
        headers = dict(more.pop("headers", {}))
        token = more.pop("token", None) or (self.token(who) if who else None)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return requests.request(method, self.url + path, json=body, headers=headers, timeout=20, **more)

    def get(self, path: str, **more: Any) -> Any:
        answer = self.call("GET", path, **more)
        assert answer.ok, answer.text
        return answer.json()

    def do(self, case_no: str, command: str, who: str, **body: Any) -> dict[str, Any]:
        """A command that must succeed; answers the case after it."""
        answer = self.call("POST", f"/v1/cases/{case_no}/{command}", body, who)
        assert answer.ok, answer.text
        return dict(answer.json())

    def refused(self, case_no: str, command: str, who: str, **body: Any) -> tuple[int, dict[str, Any]]:
        """A command that must be refused; answers the status and the problem."""
        answer = self.call("POST", f"/v1/cases/{case_no}/{command}", body, who)
        assert not answer.ok, answer.text
        return answer.status_code, answer.json()

    def case_of(self, report_code: str) -> dict[str, Any]:
        """The case that was filed on a report, once it is there."""
        found = soon(lambda: self.get("/v1/cases", params={"report_code": report_code})["items"])
        assert len(found) == 1
        return dict(found[0])

    def told(self, case_no: str, event_type: str) -> list[dict[str, Any]]:
        """The data of the facts of one type that were told of a case, in order."""
        wanted = text("SELECT body FROM outbox WHERE subject = :subject AND type = :type ORDER BY id")
        with self.engine.connect() as connection:
            rows = connection.execute(wanted, {"subject": case_no, "type": event_type}).scalars()
            return [json.loads(body)["data"] for body in rows]

    def rows(self, statement: str, **values: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(statement), values))

    def put_site(self, part: dict[str, Any], **more: Any) -> requests.Response:
        """Apply a site's part as the administrator of its street."""
        admin = self.token("admin-1", ["admin"], (str(part["area"])[:9],))
        return self.call("PUT", f"/v1/sites/{part['site']}", part, **{"token": admin} | more)

    a_part = staticmethod(a_part)
    a_category = staticmethod(a_category)
    soon = staticmethod(soon)

    def set_clock(self, at: str) -> None:
        answer = requests.put(f"{self.health_url}/clock", json={"set": at}, timeout=5)
        assert answer.ok, answer.text

    def release_clock(self) -> None:
        requests.put(f"{self.health_url}/clock", json={"release": True}, timeout=5)


@pytest.fixture(scope="session")
def dispatch(servers: LocalSystem) -> Dispatch:
    """The running process, with the site `dongli` applied."""
    servers.start_service("dispatch")
    running = Dispatch(servers)
    assert running.put_site(running.a_part()).ok
    return running


@pytest.fixture(scope="session")
def intake(servers: LocalSystem, dispatch: Dispatch) -> Iterator[Intake]:
    """Intake's voice; the directory's facts about the site's people and units are told already."""
    voice = Intake(servers.rabbitmq.service_url("intake"))
    for person, (unit, roles) in PEOPLE.items():
        voice.tell(
            "person.changed.v1",
            {"person_id": person, "area": COMMUNITY, "unit_id": unit, "status": "active"},
        )
        for role in roles:
            area = WORKERS_GRID.get(person, COMMUNITY)
            held = {"person_id": person, "role": role, "area": area, "unit_id": None, "status": "active"}
            voice.tell("role.changed.v1", held)
    for unit in sorted({unit for unit, _ in PEOPLE.values()}):
        voice.tell(
            "unit.changed.v1",
            {
                "unit_id": unit,
                "name": unit,
                "kind": "department",
                "area": COMMUNITY,
                "duties": ["G0301"] if unit == "police" else [],
                "status": "active",
            },
        )
    soon(lambda: dispatch.rows("SELECT count(*) FROM people")[0][0] >= len(PEOPLE))
    soon(lambda: dispatch.rows("SELECT 1 FROM units WHERE unit_id = 'street'"))
    soon(lambda: dispatch.rows("SELECT 1 FROM roles WHERE person_id = 'worker-2'"))
    yield voice
    voice.close()


@pytest.fixture
def clock(dispatch: Dispatch) -> Iterator[Callable[[str], None]]:
    """Sets the process's clock; it runs with the machine's again after the test."""
    yield dispatch.set_clock
    dispatch.release_clock()
