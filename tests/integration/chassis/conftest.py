"""Runs the probe service as a real process, on a database and a virtual host of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import amqp
import orjson
import psycopg2
import psycopg2.extras
import pytest
import requests

from wangge.chassis import broker
from wangge.chassis.ids import new_id
from wangge.cli.local import LocalSystem

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]


def _eventually(look: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What `look` answers once it answers something true; fails after `seconds`."""
    until = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds} s: {look.__doc__ or look}")
        time.sleep(0.05)


class ProbeProcess:
    """One process of the probe, and the world around it."""

    def __init__(self, database_uri: str, amqp_uri: str, redis_uri: str, keys_dir: Path, log: Path) -> None:
        self.database_uri = database_uri
        self.amqp_uri = amqp_uri
        self.log = log
        self.port, self.health_port = _free_port(), _free_port()
        self.http = f"http://127.0.0.1:{self.port}"
        self.health = f"http://127.0.0.1:{self.health_port}"
        self._env = {
            **os.environ,
            "PYTHONPATH": f"{HERE}:{REPOSITORY}",
            "PYTHONWARNINGS": "ignore",
            "EVENTLET_NO_GREENDNS": "yes",
            "WANGGE_DATABASE_URI": database_uri,
            "WANGGE_AMQP_URI": amqp_uri,
            "WANGGE_REDIS_URI": redis_uri,
            "WANGGE_KEYS_DIR": str(keys_dir),
            "WANGGE_HTTP_PORT": str(self.port),
            "WANGGE_HEALTH_PORT": str(self.health_port),
            "WANGGE_MOVABLE_CLOCK": "1",
            "WANGGE_HANDLER_SECONDS": "2",
            "WANGGE_BATCH_SIZE": "20",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **env: str) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "probe"], env=self._env | env, stdout=log, stderr=log, cwd=REPOSITORY
            )
        _eventually(self.is_ready, 30)

    def is_ready(self) -> bool:
        """the probe is ready"""
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"the probe ended:\n{self.log.read_text()[-3000:]}")
        with suppress(requests.ConnectionError):
            return requests.get(f"{self.health}/health/ready", timeout=5).status_code == 200
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(how)
        code = self._process.wait(40)
        self._process = None
        return code

    def tell(self, *things: dict[str, Any], ids: Sequence[str] = ()) -> list[str]:
        """Publish `thing.told.v1` events; answers their ids."""
        given = list(ids) or [new_id() for _ in things]
        bodies = [_told(event_id, thing) for event_id, thing in zip(given, things, strict=True)]
        self.publish(*bodies, keys=[thing.get("key", "") for thing in things])
        return given

    def publish(self, *bodies: bytes, keys: Sequence[str] = (), areas: Sequence[str] = ()) -> None:
        """Publish raw bodies, each confirmed."""
        connection = broker.connect((self.amqp_uri,), confirm_publish=True)
        channel = connection.channel()
        for index, body in enumerate(bodies):
            headers = {"partitionkey": keys[index]} if keys else {}
            routing_key = f"thing.told.{areas[index]}" if areas else "thing.told.14.08.02"
            channel.basic_publish(
                amqp.Message(body, delivery_mode=2, application_headers=headers), "world.events", routing_key
            )
        connection.close()

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg2.connect(self.database_uri.replace("+psycopg2", "")) as connection:
            cursor = connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
            cursor.execute(statement, values)
            rows = [dict(row) for row in cursor.fetchall()] if cursor.description else []
        connection.close()
        return rows

    def effects(self) -> list[dict[str, Any]]:
        return self.sql("SELECT event_id, key, number, cell FROM effect ORDER BY id")

    def held(self, state: str) -> list[dict[str, Any]]:
        return self.sql("SELECT * FROM held_event WHERE state = %s ORDER BY id", state)

    def metric(self, name: str) -> float:
        lines = requests.get(f"{self.health}/metrics", timeout=5).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def _told(event_id: str, thing: dict[str, Any]) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": "/wangge/world",
            "type": "thing.told.v1",
            "subject": thing.get("key", ""),
            "time": datetime.now(UTC),
            "partitionkey": thing.get("key", ""),
            "data": thing,
        }
    )


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Waits for something to become true, and answers it."""
    return _eventually


@pytest.fixture
def probe(
    servers: LocalSystem, database_uri: str, amqp_uri: str, redis_uri: str, tmp_path: Path
) -> Iterator[ProbeProcess]:
    """A probe that runs."""
    process = ProbeProcess(database_uri, amqp_uri, redis_uri, servers.keys_dir, tmp_path / "probe.log")
    process.start()
    yield process
    process.stop(signal.SIGKILL)


@pytest.fixture
def another_probe(
    probe: ProbeProcess, servers: LocalSystem, redis_uri: str, tmp_path: Path
) -> Iterator[ProbeProcess]:
    """A second process beside the probe, not started yet."""
    process = ProbeProcess(
        probe.database_uri, probe.amqp_uri, redis_uri, servers.keys_dir, tmp_path / "another.log"
    )
    yield process
    process.stop(signal.SIGKILL)
