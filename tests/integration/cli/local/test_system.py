"""Servers of a system of their own: made, restarted with their data, killed, and stopped without a trace."""

import os
from contextlib import closing
from pathlib import Path

import kombu
import psycopg2
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from typer.testing import CliRunner

from wangge.cli.app import app
from wangge.cli.errors import CommandFailed
from wangge.cli.local import SERVICES, LocalSystem

DURABLE = kombu.Queue("dispatch.home.0", durable=True, queue_arguments={"x-queue-type": "quorum"})


@pytest.fixture(scope="module")
def own(new_directory):
    """A second system on the same machine, apart from the one that the other tests share."""
    system = LocalSystem(new_directory(), services=())
    try:
        system.start_servers()
        yield system
    finally:
        system.erase()


def processes_of(directory: Path) -> list[str]:
    """Every process of this machine whose command line or environment names the directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if str(directory).encode() in text:
            found.append(text.decode(errors="replace").replace("\0", " ")[:200])
    return found


def connect(uri: str, database: str) -> None:
    address = uri.replace("+psycopg2", "").rpartition("/")[0] + f"/{database}"
    psycopg2.connect(address).close()


def test_each_service_opens_its_own_database_and_no_other(own):
    for service in SERVICES:
        uri = own.service_env(service)["WANGGE_DATABASE_URI"]
        connect(uri, service)
        for other in {*SERVICES, "postgres", "template1"} - {service}:
            with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
                connect(uri, other)


def test_each_service_owns_its_database_and_may_make_tables(own):
    address = own.service_env("points")["WANGGE_DATABASE_URI"].replace("+psycopg2", "")
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute("create table scratch (n int); drop table scratch; show fsync")
        assert cursor.fetchone() == ("on",)


def test_each_service_logs_in_to_the_broker_without_any_tag(own):
    users = {user["name"]: user["tags"] for user in own.rabbitmq.call("GET", "/users")}
    assert users == {"wangge": ["administrator"]} | {service: [] for service in SERVICES}
    for service in SERVICES:
        with kombu.Connection(own.service_env(service)["WANGGE_AMQP_URI"]) as connection:
            connection.connect()


def test_service_may_declare_its_own_queue_and_not_anothers(own):
    uri = own.service_env("dispatch")["WANGGE_AMQP_URI"]
    with kombu.Connection(uri) as connection:
        kombu.Queue("dispatch.scratch", durable=True)(connection.channel()).declare()
        with pytest.raises(Exception, match="ACCESS_REFUSED"):
            kombu.Queue("points.scratch", durable=True)(connection.channel()).declare()


def test_broker_has_the_plugins_that_the_topology_needs(own):
    kinds = {kind["name"] for kind in own.rabbitmq.call("GET", "/overview")["exchange_types"]}
    assert "x-consistent-hash" in kinds


def test_servers_cannot_be_entered_without_a_password(own):
    port = own.ports.of("redis")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port, retry=Retry(NoBackoff(), 0)).ping()
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(f"postgresql://wangge@127.0.0.1:{own.ports.of('postgres')}/postgres")


def test_starting_what_runs_changes_nothing(own):
    before = own.addresses
    own.start_servers()
    assert own.addresses == before


@pytest.mark.parametrize("end", ["stop_server", "kill_server"])
def test_broker_keeps_its_messages_through_a_restart(own, end):
    confirmed = {"confirm_publish": True}
    with kombu.Connection(own.addresses.amqp_uri, transport_options=confirmed) as connection:
        queue = DURABLE(connection.channel())
        queue.declare()
        queue.purge()
        connection.Producer().publish({"n": 1}, routing_key=queue.name, delivery_mode=2)
    port = own.ports.of("rabbitmq")
    getattr(own, end)("rabbitmq")
    assert own.rabbitmq.process.pid is None
    own.start_server("rabbitmq")
    assert own.ports.of("rabbitmq") == port
    with kombu.Connection(own.addresses.amqp_uri) as connection:
        message = DURABLE(connection.channel()).get()
        assert message.payload == {"n": 1}
        message.ack()


@pytest.mark.parametrize("end", ["stop_server", "kill_server"])
def test_database_keeps_what_was_committed_through_a_restart(own, end):
    address = own.service_env("intake")["WANGGE_DATABASE_URI"].replace("+psycopg2", "")
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute("drop table if exists kept; create table kept (n int); insert into kept values (7)")
        connection.commit()
    getattr(own, end)("postgres")
    assert own.postgres.process.pid is None
    own.start_server("postgres")
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute("select n from kept")
        assert cursor.fetchall() == [(7,)]


def test_status_is_0_while_all_run_and_1_while_one_is_down(own):
    status = ["status", "--directory", str(own.directory)]
    assert CliRunner().invoke(app, status).exit_code == 0
    own.kill_server("redis")
    down = CliRunner().invoke(app, [*status, "--json"])
    own.start_server("redis")
    assert down.exit_code == 1
    assert '"is_ready": false' in down.stdout
    assert CliRunner().invoke(app, status).exit_code == 0


def test_service_that_cannot_start_shows_the_end_of_its_log(own):
    with pytest.raises(CommandFailed, match="nothing-like-it.log"):
        own.start_service("nothing-like-it")
    own.stop_service("nothing-like-it")


def test_stopped_system_leaves_no_process_and_keeps_its_data(own):
    assert processes_of(own.directory)
    own.stop()
    assert processes_of(own.directory) == []
    assert (own.directory / "postgres" / "data" / "PG_VERSION").exists()
    assert not (own.directory / "system.json").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's PostgreSQL runs as another user")
def test_system_under_a_private_directory_keeps_its_database_elsewhere_and_erases_it(tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    system = LocalSystem(private / "system")
    system.postgres.start(())
    data = system.postgres.home.resolve()
    assert private not in data.parents
    system.erase()
    assert not data.exists()
    assert not system.directory.exists()
    assert processes_of(private) == []
