"""Takes reports by the thousand: NDJSON in, one receipt a line out, while it goes.

Guarantee: memory does not grow with the body; each portion of lines is one transaction, so a broken connection loses
no line that was answered. Receipts that the client does not read yet wait in a temporary file, so a client that first
writes everything and then reads is not stuck. Limit: lines of a portion whose answer was lost were taken all the same;
send them again with the same `id` or `external_no`.
"""

from __future__ import annotations

import select
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson
from eventlet.patcher import original

#: Lines of one transaction.
PORTION = 50

#: Bytes of one line, as of one message.
LINE_BYTES = 256 * 1024

#: Bytes read from the connection at once.
READ_BYTES = 64 * 1024

#: Bytes of unread receipts kept in memory before they go to a file.
UNREAD_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the body; `body` is None for one that is too long."""

    number: int
    body: bytes | None


def lines_of(stream: BinaryIO) -> Iterator[Line]:
    """The lines of the stream that hold anything, numbered from 1; never more than one line is held."""
    number, rest, is_skipping = 0, b"", False
    while chunk := stream.read(READ_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        for body in whole:
            number += 1
            if is_skipping or len(body) > LINE_BYTES:
                is_skipping = False
                yield Line(number, None)
            elif body.strip():
                yield Line(number, body)
        if len(rest) > LINE_BYTES:
            is_skipping, rest = True, b""
    if is_skipping:
        yield Line(number + 1, None)
    elif rest.strip():
        yield Line(number + 1, rest)


def portions(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """The lines in portions."""
    portion: list[Line] = []
    for line in lines:
        portion.append(line)
        if len(portion) == PORTION:
            yield portion
            portion = []
    if portion:
        yield portion


def answers(
    stream: BinaryIO,
    take: Callable[[list[Line]], list[dict[str, Any]]],
    may_write: Callable[[], bool],
) -> Iterator[bytes]:
    """The receipts of all lines, one JSON line each; they wait while the client does not read."""
    with tempfile.SpooledTemporaryFile(UNREAD_BYTES) as unread:
        waiting = 0
        for portion in portions(lines_of(stream)):
            receipts = b"".join(orjson.dumps(receipt) + b"\n" for receipt in take(portion))
            if may_write():
                yield from _drained(unread, waiting)
                waiting = 0
                yield receipts
            else:
                unread.write(receipts)
                waiting += len(receipts)
        yield from _drained(unread, waiting)


def _drained(unread: Any, waiting: int) -> Iterator[bytes]:
    if not waiting:
        return
    unread.seek(0)
    while chunk := unread.read(READ_BYTES):
        yield chunk
    unread.seek(0)
    unread.truncate()


def writable(environ: dict[str, Any]) -> Callable[[], bool]:
    """Tells whether the client's connection takes more now; always yes where the server does not show it."""
    connection = getattr(environ.get("eventlet.input"), "get_socket", lambda: None)()
    if connection is None:
        return lambda: True
    real = original("select") or select
    return lambda: bool(real.select([], [connection.fileno()], [], 0)[1])
