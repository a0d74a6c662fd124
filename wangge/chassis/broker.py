"""Opens connections to RabbitMQ that cannot hang: every wait has a limit, and the next node is tried.

They read ahead and can gather what they send, since a system call for each frame costs more than its message.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amqp import Connection, RecoverableConnectionError
from kombu.utils.url import parse_url

#: Seconds to connect, to read one frame's rest, to write.
CONNECT_SECONDS = 5
IO_SECONDS = 20

#: Bytes asked of the socket at once: a few messages, so that what is over costs little to keep.
READ_BYTES = 8192

#: Seconds between heartbeats where no setting says otherwise; two missed ones end the connection.
HEARTBEAT = 20

#: Seconds between attempts to reconnect, grown to the second number.
RECONNECT = (0.5, 15.0)


def connect(
    uris: tuple[str, ...], attempt: int = 0, heartbeat: int = HEARTBEAT, **callbacks: Any
) -> Connection:
    """A connection to the `attempt`-th of the nodes (round robin). Raises `OSError` or `amqp.AMQPError`."""
    parts = parse_url(uris[attempt % len(uris)])
    connection = Connection(
        host=f"{parts['hostname']}:{parts['port'] or 5672}",
        userid=parts["userid"] or "guest",
        password=parts["password"] or "guest",
        virtual_host=parts["virtual_host"] or "/",
        connect_timeout=CONNECT_SECONDS,
        read_timeout=IO_SECONDS,
        write_timeout=IO_SECONDS,
        heartbeat=heartbeat,
        socket_settings={socket.TCP_USER_TIMEOUT: IO_SECONDS * 1000, socket.TCP_KEEPIDLE: 30},
        **callbacks,
    )
    connection.connect()
    transport = connection.transport
    receive = transport.sock.recv
    transport._quick_recv = lambda wanted: receive(max(wanted, READ_BYTES))  # noqa: SLF001 (it keeps what is over)
    return connection


@contextmanager
def gathered(connection: Connection) -> Iterator[None]:
    """Send what is written inside all at once at the end. Raises as a write does.

    Nothing is read meanwhile, though py-amqp would look before each publish: its answer to what it read (the broker
    closes the channel) would wait with the rest.
    """
    if not connection.connected:
        raise RecoverableConnectionError("the connection is closed")  # else py-amqp opens it anew, in part
    transport = connection.transport
    pieces = bytearray()
    transport._write = pieces.extend  # noqa: SLF001 (py-amqp's own seam: what `write` calls with each frame)
    transport.read_frame = _nothing_to_read
    try:
        yield
    finally:
        del transport.read_frame
        if transport.sock is not None:
            transport._write = transport.sock.sendall  # noqa: SLF001
    transport.write(bytes(pieces))


def _nothing_to_read() -> None:
    raise TimeoutError("nothing is read while frames are gathered")


def login_of(uri: str) -> str:
    """The user that a URI logs in as."""
    return parse_url(uri)["userid"] or "guest"


def backoff(attempt: int) -> float:
    """Seconds to wait before the `attempt`-th reconnection, with jitter."""
    first, most = RECONNECT
    return random.uniform(first, min(most, first * 2.0**attempt))  # noqa: S311 (spreads load, guards nothing)


def drop(connection: Connection | None) -> None:
    """Let go of a connection without a handshake: a blocked socket must not hold us."""
    if connection is not None:
        connection.collect()
