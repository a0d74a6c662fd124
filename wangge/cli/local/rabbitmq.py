"""The private RabbitMQ of a local system: one user for each service with the least rights it can work with."""

import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests

from wangge.cli.errors import CommandFailed
from wangge.cli.local import debian
from wangge.cli.local.files import write_atomically
from wangge.cli.local.ports import Ports
from wangge.cli.local.processes import BackgroundProcess, clean_environment
from wangge.cli.local.secrets import Secrets
from wangge.cli.local.servers import Server

ADMIN = "wangge"
#: Its own epmd knows only this system's nodes, so the name clashes with no other; data belong to the name, so it stays.
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
cluster_partition_handling = pause_minority
"""
#: What a further node reads at its first start: whom to join.
JOINING = """\
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = {first}
cluster_formation.classic_config.nodes.2 = {own}
"""
#: Seconds after which a node of a cluster that says nothing counts as gone; Erlang's 60 would hold up declarations.
NET_TICK_SECONDS = 15
#: Seconds for one call of the management API.
API_SECONDS = 30.0
#: Seconds for one command of `rabbitmqctl`; it starts an Erlang machine of its own.
CTL_SECONDS = 90.0
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
    """One node with management, consistent hash exchange and metrics; an epmd that only this system's nodes use.

    A node with a further `number` joins the first one, which must run, at its first start, and shares its users,
    exchanges and queues from then on. Stop the first one last: it ends the epmd.
    """

    stop_signal = signal.SIGTERM

    def __init__(self, directory: Path, ports: Ports, secrets: Secrets, number: int = 1) -> None:
        self.name = "rabbitmq" if number == 1 else f"rabbitmq-{number}"
        super().__init__(directory, ports, secrets)
        self.node = NODE if number == 1 else NODE.replace("@", f"-{number}@")
        self._is_first = number == 1
        self._epmd = BackgroundProcess("epmd", directory)

    def prepare(self) -> None:
        for port in ("", "-management", "-prometheus", "-distribution"):
            self.ports.claim(f"{self.name}{port}")
        self._share_cookie()
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
            "HOME": str(self.home),  # holds the cookie of this system's nodes
            "ERL_EPMD_PORT": str(self.ports.of("epmd")),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RUNNING_UNDER_SYSTEMD": "true",  # the start script becomes the server, so its pid is the server's
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(self.ports.of(f"{self.name}-distribution")),
            "RABBITMQ_CONF_ENV_FILE": str(self.home / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.home / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.home / "data"),
            "RABBITMQ_LOG_BASE": str(self.home / "log"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                f"-kernel inet_dist_use_interface {{127,0,0,1}} net_ticktime {NET_TICK_SECONDS}"
            ),
        }

    def stop(self) -> None:
        super().stop()
        if self._is_first:
            self._epmd.stop(EPMD_STOP_SECONDS)

    def ctl(self, *arguments: str) -> str:
        """What `rabbitmqctl` says to these arguments about this node.

        Raises:
            CommandFailed: it ended with an error; the text is its own.
        """
        command = [str(debian.path_of("rabbitmq-server").with_name("rabbitmqctl")), "--quiet", *arguments]
        environment = {**clean_environment(), **self.environment()}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=CTL_SECONDS
        )
        if done.returncode:
            raise CommandFailed(
                f"rabbitmqctl {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}".rstrip()
            )
        return done.stdout

    def is_ready(self) -> bool:
        try:
            self.call("GET", "/overview")
            socket.create_connection(("127.0.0.1", self.ports.of(self.name)), timeout=2.0).close()
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
        return f"http://127.0.0.1:{self.ports.of(f'{self.name}-management')}"

    def url(self) -> str:
        return self._address(ADMIN, "broker-admin")

    def service_url(self, service: str) -> str:
        return self._address(service, f"broker-{service}")

    def version(self) -> str:
        return str(self.call("GET", "/overview")["rabbitmq_version"])

    def _address(self, user: str, secret: str) -> str:
        return f"amqp://{user}:{self.secrets.password(secret)}@127.0.0.1:{self.ports.of(self.name)}//"

    def _configuration(self) -> str:
        text = CONFIGURATION.format(
            port=self.ports.of(self.name),
            management_port=self.ports.of(f"{self.name}-management"),
            prometheus_port=self.ports.of(f"{self.name}-prometheus"),
            admin=ADMIN,
            password=self.secrets.password("broker-admin"),
        )
        return text if self._is_first else text + JOINING.format(first=NODE, own=self.node)

    def _share_cookie(self) -> None:
        """Nodes speak to each other only with the same cookie; one that a node made itself is kept."""
        cookie = self.home / ".erlang.cookie"
        if not cookie.exists():
            write_atomically(cookie, self.secrets.password("erlang-cookie"), mode=0o400)
