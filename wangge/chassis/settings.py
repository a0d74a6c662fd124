"""Reads a service's settings from the environment, once, into a frozen object; a laptop needs none set.

Any variable may be given as `<NAME>_FILE`, the path of a file that holds the value (for secrets).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from environs import FileAwareEnv

from wangge.chassis.errors import FieldError, invalid
from wangge.chassis.topology import HOME, RESERVED
from wangge.contracts.areas import Area, overlapping

PORTS = {"console": 8000, "intake": 8001, "dispatch": 8002, "points": 8003, "notify": 8004}


@dataclass(frozen=True, slots=True)
class Settings:
    """One process's settings. Addresses are URIs, durations seconds."""

    service: str
    database_uri: str
    amqp_uris: tuple[str, ...]
    redis_uri: str
    http_host: str
    http_port: int
    health_port: int
    keys_dir: Path
    cell: str
    areas: tuple[str, ...]
    lanes: int
    hand_over_seconds: float
    movable_clock: bool
    log_level: str
    pool_size: int
    outbox_most: int
    outbox_seconds: float
    workers: int
    batch_size: int
    handler_seconds: float
    retry_attempts: int
    retry_age_seconds: int
    heartbeat_seconds: int
    stuck_seconds: float
    failpoints: str

    @classmethod
    def from_environment(cls, service: str) -> Settings:
        """Settings of `service`.

        Raises `environs.EnvError` naming the variable that is wrong, and `Invalid` naming all that is wrong with the cell.
        """
        env = FileAwareEnv(prefix="WANGGE_")
        cell, lanes = env.str("CELL", HOME), env.int("LANES", 4)
        areas = read_cell(cell, env.list("AREAS", []), lanes)
        port = env.int("HTTP_PORT", PORTS.get(service, 8000))
        return cls(
            service=service,
            database_uri=env.str("DATABASE_URI", f"postgresql+psycopg2://{service}@127.0.0.1:5432/{service}"),
            amqp_uris=tuple(env.list("AMQP_URI", ["amqp://guest:guest@127.0.0.1:5672//"], delimiter=";")),
            redis_uri=env.str("REDIS_URI", "redis://127.0.0.1:6379/0"),
            http_host=env.str("HTTP_HOST", "127.0.0.1"),
            http_port=port,
            health_port=env.int("HEALTH_PORT", port + 100),
            keys_dir=env.path("KEYS_DIR", Path(".wangge/keys")),
            cell=cell,
            areas=areas,
            lanes=lanes,
            hand_over_seconds=env.float("HAND_OVER_SECONDS", 15.0),
            movable_clock=env.bool("MOVABLE_CLOCK", False),
            log_level=env.str("LOG_LEVEL", "info"),
            pool_size=env.int("POOL_SIZE", 16),
            outbox_most=env.int("OUTBOX_MOST", 100_000),
            outbox_seconds=env.float("OUTBOX_SECONDS", 86_400.0),
            workers=env.int("WORKERS", 32),
            batch_size=env.int("BATCH_SIZE", 100),
            handler_seconds=env.float("HANDLER_SECONDS", 30.0),
            retry_attempts=env.int("RETRY_ATTEMPTS", 12),
            retry_age_seconds=env.int("RETRY_AGE_SECONDS", 86_400),
            heartbeat_seconds=env.int("HEARTBEAT_SECONDS", 20),
            stuck_seconds=env.float("STUCK_SECONDS", 30.0),
            failpoints=env.str("FAILPOINTS", ""),
        )


CELL_NAME = r"[a-z][a-z0-9_]{0,31}"
MOST_LANES = 64


def read_cell(cell: str, areas: list[str], lanes: int) -> tuple[str, ...]:
    """The codes of a cell's areas, given as digits or dotted words. Raises `Invalid` naming everything wrong at once."""
    wrong: list[FieldError] = []
    if not re.fullmatch(CELL_NAME, cell) or cell in RESERVED:
        reserved = ", ".join(sorted(RESERVED))
        wrong.append(
            _wrong("CELL", f"{cell!r}: lower-case letters, digits and _, at most 32, not {reserved}")
        )
    if not 1 <= lanes <= MOST_LANES:
        wrong.append(_wrong("LANES", f"{lanes}: 1 to {MOST_LANES}"))
    if cell == HOME and areas:
        wrong.append(
            _wrong(
                "AREAS",
                f"{HOME} takes what no other cell serves: name the cell (WANGGE_CELL), or give no areas",
            )
        )
    if cell != HOME and not areas:
        wrong.append(_wrong("AREAS", f"say which areas {cell} serves, for example 14.08.02.002 or 140802002"))
    codes = []
    for text in areas:
        try:
            codes.append(read_area(text).code)
        except ValueError as error:
            wrong.append(_wrong("AREAS", f"{text.strip()!r}: {error}"))
    wrong += [_wrong("AREAS", f"{one} and {other} overlap: give one") for one, other in overlapping(codes)]
    if wrong:
        raise invalid(wrong)
    return tuple(codes)


def read_area(text: str) -> Area:
    """An area given as its code or as the words of its routing key. Raises `ValueError` saying what is wrong."""
    text = text.strip()
    return Area.from_words(text.split(".")) if "." in text else Area.parse(text)


def _wrong(variable: str, message: str) -> FieldError:
    return {"field": f"WANGGE_{variable}", "message": message}
