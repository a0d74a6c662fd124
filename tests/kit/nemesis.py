"""What happens to servers and networks; each a context that ends the fault again, or a blow that is over at once."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import redis
from psycopg2 import sql

from wangge.cli.local import SERVICES, LocalSystem

# the broker


@contextmanager
def broker_app_stopped(system: LocalSystem) -> Iterator[None]:
    """The node lives, RabbitMQ in it does not (`rabbitmqctl stop_app`)."""
    system.rabbitmq.ctl("stop_app")
    try:
        yield
    finally:
        system.rabbitmq.ctl("start_app")
        system.start_server("rabbitmq")


@contextmanager
def server_down(system: LocalSystem, name: str, how: str = "kill") -> Iterator[None]:
    """A server ended as by a power cut (`kill`) or in order (`stop`), until the end of the block."""
    if how == "kill":
        system.kill_server(name)
    else:
        system.stop_server(name)
    try:
        yield
    finally:
        system.start_server(name)


@contextmanager
def memory_alarm(system: LocalSystem) -> Iterator[None]:
    """The broker believes that it has no memory left and takes no messages."""
    system.rabbitmq.ctl("set_vm_memory_high_watermark", "0.00001")
    try:
        yield
    finally:
        system.rabbitmq.ctl("set_vm_memory_high_watermark", "0.4")


@contextmanager
def disk_alarm(system: LocalSystem) -> Iterator[None]:
    """The broker believes that its disk is full and takes no messages."""
    system.rabbitmq.ctl("set_disk_free_limit", "900000GB")
    try:
        yield
    finally:
        system.rabbitmq.ctl("set_disk_free_limit", "50MB")


@contextmanager
def queue_policy(system: LocalSystem, pattern: str, **definition: Any) -> Iterator[None]:
    """A policy on the queues that the pattern matches."""
    body = {"pattern": pattern, "definition": definition, "apply-to": "queues"}
    system.rabbitmq.call("PUT", "/policies/%2F/nemesis", body)
    try:
        yield
    finally:
        system.rabbitmq.call("DELETE", "/policies/%2F/nemesis")


def close_connections(system: LocalSystem, user: str) -> None:
    """End every connection of a login on the broker's side."""
    system.rabbitmq.ctl("close_all_user_connections", user, "nemesis")


# the database


def execute(
    system: LocalSystem, statement: str | sql.Composable, *values: Any, database: str = "postgres"
) -> list[Any]:
    """Run a statement as the administrator of the database server, outside any transaction."""
    uri = system.postgres.url().rpartition("/")[0] + f"/{database}"
    with closing(psycopg2.connect(uri, connect_timeout=5)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall()) if cursor.description else []


def terminate_backends(system: LocalSystem) -> int:
    """End every connection of every service on the database's side; answers how many."""
    names = sql.SQL(", ").join(map(sql.Literal, SERVICES))
    return len(
        execute(
            system,
            sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ({})").format(
                names
            ),
        )
    )


@contextmanager
def read_only(system: LocalSystem) -> Iterator[None]:
    """The database server takes no writes, as a standby after a wrong failover."""
    _set(system, "default_transaction_read_only", "on")
    try:
        yield
    finally:
        _set(system, "default_transaction_read_only", "off")


def _set(system: LocalSystem, name: str, value: str) -> None:
    execute(system, f"ALTER SYSTEM SET {name} = {value}")
    execute(system, "SELECT pg_reload_conf()")


@contextmanager
def role_altered(system: LocalSystem, service: str, change: str, back: str) -> Iterator[None]:
    """A service's database role under another rule, felt at its next connections."""
    execute(system, f"ALTER ROLE {service} {change}")
    terminate_backends(system)
    try:
        yield
    finally:
        execute(system, f"ALTER ROLE {service} {back}")
        terminate_backends(system)


def hold_lock(system: LocalSystem, service: str, table: str, seconds: float) -> None:
    """Keep everybody from a table, as a careless migration does."""
    uri = system.postgres.url().rpartition("/")[0] + f"/{service}"
    with closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(table)))
        time.sleep(seconds)


# Redis


def redis_client(system: LocalSystem) -> redis.Redis:
    """The administrator's way into Redis."""
    return redis.Redis.from_url(system.redis.url(), decode_responses=True)


# processes


@contextmanager
def service_paused(system: LocalSystem, service: str) -> Iterator[None]:
    """A process that neither speaks nor hears (SIGSTOP), with its connections open."""
    pid = system.service(service).process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
