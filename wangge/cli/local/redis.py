"""The private Redis of a local system: keeps nothing on disk, for all it holds can be rebuilt."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from wangge.cli.local import debian
from wangge.cli.local.files import write_atomically
from wangge.cli.local.servers import Server

CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {home}
save ""
appendonly no
daemonize no
"""


class Redis(Server):
    """Redis with one password; every service uses database 0 under key names of its own."""

    name = "redis"

    def prepare(self) -> None:
        text = CONFIGURATION.format(
            port=self.ports.claim("redis"), password=self.secrets.password("redis"), home=self.home
        )
        write_atomically(self.home / "redis.conf", text)

    def command(self) -> list[str]:
        return [str(debian.path_of("redis-server")), str(self.home / "redis.conf")]

    def is_ready(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def provision(self, service: str) -> None:
        """Nothing to make: the password is the same for all."""

    def url(self) -> str:
        return f"redis://:{self.secrets.password('redis')}@127.0.0.1:{self.ports.of('redis')}/0"

    def service_url(self, service: str) -> str:  # noqa: ARG002 - one password for all
        return self.url()

    def version(self) -> str:
        with self._client() as client:
            return str(client.info("server")["redis_version"])

    def _client(self) -> redis.Redis:
        """A client that says at once when the server is away: whoever waits for it asks again."""
        return redis.Redis.from_url(self.url(), socket_timeout=2.0, retry=Retry(NoBackoff(), 0))
