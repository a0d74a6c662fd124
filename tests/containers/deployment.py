"""A deployment in containers, made as the runbook says, with secrets, ports and volumes of its own."""

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker
import requests
from docker.models.containers import Container

from wangge.cli.local.waiting import wait_until

DEPLOY = Path(__file__).parents[2] / "deploy"
#: Seconds that all parts may take to become ready.
READY_SECONDS = 240.0
#: The published ports, by the variable that moves each: free ones, for something else may listen on the usual ones.
PORTS = ("AMQP", "MANAGEMENT", "INTAKE", "DISPATCH", "POINTS", "NOTIFY")


class Deployment:
    """One compose project with secrets, ports and volumes of its own."""

    def __init__(self, engine: docker.DockerClient, tag: str, secrets: Path) -> None:
        self.engine = engine
        self.name = f"wangge-test-{os.getpid()}"
        self.secrets = secrets
        self.ports = {name: _free_port() for name in PORTS}
        self.files = [DEPLOY / "compose.yaml"]
        self._compose = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
        self._env = {
            **os.environ,
            **{f"WANGGE_{name}_PORT": str(port) for name, port in self.ports.items()},
            "WANGGE_IMAGE": f"wangge:{tag}",
            "WANGGE_POSTGRES_IMAGE": f"wangge-postgres:{tag}",
            "WANGGE_RABBITMQ_IMAGE": f"wangge-rabbitmq:{tag}",
            "WANGGE_REDIS_IMAGE": f"wangge-redis:{tag}",
            "WANGGE_SECRETS": str(secrets),
        }

    def compose(self, *arguments: str, text: str | None = None) -> str:
        """What compose prints on standard output; fails with all it printed when it fails."""
        files = [word for file in self.files for word in ("-f", str(file))]
        command = [*self._compose, "-p", self.name, *files, *arguments]
        done = subprocess.run(command, env=self._env, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def wangge(self, *arguments: str, text: str | None = None) -> str:
        """What the operators' command prints."""
        return self.compose("run", "--rm", "-T", "wangge", *arguments, text=text)

    def container(self, service: str) -> Container:
        """The container of a service of the compose file, running or ended."""
        labels = [f"com.docker.compose.project={self.name}", f"com.docker.compose.service={service}"]
        found = self.engine.containers.list(all=True, filters={"label": labels})
        assert len(found) == 1, f"{service}: {found}"
        return found[0]

    def wait_ready(self, *services: str) -> None:
        """Wait until all these containers are healthy; what is not is shown with its log."""

        def waiting() -> list[str]:
            return [name for name in services if self._health(name) != "healthy"]

        if not wait_until(lambda: not waiting(), READY_SECONDS):
            logs = {name: self.container(name).logs(tail=30).decode() for name in waiting()}
            raise AssertionError("\n".join(f"{name} is not ready:\n{log}" for name, log in logs.items()))

    def _health(self, service: str) -> str:
        state: Mapping[str, Any] = self.container(service).attrs["State"]
        return str(state.get("Health", {}).get("Status", state["Status"]))

    def get(self, service: str, path: str, token: str) -> Any:
        """The JSON that a service answers on its published port."""
        url = f"http://127.0.0.1:{self.ports[service.upper()]}{path}"
        answer = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def remove(self) -> None:
        """Stop and remove everything of this project, its data too."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
