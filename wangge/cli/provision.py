"""`wangge provision secrets | accounts`: prepares a deployment whose servers and services run in containers.

Everything is kept in one directory, laid out as that of a local system, so that the other commands (`wangge site apply`,
`held list`, `publisher add` …) work on the deployment, too. Both commands may run again at any time: what is there stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import requests
import typer

from wangge.cli.errors import CommandFailed
from wangge.cli.local import DEFAULT_DIRECTORY, SERVICES, Addresses, ServiceAddress
from wangge.cli.local.files import write_atomically
from wangge.cli.local.ports import Ports
from wangge.cli.local.postgres import Postgres
from wangge.cli.local.rabbitmq import ADMIN, RabbitMQ
from wangge.cli.local.secrets import Secrets, make_keys
from wangge.cli.local.servers import START_SECONDS, Server
from wangge.cli.local.services import HEALTH_OFFSET
from wangge.cli.local.waiting import wait_until
from wangge.cli.options import Directory

commands = typer.Typer(
    no_args_is_help=True, help="Prepare a deployment in containers: passwords, keys, accounts."
)

#: The keys that services are handed; the one that signs tokens is not among them.
KEYS = ("jwks.json", "notify-public.json", "notify-private.json")


@dataclass(frozen=True)
class Hosts:
    """Where the deployment's servers are reached, each as `host:port`."""

    postgres: str
    rabbitmq: str
    management: str
    redis: str


class Database(Postgres):
    """A PostgreSQL that is run by others; its administrator is `wangge`."""

    def __init__(self, directory: Path, host: str) -> None:
        super().__init__(directory, Ports(directory / "ports.json", {}), Secrets(directory / "secrets"))
        self._host = host

    def _address(self, user: str, secret: str, database: str) -> str:
        return f"postgresql://{user}:{self.secrets.password(secret)}@{self._host}/{database}"


class Broker(RabbitMQ):
    """A RabbitMQ that is run by others; its administrator is `wangge`."""

    def __init__(self, directory: Path, host: str, management: str) -> None:
        super().__init__(directory, Ports(directory / "ports.json", {}), Secrets(directory / "secrets"))
        self._host = host
        self._management = management

    @property
    def management_url(self) -> str:
        return f"http://{self._management}"

    def is_ready(self) -> bool:
        try:
            self.call("GET", "/overview")
        except requests.RequestException:
            return False
        return True

    def _address(self, user: str, secret: str) -> str:
        return f"amqp://{user}:{self.secrets.password(secret)}@{self._host}//"


class Deployment:
    """The passwords, keys and addresses of one deployment, kept under one directory."""

    def __init__(self, directory: Path, hosts: Hosts) -> None:
        self.directory = directory.resolve()
        self.secrets = Secrets(self.directory / "secrets")
        self.database = Database(self.directory, hosts.postgres)
        self.broker = Broker(self.directory, hosts.rabbitmq, hosts.management)
        self.redis_uri = f"redis://:{self.secrets.password('redis')}@{hosts.redis}/0"

    def write(self) -> None:
        """Make what is missing of the passwords and keys, and lay out what each container is handed.

        The files under `mounts/` are readable by all, for every container has another user; the directory above them
        is its owner's only.
        """
        self.directory.chmod(0o700)
        make_keys(self.directory / "keys")
        for name, text in self._mounts():
            write_atomically(self.directory / "mounts" / name, text, 0o444)
        self._addresses().write()

    def make_accounts(self) -> None:
        """Give each service its database and its login on the broker; an account's password becomes the kept one.

        Raises:
            CommandFailed: a server gave no answer in time.
        """
        servers: tuple[Server, ...] = (self.database, self.broker)
        for server in servers:
            if not wait_until(server.is_ready, START_SECONDS):
                raise CommandFailed(f"{server.name} gave no answer within {START_SECONDS:.0f} s.")
            for service in SERVICES:
                server.provision(service)

    def _mounts(self) -> Iterator[tuple[str, str]]:
        for service in SERVICES:
            yield f"{service}-database-uri", self.database.service_url(service)
            yield f"{service}-amqp-uri", self.broker.service_url(service)
        yield "redis-uri", self.redis_uri
        yield "redis.conf", f"requirepass {self.secrets.password('redis')}\n"
        yield "postgres-password", self.secrets.password("postgres-admin")
        yield "grafana-password", self.secrets.password("grafana")
        password = self.secrets.password("broker-admin")
        yield "rabbitmq.conf", f"default_user = {ADMIN}\ndefault_pass = {password}\n"
        for name in KEYS:
            yield name, (self.directory / "keys" / name).read_text(encoding="utf-8")

    def _addresses(self) -> Addresses:
        return Addresses(
            directory=str(self.directory),
            keys_dir=str(self.directory / "keys"),
            movable_clock=False,
            amqp_uri=self.broker.url(),
            management_url=self.broker.management_url,
            database_admin_uri=self.database.url(),
            redis_uri=self.redis_uri,
            servers=(),
            services=tuple(self._service(name, port) for name, port in SERVICES.items()),
        )

    def _service(self, name: str, port: int) -> ServiceAddress:
        return ServiceAddress(
            name=name,
            instance="1",
            pid=None,
            http_url=f"http://{name}:{port}",
            health_url=f"http://{name}:{port + HEALTH_OFFSET}",
            database_uri=self.database.service_url(name),
            amqp_uri=self.broker.service_url(name),
            log="",
        )


PostgresHost = Annotated[str, typer.Option("--postgres", envvar="WANGGE_POSTGRES", help="host:port")]
RabbitMQHost = Annotated[str, typer.Option("--rabbitmq", envvar="WANGGE_RABBITMQ", help="host:port")]
ManagementHost = Annotated[str, typer.Option("--management", envvar="WANGGE_MANAGEMENT", help="host:port")]
RedisHost = Annotated[str, typer.Option("--redis", envvar="WANGGE_REDIS", help="host:port")]


@commands.command("secrets")
def secrets(
    postgres: PostgresHost = "postgres:5432",
    rabbitmq: RabbitMQHost = "rabbitmq:5672",
    management: ManagementHost = "rabbitmq:15672",
    redis: RedisHost = "redis:6379",
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Make, once, all passwords and keys, and the files that each container is handed."""
    Deployment(directory, Hosts(postgres, rabbitmq, management, redis)).write()
    print(f"The deployment's secrets are in {directory}: keep them for its operators, and back them up.")


@commands.command("accounts")
def accounts(
    postgres: PostgresHost = "postgres:5432",
    rabbitmq: RabbitMQHost = "rabbitmq:5672",
    management: ManagementHost = "rabbitmq:15672",
    redis: RedisHost = "redis:6379",
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Make each service's database, owner and login on the broker, with no more rights than it needs."""
    Deployment(directory, Hosts(postgres, rabbitmq, management, redis)).make_accounts()
    print(f"{', '.join(SERVICES)} have their databases and logins.")
