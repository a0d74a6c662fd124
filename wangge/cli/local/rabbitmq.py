"""The private RabbitMQ of a local system: one user for each service with the least rights it can work with."""

import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests

from wangge.cli.local import debian
from wangge.cli.local.files import write_atomically
from wangge.cli.local.ports import Ports
from wangge.cli.local.processes import BackgroundProcess
from wangge.cli.local.secrets import Secrets
from wangge.cli.local.servers import Server

ADMIN = "wangge"
#: Its own epmd knows only this node, so the name clashes with no other; data belong to the name, so it stays.
NODE = "wangge@localhost"
PLUGINS = "[rabbitmq_management,rabbitmq_consistent_hash_exchange,rabbitmq_prometheus].\n"
CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management_port}
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = {prometheus_port}
default_user = {admin}
default_pass = {password}
log.console = true
log.console.level = info
log.file = false
"""
#: Seconds for one call of the management API.
API_SECONDS = 30.0
#: Seconds that epmd may take to end once its node has gone.
EPMD_STOP_SECONDS = 5.0


def permissions_of(service: str) -> dict[str, str]:
    """What a service may declare, write to and read from, as RabbitMQ's regular expressions.

    It declares the shared entrance and every service's event exchange (so that services start in any order),
    writes only to what bears its own name, and reads its own queues and the exchanges that it binds to.
    Intake alone issues receipts.
    """
    receipts = r"|receipts\..*" if service == "intake" else ""
    shared = rf"incidents|receipts|[a-z]+\.events|{service}\..*{receipts}"
    own = rf"{service}\..*" + (rf"|receipts{receipts}" if receipts else "")
    return {"configure": f"^({shared})$", "write": f"^({own})$", "read": f"^({shared})$"}


class RabbitMQ(Server):
    """One node with management, consistent hash exchange and metrics, and an epmd of its own."""

    name = "rabbitmq"
    stop_signal = signal.SIGTERM

    def __init__(self, directory: Path, ports: Ports, secrets: Secrets) -> None:
        super().__init__(directory, ports, secrets)
        self._epmd = BackgroundProcess("epmd", directory)

    def prepare(self) -> None:
        for port in ("rabbitmq", "rabbitmq-management", "rabbitmq-prometheus", "rabbitmq-distribution"):
            self.ports.claim(port)
        write_atomically(self.home / "enabled_plugins", PLUGINS)
        write_atomically(self.home / "rabbitmq-env.conf", "")  # instead of the one under /etc
        write_atomically(self.home / "rabbitmq.conf", self._configuration())
        if self._epmd.pid is None:
            port = str(self.ports.claim("epmd"))
            command = [str(debian.path_of("epmd")), "-address", "127.0.0.1", "-port", port]
            self._epmd.start(command, {}, self.home)

    def command(self) -> list[str]:
        return [str(debian.path_of("rabbitmq-server"))]

    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),  # holds this node's own cookie
            "ERL_EPMD_PORT": str(self.ports.of("epmd")),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RUNNING_UNDER_SYSTEMD": "true",  # the start script becomes the server, so its pid is the server's
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_DIST_PORT": str(self.ports.of("rabbitmq-distribution")),
            "RABBITMQ_CONF_ENV_FILE": str(self.home / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.home / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.home / "data"),
            "RABBITMQ_LOG_BASE": str(self.home / "log"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    def stop(self) -> None:
        super().stop()
        self._epmd.stop(EPMD_STOP_SECONDS)

    def is_ready(self) -> bool:
        try:
            self.call("GET", "/overview")
            socket.create_connection(("127.0.0.1", self.ports.of("rabbitmq")), timeout=2.0).close()
        except (requests.RequestException, OSError):
            return False
        return True

    def provision(self, service: str) -> None:
        """A login without any tag and with the rights of `permissions_of`."""
        self.put_user(service, self.secrets.password(f"broker-{service}"))
        self.call("PUT", f"/permissions/%2F/{service}", permissions_of(service))

    def put_user(self, name: str, password: str, tags: Sequence[str] = ()) -> None:
        """Make a login or change its password."""
        self.call("PUT", f"/users/{name}", {"password": password, "tags": ",".join(tags)})

    def create_vhost(self, name: str) -> str:
        """Make an empty virtual host for a test and return its administrator's address."""
        self.call("PUT", f"/vhosts/{name}")
        self.call("PUT", f"/permissions/{name}/{ADMIN}", {"configure": ".*", "write": ".*", "read": ".*"})
        return self.url().removesuffix("/") + name

    def drop_vhost(self, name: str) -> None:
        """Remove a virtual host that `create_vhost` made, with all in it."""
        self.call("DELETE", f"/vhosts/{name}")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the management API as its administrator; return the answer's JSON, or None for an empty one.

        Raises:
            requests.RequestException: the server is away or says no.
        """
        credentials = (ADMIN, self.secrets.password("broker-admin"))
        url = f"{self.management_url}/api{path}"
        answer = requests.request(method, url, json=body, auth=credentials, timeout=API_SECONDS)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    @property
    def management_url(self) -> str:
        """Where the management page and API are, without a password."""
        return f"http://127.0.0.1:{self.ports.of('rabbitmq-management')}"

    def url(self) -> str:
        return self._address(ADMIN, "broker-admin")

    def service_url(self, service: str) -> str:
        return self._address(service, f"broker-{service}")

    def version(self) -> str:
        return str(self.call("GET", "/overview")["rabbitmq_version"])

    def _address(self, user: str, secret: str) -> str:
        return f"amqp://{user}:{self.secrets.password(secret)}@127.0.0.1:{self.ports.of('rabbitmq')}//"

    def _configuration(self) -> str:
        return CONFIGURATION.format(
            port=self.ports.of("rabbitmq"),
            management_port=self.ports.of("rabbitmq-management"),
            prometheus_port=self.ports.of("rabbitmq-prometheus"),
            admin=ADMIN,
            password=self.secrets.password("broker-admin"),
        )
