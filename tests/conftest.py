"""What all tests share: one set of private servers a session, the four services on it, and scratch places."""

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis as redis_client
from hypothesis import settings

from wangge.cli.local import SERVICES, LocalSystem, debian
from wangge.cli.local.files import read_json, write_json
from wangge.cli.local.processes import birth_of

TESTS = Path(__file__).parent
#: Directories of the tests' systems, and the file in each that names the session which made it.
PREFIX = "wangge-test-"
OWNER = "owner.json"
#: Redis's database for tests of one part; the services use 0.
SCRATCH_REDIS_DATABASE = 1

# how long an example takes says how busy the machine is
settings.register_profile("wangge", deadline=None)
settings.load_profile("wangge")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the ring in whose folder it lies, so that `-m unit` needs no decorator."""
    for item in items:
        ring = item.path.relative_to(TESTS).parts[0]
        item.add_marker(ring)


@pytest.fixture(scope="session")
def new_directory() -> Callable[[], Path]:
    """Makes a directory for a system that is erased by the next session, should this one be killed."""
    _erase_what_killed_sessions_left()

    def make() -> Path:
        directory = Path(tempfile.mkdtemp(prefix=PREFIX))
        directory.chmod(0o711)  # PostgreSQL's own user must pass through
        write_json(directory / OWNER, {"pid": os.getpid(), "birth": birth_of(os.getpid())})
        return directory

    return make


def _erase_what_killed_sessions_left() -> None:
    for record in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{OWNER}"):
        owner = read_json(record)
        if birth_of(owner["pid"]) != owner["birth"] and (record.parent / "ports.json").exists():
            LocalSystem(record.parent).erase()


@pytest.fixture(scope="session")
def servers(new_directory: Callable[[], Path]) -> Iterator[LocalSystem]:
    """PostgreSQL, RabbitMQ and Redis with an account for each service, shared by all tests of the session.

    Also starts, stops and kills instances of the services: `servers.start_service("intake")`.
    """
    debian.install_missing()
    local = LocalSystem(new_directory(), services=(), movable_clock=True)
    try:
        local.start_servers()
        yield local
    finally:
        local.erase()


@pytest.fixture(scope="session")
def system(servers: LocalSystem) -> LocalSystem:
    """The four services, running with a movable clock on the shared servers."""
    servers.services = tuple(SERVICES)
    servers.start()
    return servers


@pytest.fixture
def database_uri(servers: LocalSystem) -> Iterator[str]:
    """An empty database for one test."""
    name = f"test_{uuid.uuid4().hex}"
    yield servers.postgres.create_database(name)
    servers.postgres.drop_database(name)


@pytest.fixture
def amqp_uri(servers: LocalSystem) -> Iterator[str]:
    """An empty virtual host of the broker for one test."""
    name = f"test-{uuid.uuid4().hex}"
    yield servers.rabbitmq.create_vhost(name)
    servers.rabbitmq.drop_vhost(name)


@pytest.fixture
def redis_uri(servers: LocalSystem) -> Iterator[str]:
    """An empty Redis database for one test."""
    uri = servers.redis.url().removesuffix("/0") + f"/{SCRATCH_REDIS_DATABASE}"
    yield uri
    with redis_client.Redis.from_url(uri) as client:
        client.flushdb()
