"""Runs the probe, a service of one noun that misbehaves on demand, as real processes in a world of their own."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psycopg2
import psycopg2.extras
import requests

from kit.publishing import Outgoing, publish_all
from kit.waiting import eventually
from wangge.chassis import broker
from wangge.chassis.ids import new_id

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]

THING_TOLD = "thing.told.v1"


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
        """Start and wait until it is ready."""
        self.launch(**env)
        eventually(self.is_ready, 60)

    def launch(self, **env: str) -> None:
        """Start and do not wait."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "probe"], env=self._env | env, stdout=log, stderr=log, cwd=REPOSITORY
            )

    def is_ready(self) -> bool:
        """the probe is ready"""
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"the probe ended:\n{self.log.read_text()[-3000:]}")
        with suppress(requests.RequestException):
            return requests.get(f"{self.health}/health/ready", timeout=5).status_code == 200
        return False

    def refuses_to_start(self, **env: str) -> str:
        """What a probe says that ends instead of starting."""
        ended = subprocess.run(
            [sys.executable, "-m", "probe"],
            env=self._env | env,
            capture_output=True,
            cwd=REPOSITORY,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 1, ended.stderr
        return ended.stderr

    @property
    def pid(self) -> int:
        """The number of the process, running or just ended."""
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """What it ended with (a signal's number is negative); None while it runs."""
        return self._process.poll() if self._process else 0

    def ended(self, seconds: float) -> int:
        """Wait until it has ended by itself; answers its exit code."""
        assert self._process is not None
        return self._process.wait(seconds)

    def send(self, number: signal.Signals) -> None:
        """Signal the process and do not wait."""
        os.kill(self.pid, number)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal the process and wait until it has ended."""
        if self._process is None:
            return 0
        self._process.send_signal(how)
        code = self._process.wait(40)
        self._process = None
        return code

    def tell(self, *things: dict[str, Any], ids: Sequence[str] = ()) -> list[str]:
        """Publish `thing.told.v1` events; answers their ids."""
        given = list(ids) or [new_id() for _ in things]
        bodies = [orjson.dumps(told(event_id, thing)) for event_id, thing in zip(given, things, strict=True)]
        self.publish(*bodies, keys=[thing.get("key", "") for thing in things])
        return given

    def publish(self, *bodies: bytes, keys: Sequence[str] = (), areas: Sequence[str] = ()) -> None:
        """Publish raw bodies, each confirmed."""
        publish_all(
            self.amqp_uri,
            (
                Outgoing(
                    body,
                    "world.events",
                    f"thing.told.{areas[index]}" if areas else "thing.told.14.08.02",
                    {"partitionkey": keys[index]} if keys else {},
                )
                for index, body in enumerate(bodies)
            ),
        )

    def publish_as_itself(self, body: bytes) -> None:
        """Publish a raw body with the login that the broker vouches for."""
        login = broker.login_of(self.amqp_uri)
        publish_all(self.amqp_uri, [Outgoing(body, "world.events", "thing.told.14.08.02", user_id=login)])

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of the probe's database."""
        return sql(self.database_uri, statement, *values)

    def effects(self) -> list[dict[str, Any]]:
        """What took effect, in order."""
        return self.sql("SELECT event_id, key, number, cell FROM effect ORDER BY id")

    def held(self, state: str) -> list[dict[str, Any]]:
        """Held events in a state."""
        return self.sql("SELECT * FROM held_event WHERE state = %s ORDER BY id", state)

    def metric(self, name: str) -> float:
        """The sum of a metric's lines."""
        lines = requests.get(f"{self.health}/metrics", timeout=5).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@contextmanager
def restarted(process: ProbeProcess, **env: str) -> Iterator[list[int]]:
    """Start a process again whenever it dies, as a supervisor does; gives the exit codes it has seen."""
    codes: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            code = process.exit_code
            if code is not None:
                codes.append(code)
                process.launch(**env)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield codes
    finally:
        over.set()
        watching.join()


def a_thing(key: str = "k1", number: int = 1, **more: Any) -> dict[str, Any]:
    """What the world tells the probe."""
    return {"key": key, "number": number, **more}


def told(event_id: str, thing: dict[str, Any], event_type: str = THING_TOLD) -> dict[str, Any]:
    """The event that tells a thing."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/wangge/world",
        "type": event_type,
        "subject": thing.get("key", ""),
        "time": datetime.now(UTC).isoformat(),
        "partitionkey": thing.get("key", ""),
        "data": thing,
    }


def sql(uri: str, statement: str, *values: Any) -> list[dict[str, Any]]:
    """Rows of a database."""
    connection = psycopg2.connect(uri.replace("+psycopg2", ""))
    try:
        with connection, connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(statement, values)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
