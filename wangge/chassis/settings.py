"""Reads a service's settings from the environment, once, into a frozen object; a laptop needs none set.

Any variable may be given as `<NAME>_FILE`, the path of a file that holds the value (for secrets).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from environs import FileAwareEnv

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
        """Settings of `service`. Raises `environs.EnvError` naming the variable that is wrong."""
        env = FileAwareEnv(prefix="WANGGE_")
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
            cell=env.str("CELL", "home"),
            areas=tuple(env.list("AREAS", [])),
            lanes=env.int("LANES", 4),
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
