"""Makes a service process green and small; imported before anything else of the process.

Sockets must be green before anything opens one, and what the process never uses must not be loaded by the libraries
that it does use. Names are looked up by the system's resolver in a thread, so that a slow one holds up nobody else.
"""

import os
import sys
from typing import Any

# eventlet's own resolver loads dnspython with cryptography (20 MB) and has hung on connecting to local servers
os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")

# structlog's console renderer would load rich and pygments (5 MB); services log JSON
sys.modules.setdefault("rich", None)  # type: ignore[arg-type]

import eventlet  # noqa: E402 (reads its environment while it is imported)
from eventlet import patcher, tpool  # noqa: E402
from eventlet.green import _socket_nodns as green_socket  # noqa: E402

eventlet.monkey_patch()

_system = patcher.original("socket")


def _getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
    if host is None or _is_address(host):
        return _system.getaddrinfo(host, *args, **kwargs)
    return tpool.execute(_system.getaddrinfo, host, *args, **kwargs)


def _is_address(host: Any) -> bool:
    text = host.decode("latin-1") if isinstance(host, bytes) else host
    for family in (_system.AF_INET, _system.AF_INET6):
        try:
            _system.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


for _module in (sys.modules["socket"], green_socket, sys.modules["eventlet.green.socket"]):
    vars(_module)["getaddrinfo"] = _getaddrinfo
