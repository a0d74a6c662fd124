"""Incidents that somebody sends while things break, and what must have become of them afterwards."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import amqp
import requests
from amqp.exceptions import MessageNacked

from kit.ledger import Ledger
from kit.quiescence import nothing_lost_nothing_doubled
from kit.reading import Reader
from kit.town import Town
from wangge.cli import publishers
from wangge.cli.local import SERVICES

LOGIN = "hotline12345"
GRIDS = ("14080200290200100", "14080200290200200", "14080200290200300", "14080200290200400")
#: Seconds that a sender waits after a failure before it sends the same again.
AGAIN_SECONDS = 0.3


class Trial:
    """One test's traffic on a town: `sent` are the incidents that the system has taken (confirmed, or 201)."""

    def __init__(self, town: Town, ledger: Ledger) -> None:
        self.town = town
        self.ledger = ledger
        self.reader = Reader.of(town.system)
        self.sent: list[dict[str, Any]] = []
        self._attempt = 0
        self._published: list[dict[str, Any]] = []
        self._seen = {service: self._last_held(service) for service in SERVICES}

    # sending

    def incident(self) -> dict[str, Any]:
        """An incident of its own, whose number nobody else uses."""
        number = uuid.uuid4().hex[:12]
        return self.town.incident(
            LOGIN,
            text=f"电线垂落 {number}",
            channel="hotline_12345",
            category="E0508",
            area=GRIDS[len(self.sent) % len(GRIDS)],
            external_no=f"T-{number}",
        )

    def publish(self, count: int = 1) -> None:
        """Publish incidents on the bus in one go, each confirmed."""
        events = [self.incident() for _ in range(count)]
        self.town.publish(LOGIN, *events)
        self.ledger.good(*events)
        self.sent += events

    def post(self, event: dict[str, Any] | None = None) -> requests.Response:
        """Report an incident over HTTP as the publisher."""
        event = event or self.incident()
        answer = requests.post(
            f"{self.town.addresses.service('intake').http_url}/v1/reports",
            json=event["data"],
            headers={"X-API-Key": publishers.api_key_of(self.town.directory, LOGIN)},
            timeout=60,
        )
        if answer.status_code == 201:
            self.sent.append(event)
        return answer

    def publish_again(self, count: int) -> None:
        """Publish some of what the bus has taken once more, under the same ids."""
        for event in self._published[-count:]:
            self.ledger.sent_again(event)
            with suppress(OSError, amqp.AMQPError, MessageNacked):
                self.town.publish(LOGIN, event)

    def poison(self, count: int) -> None:
        """Publish messages that nobody can read as incidents, until each is taken."""
        for _ in range(count):
            broken = self.town.incident(LOGIN, channel="hotline_12345", category=7)
            self.ledger.poison(broken)
            while not self._is_published(broken):
                time.sleep(AGAIN_SECONDS)

    @contextmanager
    def traffic(self, *, every: float = 0.05) -> Iterator[None]:
        """Somebody publishes and somebody posts, one incident `every` so many seconds each, while the block runs.

        Both repeat an incident until it is taken, as a publisher that loses nothing does.
        """
        over = threading.Event()
        senders = [
            threading.Thread(target=self._keep_sending, args=(send, every, over), daemon=True)
            for send in (self._publish_one, self._post_one)
        ]
        for sender in senders:
            sender.start()
        try:
            yield
        finally:
            over.set()
            for sender in senders:
                sender.join(120)
                assert not sender.is_alive(), (
                    "an incident could not be brought for two minutes after the fault"
                )

    def _keep_sending(
        self, send: Callable[[dict[str, Any]], bool], every: float, over: threading.Event
    ) -> None:
        while not over.wait(every):
            event = self.incident()
            while not send(event):
                time.sleep(AGAIN_SECONDS)

    def publisher_uri(self, attempt: int) -> str:
        """Where the publisher publishes to after so many failures."""
        return self.town.publisher_uri(LOGIN)

    def _publish_one(self, event: dict[str, Any]) -> bool:
        if self._is_published(event):
            self.ledger.good(event)
            self.sent.append(event)
            self._published.append(event)
            return True
        self.ledger.sent_again(event)  # it may have arrived all the same
        return False

    def _is_published(self, event: dict[str, Any]) -> bool:
        with suppress(OSError, amqp.AMQPError, MessageNacked):
            self.town.publish(LOGIN, event, uri=self.publisher_uri(self._attempt))
            return True
        self._attempt += 1
        return False

    def _post_one(self, event: dict[str, Any]) -> bool:
        with suppress(requests.RequestException):
            return self.post(event).status_code == 201
        return False

    # what must have become of it

    def verify(self, seconds: float = 240) -> None:
        """Wait until all is quiet; then nothing may be lost, doubled or out of place."""
        nothing_lost_nothing_doubled(self.reader, self.ledger, seconds)
        self._every_incident_taken_is_one_report_one_case_and_one_notice()

    def held(self) -> list[dict[str, Any]]:
        """Events that any service held since this trial began, whatever became of them."""
        return [
            {"service": service, **row}
            for service, last in self._seen.items()
            for row in self.reader.rows(
                service, "SELECT state, type, cause, detail, attempts FROM held_event WHERE id > %s", last
            )
        ]

    def pending(self, service: str) -> int:
        """Facts of a service that are not published yet."""
        statement = "SELECT count(*) AS n FROM outbox WHERE published_at IS NULL"
        return int(self.reader.rows(service, statement)[0]["n"])

    def metric(self, service: str, name: str) -> float:
        """The sum of a metric's series as the service tells it now."""
        health = self.town.addresses.service(service).health_url
        lines = requests.get(f"{health}/metrics", timeout=10).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    def _last_held(self, service: str) -> int:
        rows = self.reader.rows(service, "SELECT coalesce(max(id), 0) AS last FROM held_event")
        return int(rows[0]["last"])

    def _every_incident_taken_is_one_report_one_case_and_one_notice(self) -> None:
        numbers = [event["data"]["external_no"] for event in self.sent]
        reports = self.reader.rows(
            "intake", "SELECT code, external_no FROM reports WHERE external_no = ANY(%s)", numbers
        )
        assert Counter(row["external_no"] for row in reports) == Counter(numbers)
        codes = [row["code"] for row in reports]
        cases = self.reader.rows(
            "dispatch", "SELECT case_no, report_code FROM cases WHERE report_code = ANY(%s)", codes
        )
        assert Counter(row["report_code"] for row in cases) == Counter(codes)
        told = self.reader.rows(
            "notify",
            "SELECT case_no, count(DISTINCT event_id) AS events FROM messages "
            "WHERE template = 'unit.dispatched' AND case_no = ANY(%s) GROUP BY 1",
            [row["case_no"] for row in cases],
        )
        assert Counter({row["case_no"]: row["events"] for row in told}) == Counter(
            row["case_no"] for row in cases
        )
