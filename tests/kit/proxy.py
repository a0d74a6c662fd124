"""A TCP proxy that stands between a service and a server and behaves as badly as a network can.

All faults hold for the connections that pass now and for those to come, until `mend`; except for `reset_mid_frame` and
`forget_clients`, which strike the present connections once.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

#: Bytes taken at once; small, so that a fault strikes in the middle of a frame.
CHUNK = 4096
#: Chunks that may be under way in one direction.
UNDER_WAY = 256
#: Makes `close` send RST: linger, for no time.
RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on a port of the loopback interface and passes everything on to `port`."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = 0
        self.latency = 0.0
        self.bytes_per_second: float | None = None
        self._pairs: set[_Pair] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name=f"proxy-{port}")
        self._thread.start()
        self._open: asyncio.Event = self._do(asyncio.Event)
        self._open.set()
        self._server = self._do(self._listen)

    def through(self, uri: str) -> str:
        """The same address, by way of this proxy."""
        return uri.replace(f":{urlsplit(uri).port}", f":{self.port}", 1)

    def blackhole(self) -> None:
        """Take everything, let nothing pass, in both directions; nobody is told."""
        self._do(self._open.clear)

    def forget_clients(self) -> None:
        """Half-open: the server sees its connections end, the clients hear nothing any more."""
        self._do(self._forget)

    def reset_mid_frame(self) -> None:
        """Each present connection passes half of what comes next and is then reset on both sides."""
        self._do(self._reset_all)

    def mend(self) -> None:
        """Behave as a good network again; connections that lost bytes or are forgotten are reset."""
        self.latency, self.bytes_per_second = 0.0, None
        self._do(self._drop_wronged)
        self._do(self._open.set)

    @property
    def connections(self) -> int:
        """How many connections pass now."""
        return len(self._pairs)

    def close(self) -> None:
        """End all connections and stop listening."""
        self._do(self._stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, act: Callable[[], Any]) -> Any:
        async def acted() -> Any:
            result = act()
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(acted(), self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=CHUNK)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _stop(self) -> None:
        self._server.close()
        self._open.set()
        self._drop_all()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _forget(self) -> None:
        for pair in list(self._pairs):
            pair.is_silent = True
            _reset(pair.server)

    def _reset_all(self) -> None:
        for pair in self._pairs:
            pair.reset_next = True

    def _drop_wronged(self) -> None:
        for pair in list(self._pairs):
            if pair.is_silent or not self._open.is_set():
                pair.drop()

    def _drop_all(self) -> None:
        for pair in list(self._pairs):
            pair.drop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target, limit=CHUNK)
        except OSError:
            _reset(writer)
            return
        pair = _Pair(writer, up_writer)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._pass(pair, reader, up_writer), self._pass(pair, up_reader, writer))
        finally:
            self._pairs.discard(pair)
            pair.drop()

    async def _pass(self, pair: "_Pair", source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(UNDER_WAY)
        giving = asyncio.create_task(self._give(pair, under_way, to))
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK):
                await under_way.put((self._loop.time() + self.latency, data))
        await under_way.put((self._loop.time() + self.latency, b""))
        await giving
        if pair.is_silent:
            await pair.dropped.wait()
        else:
            pair.drop()

    async def _give(self, pair: "_Pair", under_way: Any, to: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                at, data = await under_way.get()
                await asyncio.sleep(at - self._loop.time())
                await self._open.wait()
                if not data or pair.reset_next:
                    to.write(data[: len(data) // 2])
                    await to.drain()
                    break
                if self.bytes_per_second:
                    await asyncio.sleep(len(data) / self.bytes_per_second)
                to.write(data)
                await to.drain()
        if not pair.is_silent:
            pair.drop()


class _Pair:
    """The two halves of a connection that passes."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.is_silent = False
        self.reset_next = False
        self.dropped = asyncio.Event()

    def drop(self) -> None:
        """Reset both halves."""
        self.dropped.set()
        _reset(self.client)
        _reset(self.server)


def _reset(writer: asyncio.StreamWriter) -> None:
    if writer.is_closing():
        return
    found = writer.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
