"""Where the parts of a running local system are reached; what `system.json` says."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wangge.cli.errors import CommandFailed
from wangge.cli.local.files import read_json, write_json

#: The directory of the current project's own system, as seen from where the command is typed.
DEFAULT_DIRECTORY = Path(".wangge")
FILE = "system.json"


@dataclass(frozen=True)
class ServerAddress:
    """One of the three servers; `url` carries the administrator's password."""

    name: str
    pid: int | None
    url: str
    version: str
    data: str
    log: str


@dataclass(frozen=True)
class ServiceAddress:
    """One process of a service; instance "1" is the first, others scale it."""

    name: str
    instance: str
    pid: int | None
    http_url: str
    health_url: str
    database_uri: str
    amqp_uri: str
    log: str


@dataclass(frozen=True)
class Addresses:
    """All that a program needs to find and use a running system on this machine."""

    directory: str
    keys_dir: str
    movable_clock: bool
    amqp_uri: str
    management_url: str
    database_admin_uri: str
    redis_uri: str
    servers: tuple[ServerAddress, ...]
    services: tuple[ServiceAddress, ...]

    def service(self, name: str, instance: str = "1") -> ServiceAddress:
        """The address of a running service.

        Raises:
            CommandFailed: this service was not started.
        """
        for service in self.services:
            if (service.name, service.instance) == (name, instance):
                return service
        raise CommandFailed(f"The service {name} was not started under {self.directory}: run `wangge up`.")

    def as_dict(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)

    def write(self) -> None:
        """Leave the addresses in the system's directory for other programs; holds secrets, so owner only."""
        write_json(Path(self.directory) / FILE, self.as_dict())

    @classmethod
    def read(cls, directory: Path = DEFAULT_DIRECTORY) -> "Addresses":
        """The addresses of the system that runs under `directory`.

        Raises:
            CommandFailed: no system was started there.
        """
        found = read_json(directory / FILE)
        if found is None:
            raise CommandFailed(f"No system runs under {directory.resolve()}: start one with `wangge up`.")
        servers = tuple(ServerAddress(**server) for server in found.pop("servers"))
        services = tuple(ServiceAddress(**service) for service in found.pop("services"))
        return cls(**found, servers=servers, services=services)
