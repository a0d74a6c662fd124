"""One process of a service: its ports, its start, and the wait until it is ready."""

import sys
from collections.abc import Mapping
from pathlib import Path

import requests

from wangge.cli.errors import CommandFailed
from wangge.cli.local.ports import Ports
from wangge.cli.local.processes import BackgroundProcess
from wangge.cli.local.waiting import wait_until

#: The services and the HTTP port each has by custom; health and metrics are on the port + 100.
SERVICES = {"intake": 8001, "dispatch": 8002, "points": 8003, "notify": 8004}
HEALTH_OFFSET = 100
#: Seconds that a service may take to migrate its database and become ready.
READY_SECONDS = 90.0
#: Seconds that a service may take to finish its work after SIGTERM before it is killed.
DRAIN_SECONDS = 40.0
#: Seconds for one look at a health page; the process answers it beside its work, so at once.
PROBE_SECONDS = 3.0


def usual_ports() -> dict[str, int]:
    """The ports that a system takes where they are free: 8001-8004 and their health ports."""
    http = {f"{name}-http": port for name, port in SERVICES.items()}
    return http | {f"{name}-health": port + HEALTH_OFFSET for name, port in SERVICES.items()}


class ServiceProcess:
    """An instance of a service, labelled `dispatch`, and `dispatch-2` when it is not the first."""

    def __init__(self, name: str, instance: str, directory: Path, ports: Ports) -> None:
        self.name = name
        self.instance = instance
        self.label = name if instance == "1" else f"{name}-{instance}"
        self.process = BackgroundProcess(self.label, directory)
        self._ports = ports

    @property
    def http_port(self) -> int:
        """Where it serves its API."""
        return self._ports.of(f"{self.label}-http")

    @property
    def health_port(self) -> int:
        """Where it serves health, metrics and the movable clock."""
        return self._ports.of(f"{self.label}-health")

    def claim_ports(self) -> None:
        """Take the last ports again, or others where something else listens there now."""
        for kind in ("http", "health"):
            self._ports.claim(f"{self.label}-{kind}")

    def start(self, environment: Mapping[str, str], directory: Path) -> None:
        """Start the process; `wait_ready` tells when it serves."""
        self.process.start([sys.executable, "-m", f"services.{self.name}"], environment, directory)

    def wait_ready(self) -> None:
        """Wait until the service says that it is ready.

        Raises:
            CommandFailed: it ended or took too long; the text shows the end of its log.
        """
        if not wait_until(self._ready_or_ended, READY_SECONDS):
            raise CommandFailed(
                f"{self.label} runs but was not ready after {READY_SECONDS:.0f} s.\n{self.process.log_tail()}"
            )

    def is_ready(self) -> bool:
        """Tell whether the service says that it can work: its database and broker are there."""
        try:
            url = f"http://127.0.0.1:{self.health_port}/health/ready"
            return requests.get(url, timeout=PROBE_SECONDS).ok
        except requests.RequestException:
            return False

    def _ready_or_ended(self) -> bool:
        self.process.require_running("starting")
        return self.is_ready()
