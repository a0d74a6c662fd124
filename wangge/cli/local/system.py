"""One whole system on this machine: its servers, its services, and where they are reached."""

import fcntl
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from wangge.cli.errors import CommandFailed
from wangge.cli.local.addresses import FILE, Addresses, ServiceAddress
from wangge.cli.local.ports import Ports
from wangge.cli.local.postgres import Postgres
from wangge.cli.local.processes import clean_environment
from wangge.cli.local.rabbitmq import RabbitMQ
from wangge.cli.local.redis import Redis
from wangge.cli.local.secrets import Secrets, make_keys
from wangge.cli.local.servers import Server
from wangge.cli.local.services import DRAIN_SECONDS, SERVICES, ServiceProcess

T = TypeVar("T")


class LocalSystem:
    """Servers and services under one directory, apart from every other system of this machine.

    As a context manager it starts all on entry and stops all on exit; the data stay. Its methods also start,
    stop and kill the parts one by one, which is what the fault tests do.
    """

    def __init__(
        self,
        directory: Path,
        services: Sequence[str] = tuple(SERVICES),
        movable_clock: bool = False,
        preferred_ports: Mapping[str, int] | None = None,
    ) -> None:
        self.directory = directory.resolve()
        self.services = tuple(services)
        self.movable_clock = movable_clock
        self.keys_dir = self.directory / "keys"
        secrets = Secrets(self.directory / "secrets")
        self.ports = Ports(self.directory / "ports.json", preferred_ports or {})
        self.postgres = Postgres(self.directory, self.ports, secrets)
        self.rabbitmq = RabbitMQ(self.directory, self.ports, secrets)
        self.redis = Redis(self.directory, self.ports, secrets)
        self._addresses_lock = threading.Lock()  # services start at the same time, each writes the file

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Keep any other command from starting or stopping the same system meanwhile; it waits."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def start(self) -> None:
        """Start what does not run yet of the servers and services."""
        self.start_servers()
        _at_once(self.start_service, self.services)

    def start_servers(self) -> None:
        """Start the three servers at the same time, with an account for each service."""
        self.directory.mkdir(parents=True, exist_ok=True)
        make_keys(self.keys_dir)
        _at_once(lambda server: server.start(tuple(SERVICES)), self.servers.values())
        self._write_addresses()

    def stop(self) -> None:
        """Stop the services, each finishing its work, then the servers; the data stay."""
        _at_once(lambda service: service.process.stop(DRAIN_SECONDS), self.wanted_services())
        _at_once(lambda server: server.stop(), self.servers.values())
        (self.directory / FILE).unlink(missing_ok=True)

    def erase(self) -> None:
        """Stop everything and remove the directory with all data.

        Raises:
            CommandFailed: the directory is not a system's, so nothing was removed.
        """
        if not self.ports.path.exists():
            raise CommandFailed(f"{self.directory} holds no system; nothing was removed.")
        self.stop()
        self.postgres.erase()
        shutil.rmtree(self.directory)

    @property
    def servers(self) -> dict[str, Server]:
        """The three servers by name: `postgres`, `rabbitmq`, `redis`."""
        return {server.name: server for server in (self.postgres, self.rabbitmq, self.redis)}

    def start_server(self, name: str) -> None:
        """Start one server again, on its port and with its data."""
        self.servers[name].start(tuple(SERVICES))
        self._write_addresses()

    def stop_server(self, name: str) -> None:
        """End one server in order."""
        self.servers[name].stop()

    def kill_server(self, name: str) -> None:
        """End one server as a power cut would."""
        self.servers[name].kill()

    def start_service(
        self, name: str, extra_env: Mapping[str, str] | None = None, instance: str = "1", wait: bool = True
    ) -> None:
        """Start one instance of a service unless it runs, and wait until it is ready.

        Raises:
            CommandFailed: it did not become ready; the text shows the end of its log.
        """
        service = self.service(name, instance)
        if service.process.pid is None:
            service.claim_ports()
            ours = self.service_env(name, instance)
            service.start({**clean_environment(), **ours, **(extra_env or {})}, self.directory)
        if wait:
            service.wait_ready()
        self._write_addresses()

    def stop_service(self, name: str, instance: str = "1") -> None:
        """Let one instance finish its work and end."""
        self.service(name, instance).process.stop(DRAIN_SECONDS)
        self._write_addresses()

    def kill_service(self, name: str, instance: str = "1") -> None:
        """End one instance at once (kill -9)."""
        self.service(name, instance).process.kill()

    def service(self, name: str, instance: str = "1") -> ServiceProcess:
        """The process of an instance, running or not."""
        return ServiceProcess(name, instance, self.directory, self.ports)

    def wanted_services(self) -> list[ServiceProcess]:
        """The instances that were started and not stopped since; a crashed one is among them."""
        labels = sorted(path.stem for path in self.directory.glob("run/*.json"))
        named = [(name, instance or "1") for name, _, instance in (label.partition("-") for label in labels)]
        return [self.service(name, instance) for name, instance in named if name in SERVICES]

    def service_env(self, name: str, instance: str = "1") -> dict[str, str]:
        """The settings of one instance, for starting it by hand or elsewhere."""
        service = self.service(name, instance)
        return {
            "WANGGE_DATABASE_URI": self.postgres.service_url(name),
            "WANGGE_AMQP_URI": self.rabbitmq.service_url(name),
            "WANGGE_REDIS_URI": self.redis.service_url(name),
            "WANGGE_HTTP_HOST": "127.0.0.1",
            "WANGGE_HTTP_PORT": str(service.http_port),
            "WANGGE_HEALTH_PORT": str(service.health_port),
            "WANGGE_KEYS_DIR": str(self.keys_dir),
            "WANGGE_MOVABLE_CLOCK": "1" if self.movable_clock else "0",
            "EVENTLET_NO_GREENDNS": "yes",  # eventlet's own resolver has hung on connecting to local servers
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def addresses(self) -> Addresses:
        """Where everything is reached now."""
        return Addresses(
            directory=str(self.directory),
            keys_dir=str(self.keys_dir),
            movable_clock=self.movable_clock,
            amqp_uri=self.rabbitmq.url(),
            management_url=self.rabbitmq.management_url,
            database_admin_uri=self.postgres.url(),
            redis_uri=self.redis.url(),
            servers=tuple(server.address() for server in self.servers.values()),
            services=tuple(self._address(service) for service in self.wanted_services()),
        )

    def _address(self, service: ServiceProcess) -> ServiceAddress:
        return ServiceAddress(
            name=service.name,
            instance=service.instance,
            pid=service.process.pid,
            http_url=f"http://127.0.0.1:{service.http_port}",
            health_url=f"http://127.0.0.1:{service.health_port}",
            database_uri=self.postgres.service_url(service.name),
            amqp_uri=self.rabbitmq.service_url(service.name),
            log=str(service.process.log),
        )

    def _write_addresses(self) -> None:
        with self._addresses_lock:
            self.addresses.write()


def _at_once(work: Callable[[T], None], parts: Iterable[T]) -> None:
    """Do the same work on every part at the same time; when some fail, all are awaited and all reasons told."""
    parts = list(parts)
    with ThreadPoolExecutor(max_workers=len(parts) or 1) as pool:
        futures = [pool.submit(work, part) for part in parts]
    failures = [failure for future in futures if (failure := future.exception()) is not None]
    unforeseen = [failure for failure in failures if not isinstance(failure, CommandFailed)]
    if unforeseen:
        raise unforeseen[0]
    if failures:
        raise CommandFailed("\n\n".join(map(str, failures)))
