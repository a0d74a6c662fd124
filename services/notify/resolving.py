"""Looks host names up in native threads, so that a slow name server does not hold the whole process.

The resolver of the C library blocks; eventlet's own (greendns) is switched off where it cannot be relied upon
(`EVENTLET_NO_GREENDNS`). Addresses in numbers are answered at once.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from eventlet import patcher, tpool

_blocking = patcher.original("socket")


def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
    """As `socket.getaddrinfo`. Raises `socket.gaierror`."""
    with suppress(OSError, TypeError, UnicodeError):
        return _numeric(host, port, *args, **kwargs)
    return tpool.execute(_blocking.getaddrinfo, host, port, *args, **kwargs)


def _numeric(host: Any, port: Any, family: int = 0, kind: int = 0, proto: int = 0, flags: int = 0) -> Any:
    return _blocking.getaddrinfo(host, port, family, kind, proto, flags | socket.AI_NUMERICHOST)


def install() -> None:
    """Use it wherever this process opens a connection."""
    socket.getaddrinfo = getaddrinfo
