"""What the three private servers have in common: prepared, started, waited for, provisioned, stopped."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from wangge.cli.errors import CommandFailed
from wangge.cli.local.addresses import ServerAddress
from wangge.cli.local.ports import Ports
from wangge.cli.local.processes import BackgroundProcess, clean_environment
from wangge.cli.local.secrets import Secrets
from wangge.cli.local.waiting import wait_until

#: Seconds that a server may take to come up; RabbitMQ needs 5-8 on an idle laptop, more beside other work.
START_SECONDS = 120.0
#: Seconds that a server may take to end in order before it is killed.
STOP_SECONDS = 60.0


class Server(ABC):
    """A server of one system: keeps its data under `home`, listens on the loopback interface only."""

    name: str
    stop_signal = signal.SIGTERM

    def __init__(self, directory: Path, ports: Ports, secrets: Secrets) -> None:
        self.home = directory / self.name
        self.ports = ports
        self.secrets = secrets
        self.process = BackgroundProcess(self.name, directory)
        self._version = ""

    def start(self, services: Sequence[str]) -> None:
        """Start the server unless it runs, wait until it answers, and give each service its account."""
        if self.process.pid is None:
            self.home.mkdir(parents=True, exist_ok=True)
            self.prepare()
            self.process.start(self.command(), {**clean_environment(), **self.environment()}, self.home)
        if not wait_until(self._answers_or_ended, START_SECONDS):
            raise CommandFailed(f"{self.name} gave no answer in time.\n{self.process.log_tail()}")
        for service in services:
            self.provision(service)
        self._version = self.version()

    def stop(self) -> None:
        """End the server in order, its data kept."""
        self.process.stop(STOP_SECONDS, self.stop_signal)

    def kill(self) -> None:
        """End the server as a power cut would."""
        self.process.kill()

    def address(self) -> ServerAddress:
        """Where the server is reached; the version is known once `start` has seen it answer."""
        return ServerAddress(
            name=self.name,
            pid=self.process.pid,
            url=self.url(),
            version=self._version,
            data=str(self.home.resolve()),
            log=str(self.process.log),
        )

    def _answers_or_ended(self) -> bool:
        self.process.require_running("starting")
        return self.is_ready()

    @abstractmethod
    def prepare(self) -> None:
        """Choose ports and write what the server reads at its start."""

    @abstractmethod
    def command(self) -> list[str]:
        """The command line that runs the server in the foreground."""

    def environment(self) -> dict[str, str]:
        """The variables that the server needs on top of the caller's own."""
        return {}

    @abstractmethod
    def is_ready(self) -> bool:
        """Tell whether the server answers its administrator."""

    @abstractmethod
    def provision(self, service: str) -> None:
        """Give this service what it needs on the server and no more; harmless when it has it already."""

    @abstractmethod
    def url(self) -> str:
        """The administrator's address of the server, with the password."""

    @abstractmethod
    def service_url(self, service: str) -> str:
        """The address with which this service logs in."""

    @abstractmethod
    def version(self) -> str:
        """The version that the running server reports."""
