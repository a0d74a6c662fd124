"""Takes reports by the thousand: NDJSON in, one receipt a line out, while it goes.

Guarantee: memory does not grow with the body; each portion of lines is one transaction, so a broken connection loses
no line that was answered. Receipts that the client does not read yet wait in a temporary file, so a client that first
writes everything and then reads is not stuck. Limit: lines of a portion whose answer was lost were taken all the same;
send them again with the same `id` or `external_no`.
"""

from __future__ import annotations

import select
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import eventlet
import orjson
from eventlet.patcher import original
from eventlet.queue import Empty, Queue

from wangge.contracts.envelope import MAX_BODY_BYTES

#: Lines of one transaction, at most; a slow sender's lines go as they come.
PORTION = 50

#: Bytes of one line, as of one message.
LINE_BYTES = MAX_BODY_BYTES

#: Bytes of unread receipts kept in memory before they go to a file.
UNREAD_BYTES = 1024 * 1024

#: Bytes written to the connection at once.
WRITE_BYTES = 64 * 1024


class Stream(Protocol):
    """A body that is read line by line."""

    def readline(self, size: int) -> bytes:
        """The next line, or `size` bytes of it."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the body; `body` is None for one that is too long."""

    number: int
    body: bytes | None


def lines_of(stream: Stream) -> Iterator[Line]:
    """The lines of the stream that hold anything, numbered from 1; never more than one line is held."""
    number = 0
    while piece := stream.readline(LINE_BYTES + 1):
        number += 1
        if len(piece) <= LINE_BYTES or piece.endswith(b"\n"):
            if piece.strip():
                yield Line(number, piece)
            continue
        while piece and not piece.endswith(b"\n"):
            piece = stream.readline(LINE_BYTES + 1)
        yield Line(number, None)


def answers(
    stream: Stream, take: Callable[[list[Line]], list[dict[str, Any]]], may_write: Callable[[], bool]
) -> Iterator[bytes]:
    """The receipts of all lines, one JSON line each; they wait while the client does not read."""
    arrived: Queue = Queue(PORTION)
    reader = eventlet.spawn(_read, stream, arrived)
    try:
        with tempfile.SpooledTemporaryFile(UNREAD_BYTES) as unread:
            while portion := _portion(arrived):
                unread.writelines(orjson.dumps(receipt) + b"\n" for receipt in take(portion))
                if may_write():
                    yield from _drained(unread)
            yield from _drained(unread)
    finally:
        reader.kill()


def _read(stream: Stream, arrived: Queue) -> None:
    """Hand over the lines as they come, then None; a broken connection ends them like the body's end."""
    try:
        for line in lines_of(stream):
            arrived.put(line)
    except (OSError, ValueError):
        arrived.put(None)
        raise
    arrived.put(None)


def _portion(arrived: Queue) -> list[Line]:
    """What has arrived, at least one line; empty at the end."""
    line = arrived.get()
    portion = []
    while line is not None:
        portion.append(line)
        if len(portion) == PORTION:
            return portion
        try:
            line = arrived.get_nowait()
        except Empty:
            return portion
    if portion:
        arrived.put(None)
    return portion


def _drained(unread: Any) -> Iterator[bytes]:
    unread.seek(0)
    while chunk := unread.read(WRITE_BYTES):
        yield chunk
    unread.seek(0)
    unread.truncate()


def writable(environ: dict[str, Any]) -> Callable[[], bool]:
    """Tells whether the client's connection takes more now; always yes where the server does not show it."""
    shown = getattr(environ.get("eventlet.input"), "get_socket", None)
    if shown is None:
        return lambda: True
    connection, poll = shown(), (original("select") or select).select
    return lambda: bool(poll([], [connection.fileno()], [], 0)[1])
