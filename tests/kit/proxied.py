"""A whole system whose services reach each server through a proxy of its own."""

from kit.proxy import Proxy
from wangge.cli.local import LocalSystem
from wangge.cli.local.files import write_atomically

LINES = {"WANGGE_AMQP_URI": "rabbitmq", "WANGGE_DATABASE_URI": "postgres", "WANGGE_REDIS_URI": "redis"}

#: Two missed ones end a connection: within the short variant of a black hole.
HEARTBEAT_SECONDS = "5"
#: Milliseconds after which the broker tries again to pass on a message that was given up; three minutes by itself.
DEAD_LETTER_TIMEOUT = "dead_letter_worker_publisher_confirm_timeout, 5000"


class ProxiedSystem(LocalSystem):
    """`lines` are the networks to the servers, by the server's name; good ones until a test spoils them."""

    lines: dict[str, Proxy]

    def start_servers(self) -> None:
        settings = self.rabbitmq.home / "advanced.config"
        if not settings.exists():
            write_atomically(settings, f"[{{rabbit, [{{{DEAD_LETTER_TIMEOUT}}}]}}].\n")
        super().start_servers()
        self.lines = {name: Proxy(self.ports.of(name)) for name in self.servers}

    def service_env(self, name: str, instance: str = "1") -> dict[str, str]:
        ours = super().service_env(name, instance)
        spoiled = {key: self.lines[line].through(ours[key]) for key, line in LINES.items()}
        return ours | spoiled | {"WANGGE_HEARTBEAT_SECONDS": HEARTBEAT_SECONDS}

    def recover(self) -> None:
        """Mend the networks, start what does not run, and wait until every service is ready."""
        for line in self.lines.values():
            line.mend()
        for name in self.servers:
            self.start_server(name)
        for name in self.services:
            self.start_service(name)

    def stop(self) -> None:
        super().stop()
        for line in getattr(self, "lines", {}).values():
            line.close()
        self.lines = {}
