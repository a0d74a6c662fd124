"""The four real services with a demo site, in which a contact of each leading unit is told of its cases at a webhook."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import amqp
import orjson
import yaml
from kit.reading import Reader
from kit.town import Town

from bench.publishing import Publisher
from bench.servers import servers
from bench.webhook import Receiver
from wangge.cli.local import SERVICES, LocalSystem
from wangge.contracts.envelope import CONTENT_TYPE

REPOSITORY = Path(__file__).parents[1]

LOGIN = "hotline12345"
GRIDS = ("14080200290200100", "14080200290200200", "14080200290200300", "14080200290200400")

#: What is reported in turn, and who is told of it at a webhook: a contact of the unit that leads the case.
TOLD = {
    "E0502": "hx-ranqi-contact",
    "E0504": "hx-reli-contact",
    "E0501": "hx-gongshui-contact",
    "E0508": "hx-gongdian-contact",
    "E0110": "hx-huanwei-contact",
    "E0104": "hx-jiedao-contact",
    "E0496": "hx-zhifa-officer",
    "G0101": "hx-mediator-1",
}
CATEGORIES = tuple(TOLD)


@dataclass(frozen=True)
class Running:
    """A running town, and how to look into it."""

    system: LocalSystem
    town: Town
    reader: Reader
    receiver: Receiver
    ready_seconds: dict[str, float]

    def incident(self, number: int) -> dict[str, Any]:
        """The `number`-th incident of a run: it has no position, so it is never merged with another."""
        return self.town.incident(
            LOGIN,
            text=f"第 {number} 件：小区东门外电线垂落，离地不到两米，孩子从下面经过，请尽快处理。",
            title=f"电线垂落（{number}）",
            channel="hotline_12345",
            category=CATEGORIES[number % len(CATEGORIES)],
            urgency="high",
            area=GRIDS[number % len(GRIDS)],
            external_no=f"bench-{time.time_ns()}-{number}",
        )

    def publisher(self) -> Publisher:
        """A connection of the outside system."""
        return Publisher(self.town.publisher_uri(LOGIN))

    def publish(self, publisher: Publisher, event: dict[str, Any]) -> None:
        """Send an incident; its confirm is awaited later."""
        publisher.publish(as_message(event), "incidents", self.town.routing_key)


def as_message(event: dict[str, Any]) -> amqp.Message:
    """The incident as the outside system sends it."""
    return amqp.Message(
        orjson.dumps(event),
        content_type=CONTENT_TYPE,
        delivery_mode=2,
        message_id=event["id"],
        user_id=LOGIN,
        application_headers={"partitionkey": event["id"]},
    )


@contextmanager
def running() -> Iterator[Running]:
    """Start everything, apply the site, give it the webhook."""
    with servers(tuple(SERVICES)) as system:
        began = time.perf_counter()
        for service in SERVICES:
            system.start_service(service, wait=False)
        ready = {}
        for service in SERVICES:
            system.service(service).wait_ready()
            ready[service] = round(time.perf_counter() - began, 2)
        receiver = Receiver()
        try:
            pack = _with_webhook(system.directory / "pack", receiver.url)
            yield Running(system, Town(system, str(pack)), Reader.of(system), receiver, ready)
        finally:
            receiver.close()


def _with_webhook(folder: Path, url: str) -> Path:
    """A copy of the demo site in which those contacts have an address."""
    pack = folder / "hexixijie"
    shutil.copytree(REPOSITORY / "sites/hexixijie", pack)
    notify = yaml.safe_load((pack / "notify.yaml").read_text(encoding="utf-8"))
    notify["contacts"] = [
        {"ref": f"person:{person}", "channels": [{"channel": "webhook", "address": url}]}
        for person in TOLD.values()
    ]
    text = yaml.safe_dump(notify, allow_unicode=True, sort_keys=False)
    (pack / "notify.yaml").write_text(text, encoding="utf-8")
    return pack
