"""Who does the hop: how each implementation is started, and how its messages are worded."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from wangge.cli.local.ports import Ports
from wangge.contracts.envelope import CONTENT_TYPE

REPOSITORY = Path(__file__).parents[2]

#: Where the peers are installed (`make bench`); ours and the hand-written loop need only the project's own packages.
PEERS = REPOSITORY / ".venv/bench/bin/python"

#: The task that Celery runs for an event.
CELERY_TASK = "bench.report_incident"


@dataclass(frozen=True, slots=True)
class Worded:
    """A message as an implementation reads it from its queue."""

    body: bytes
    content_type: str
    headers: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """What one process is given: its cell of the service, the areas, the queues, and where the servers are."""

    name: str
    areas: tuple[str, ...]
    queues: tuple[str, ...]
    database_uri: str
    amqp_uri: str
    redis_uri: str
    keys_dir: Path


@dataclass(frozen=True, slots=True)
class Implementation:
    """One way to do the hop. `share` is its part of the messages, so that a slow one takes no longer."""

    name: str
    title: str
    command: Callable[[Cell, Mapping[str, str]], list[str]]
    environment: Callable[[Cell, Ports], dict[str, str]]
    word: Callable[[dict[str, Any]], Worded]
    share: float
    settings: Mapping[str, str] = field(default_factory=dict)
    """What `python -m bench.hop.tune` found best."""


def _as_cloud_event(event: dict[str, Any]) -> Worded:
    return Worded(orjson.dumps(event), CONTENT_TYPE, {})


def _as_json(event: dict[str, Any]) -> Worded:
    return Worded(orjson.dumps(event), "application/json", {})


def _as_celery_task(event: dict[str, Any]) -> Worded:
    """Celery's message protocol 2, as `task.delay(event)` sends it."""
    headers = {
        "lang": "py", "task": CELERY_TASK, "id": event["id"], "root_id": event["id"], "parent_id": None,
        "group": None, "retries": 0, "timelimit": [None, None], "argsrepr": "(…)", "kwargsrepr": "{}",
        "origin": "bench", "ignore_result": True,
    }  # fmt: skip
    embedded = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    return Worded(orjson.dumps([[event], {}, embedded]), "application/json", headers)


def _of_ours(cell: Cell, ports: Ports) -> dict[str, str]:
    return {
        "WANGGE_DATABASE_URI": cell.database_uri,
        "WANGGE_AMQP_URI": cell.amqp_uri,
        "WANGGE_REDIS_URI": cell.redis_uri,
        "WANGGE_KEYS_DIR": str(cell.keys_dir),
        "WANGGE_CELL": cell.name,
        "WANGGE_AREAS": ",".join(cell.areas),
        "WANGGE_LANES": str(len(cell.queues)),
        "WANGGE_HTTP_PORT": str(ports.claim(f"hop-{cell.name}-http")),
        "WANGGE_HEALTH_PORT": str(ports.claim(f"hop-{cell.name}-health")),
        "EVENTLET_NO_GREENDNS": "yes",
    }


def _of_peer(cell: Cell, ports: Ports) -> dict[str, str]:
    return {
        "HOP_DATABASE_URI": cell.database_uri.replace("+psycopg2", ""),
        "HOP_AMQP_URI": cell.amqp_uri,
        "HOP_QUEUES": ",".join(cell.queues),
        "EVENTLET_NO_GREENDNS": "yes",
    }


def _module(python: Path, *words: str) -> Callable[[Cell, Mapping[str, str]], list[str]]:
    return lambda cell, settings: [str(python), "-m", *words]


def _celery(cell: Cell, settings: Mapping[str, str]) -> list[str]:
    app = ["--app", "bench.hop.peers.celery_app", "worker"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "warning"]
    pool = ["--pool", settings["HOP_POOL"], "--concurrency", settings["HOP_CONCURRENCY"]]
    return [str(PEERS), "-m", "celery", *app, *quiet, *pool, "--hostname", f"{cell.name}@localhost"]


OURS = Path(sys.executable)
STOCK_NAMEKO = ["nameko", "run", "--config", "bench/hop/peers/nameko.yaml", "bench.hop.peers.stock_nameko"]

IMPLEMENTATIONS = {
    each.name: each
    for each in (
        Implementation(
            "loop",
            "hand-written loop",
            _module(OURS, "bench.hop.peers.loop"),
            _of_peer,
            _as_cloud_event,
            share=1.0,
        ),
        Implementation(
            "loop-quick",
            "the loop with Wangge's loader",
            _module(OURS, "bench.hop.peers.loop"),
            _of_peer,
            _as_cloud_event,
            share=1.0,
            settings={"HOP_LOADER": "quick"},
        ),
        Implementation(
            "ours", "Wangge", _module(OURS, "bench.hop.ours"), _of_ours, _as_cloud_event, share=1.0
        ),
        Implementation(
            "nameko",
            "stock nameko",
            _module(PEERS, *STOCK_NAMEKO),
            _of_peer,
            _as_json,
            share=0.12,
            settings={"HOP_CONCURRENCY": "10", "HOP_PREFETCH": "10"},
        ),
        Implementation(
            "celery",
            "Celery",
            _celery,
            _of_peer,
            _as_celery_task,
            share=0.12,
            settings={"HOP_POOL": "threads", "HOP_CONCURRENCY": "16", "HOP_PREFETCH": "4"},
        ),
        Implementation(
            "faststream",
            "FastStream",
            _module(PEERS, "bench.hop.peers.faststream_app"),
            _of_peer,
            _as_cloud_event,
            share=0.1,
            settings={"HOP_CONCURRENCY": "40"},
        ),
    )
}
