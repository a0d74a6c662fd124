"""A running system with site packs applied: its people act over HTTP, its publishers over AMQP, its clock moves."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import amqp
import requests

from kit.waiting import eventually
from wangge.chassis import broker
from wangge.chassis.ids import new_id
from wangge.cli import packs, publishers, site
from wangge.cli.api import Api
from wangge.cli.cast import Cast
from wangge.cli.local import Addresses, LocalSystem
from wangge.contracts.areas import Area

#: Seconds that a publisher waits for a confirm before it publishes again.
CONFIRM_SECONDS = 15
SITES = Path(__file__).parents[2] / "sites"


class Town:
    """One community on a running system."""

    def __init__(self, system: LocalSystem, name: str) -> None:
        self.system = system
        self.directory = system.directory
        self.pack = packs.read(SITES / name)
        self.area = self.pack.area
        self.operator = Api.of_operator(self.directory)
        self.applied = site.apply_pack(self.operator, self.directory, self.pack)
        self.cast = Cast(self.pack, self.operator.addresses)

    @property
    def addresses(self) -> Addresses:
        return Addresses.read(self.directory)

    # the clock

    def clock_at(self, at: str) -> None:
        """Let the rules' clock of every service stand at this instant."""
        for service in self.addresses.services:
            answer = requests.put(f"{service.health_url}/clock", json={"set": at}, timeout=10)
            assert answer.status_code == 200, answer.text

    def release_clock(self) -> None:
        for service in self.addresses.services:
            requests.put(f"{service.health_url}/clock", json={"release": True}, timeout=10)

    # people

    def act(self, person: str, service: str, method: str, path: str, body: Any = None, **query: Any) -> Any:
        return self.cast.api(person).call(service, method, path, body, **query)

    def command(self, person: str, case_no: str, name: str, **body: Any) -> dict[str, Any]:
        """A person's command on a case; answers the case after it."""
        after: dict[str, Any] = self.act(person, "dispatch", "POST", f"/v1/cases/{case_no}/{name}", body)
        return after

    # publishers

    def incident(self, login: str, **data: Any) -> dict[str, Any]:
        """A CloudEvent as this publisher sends it."""
        known = publishers.Publisher.read(self.directory, login)
        return {
            "specversion": "1.0",
            "id": new_id(),
            "source": known.source,
            "type": "incident.reported.v1",
            "time": datetime.now(UTC).isoformat(),
            "area": self.area,
            "data": {"occurred_at": datetime.now(UTC).isoformat(), **data},
        }

    @property
    def routing_key(self) -> str:
        return f"incident.reported.{Area.parse(self.area).routing}"

    def publisher_uri(self, login: str) -> str:
        return publishers.broker_url(self.addresses, self.directory, login)

    def publish(
        self, login: str, *events: dict[str, Any] | bytes, vouched: bool = True, uri: str | None = None
    ) -> None:
        """Publish as a system that sets its `user_id` and waits for the broker's confirm."""
        connection = broker.connect((uri or self.publisher_uri(login),), confirm_publish=True)
        channel = connection.channel()
        for event in events:
            body = event if isinstance(event, bytes) else json.dumps(event).encode()
            properties: dict[str, Any] = {"delivery_mode": 2, "content_type": "application/cloudevents+json"}
            if vouched:
                properties["user_id"] = login
            if isinstance(event, dict):
                properties["message_id"] = event["id"]
                properties["application_headers"] = {"partitionkey": event["id"]}
            channel.basic_publish(
                amqp.Message(body, **properties),
                "incidents",
                self.routing_key,
                confirm_timeout=CONFIRM_SECONDS,
            )
        connection.close()

    def amqp_publish(self, login: str, event: dict[str, Any]) -> None:
        """Publish with Debian's amqp-publish, which knows nothing of us."""
        uri = self.publisher_uri(login).removesuffix("%2F").rstrip("/")
        subprocess.run(
            [
                "amqp-publish", f"--url={uri}", "--exchange=incidents", f"--routing-key={self.routing_key}",
                "--content-type=application/cloudevents+json", "--persistent", f"--body={json.dumps(event)}",
            ],
            check=True,
            timeout=30,
        )  # fmt: skip

    def receipts_on_queue(self, login: str) -> list[dict[str, Any]]:
        """Take everything that waits in the publisher's receipts queue."""
        connection = broker.connect((self.publisher_uri(login),))
        channel = connection.channel()
        taken = []
        while message := channel.basic_get(f"receipts.{login}", no_ack=True):
            taken.append(json.loads(message.body)["data"])
        connection.close()
        return taken

    # what became of it

    def receipt(self, login: str, message_id: str) -> dict[str, Any]:
        """The receipt of a message, once it is there."""

        def look() -> Any:
            answer = requests.get(
                f"{self.addresses.service('intake').http_url}/v1/receipts/{login}/{message_id}",
                headers={"Authorization": f"Bearer {self.operator.token}"},
                timeout=10,
            )
            return answer.json() if answer.status_code == 200 else None

        found: dict[str, Any] = eventually(look)
        return found

    def case_of(self, report_code: str, state: str | None = None) -> dict[str, Any]:
        """The case of a report, once it is there (in this state)."""

        def look() -> Any:
            items = self.operator.call("dispatch", "GET", "/v1/cases", report_code=report_code)["items"]
            return next((item for item in items if state in (None, item["state"])), None)

        case_no = eventually(look)["case_no"]
        return self.case(case_no)

    def case(self, case_no: str) -> dict[str, Any]:
        found: dict[str, Any] = self.operator.call("dispatch", "GET", f"/v1/cases/{case_no}")
        return found

    def messages(self, **query: Any) -> list[dict[str, Any]]:
        return self.operator.all("notify", "/v1/messages", **query)
