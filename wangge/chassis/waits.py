"""Bounds every wait of a green process for PostgreSQL.

Guarantee: a server that accepted a statement and says nothing more (a broken network, a forgotten connection) holds a
greenlet for `ANSWER_SECONDS` at most; the connection is closed and the statement fails as infrastructure. Limit: libpq's
own timeouts do not hold in green mode, so a process that does not call `bound_waits` waits for ever.
"""

from __future__ import annotations

from typing import Any

import psycopg2
from eventlet.hubs import trampoline
from psycopg2 import extensions

#: Seconds for an answer: more than the server's own statement timeout, which gives a better reason, and less than a
#: handler may take, so that a silent database is not taken for a slow handler.
ANSWER_SECONDS = 28.0

#: Seconds to connect.
CONNECT_SECONDS = 5.0


def bound_waits() -> None:
    """Bound all waits of this process from now on; not for migrations, which may take long."""
    extensions.set_wait_callback(_wait)


def _wait(connection: Any) -> None:
    is_connecting = connection.status == extensions.STATUS_SETUP
    seconds = CONNECT_SECONDS if is_connecting else ANSWER_SECONDS
    while (state := connection.poll()) != extensions.POLL_OK:
        trampoline(
            connection.fileno(),
            read=state == extensions.POLL_READ,
            write=state == extensions.POLL_WRITE,
            timeout=seconds,
            timeout_exc=psycopg2.OperationalError(f"no answer from the database within {seconds:.0f} s"),
        )
