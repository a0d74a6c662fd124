"""Says of every part of a local system whether it runs and whether it can work."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from wangge.cli.local.processes import BackgroundProcess
from wangge.cli.local.system import LocalSystem


@dataclass(frozen=True)
class PartStatus:
    """One server or service: `is_ready` is its own word that it can work now."""

    name: str
    address: str
    pid: int | None
    is_ready: bool

    @property
    def is_running(self) -> bool:
        """Tell whether the process is there."""
        return self.pid is not None


def without_password(url: str) -> str:
    """The address as it may be shown on a screen."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def look_at(system: LocalSystem) -> list[PartStatus]:
    """Ask every server and every service that was started; all at the same time."""
    servers = [(server.process, server.url(), server.is_ready) for server in system.servers.values()]
    services = [
        (service.process, f"http://127.0.0.1:{service.http_port}", service.is_ready)
        for service in system.wanted_services()
    ]
    with ThreadPoolExecutor(max_workers=len(servers) + len(services)) as pool:
        return list(pool.map(lambda part: _look_at_one(*part), [*servers, *services]))


def _look_at_one(process: BackgroundProcess, url: str, is_ready: Callable[[], bool]) -> PartStatus:
    pid = process.pid
    return PartStatus(process.name, without_password(url), pid, pid is not None and is_ready())
