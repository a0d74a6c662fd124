"""Chooses a free port of this machine for each part of a system, and the same one again next time."""

import random
import socket
import threading
from collections.abc import Mapping
from pathlib import Path

from wangge.cli.errors import CommandFailed
from wangge.cli.local.files import read_json, write_json

#: Ports below Linux's ephemeral range (32768 and up), so that no outgoing connection takes one meanwhile.
RANGE = range(20000, 32000)
#: How many ports of the range are tried before giving up.
TRIES = 200


def is_free(port: int) -> bool:
    """Tell whether nothing listens on this port of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Ports:
    """The ports of one system, by name ("redis", "intake-http"), kept in a file between runs."""

    def __init__(self, path: Path, preferred: Mapping[str, int]) -> None:
        self.path = path
        self._preferred = preferred
        self._lock = threading.Lock()  # the three servers start at the same time

    def of(self, name: str) -> int:
        """The port of this part, chosen now if it has none yet."""
        with self._lock:
            return self._chosen().get(name) or self._choose(name)

    def claim(self, name: str) -> int:
        """The port on which this part, not running yet, can listen now: its last one where that is free."""
        with self._lock:
            last = self._chosen().get(name)
            return last if last and is_free(last) else self._choose(name)

    def _chosen(self) -> dict[str, int]:
        return read_json(self.path) or {}  # read each time: another command may have chosen meanwhile

    def _choose(self, name: str) -> int:
        chosen = self._chosen()
        taken = {port for part, port in chosen.items() if part != name}
        for port in (self._preferred.get(name), *random.sample(RANGE, TRIES)):
            if port and port not in taken and is_free(port):
                write_json(self.path, chosen | {name: port})
                return port
        raise CommandFailed(f"No free port was found for {name} among {TRIES} tried in {RANGE}.")
