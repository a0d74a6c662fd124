"""A load generator that costs little: raw HTTP/1.1 over asyncio, each connection kept and used one request at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Loaded:
    """What a load showed: seconds of each request, its answers by status, seconds of all together."""

    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    seconds: float = 0.0


def request(method: str, url: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """A whole request as bytes."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def load(url: str, requests: Iterator[bytes], connections: int, seconds: float) -> Loaded:
    """Send the requests over so many connections until there are none left or the time is over."""
    return asyncio.run(_load(urlsplit(url), requests, connections, seconds))


async def _load(address: Any, requests: Iterator[bytes], connections: int, seconds: float) -> Loaded:
    loaded = Loaded()
    began = time.perf_counter()
    until = began + seconds
    async with asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(_work(address, requests, until, loaded))
    loaded.seconds = time.perf_counter() - began
    return loaded


async def _work(address: Any, requests: Iterator[bytes], until: float, loaded: Loaded) -> None:
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    for each in requests:
        began = time.perf_counter()
        writer.write(each)
        status, body = await _answer(reader)
        loaded.latencies.append(time.perf_counter() - began)
        loaded.statuses[status] = loaded.statuses.get(status, 0) + 1
        loaded.bodies.append(body)
        if time.perf_counter() > until:
            break
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head.split(" ", 2)[1])
    if "transfer-encoding: chunked" in head:
        return status, await _chunks(reader)
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
    return status, await reader.readexactly(length)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    while size := int(await reader.readline(), 16):
        pieces.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(pieces)
