"""A front for programs that have no client certificate: plain TCP in, mutual TLS with ALPN h2 out.

It can keep one thing from the server: the client's acknowledgement of SETTINGS. A client which goes on as if the
server had announced nothing (an HPACK table of 4096 bytes, above all) is in truth one that has not acknowledged.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from types import TracebackType

from tests.lab import Pod

READ_BYTES = 1 << 16
STOP_TIMEOUT_S = 10.0
# A client that is told of the end, and does not close: after this it is cut off.
FAREWELL_S = 10.0
SETTINGS_ACK = bytes([0, 0, 0, 4, 1, 0, 0, 0, 0])


class TlsFront:
    """Runs on a thread of its own; listens in `pod` and connects from there. Use as a context.

    Whichever side ends first, the other one is ended at once: a test of HTTP/2 waits for exactly that.
    """

    def __init__(self, pod: Pod, context: ssl.SSLContext, target: tuple[str, int], *, drop_ack: bool = False) -> None:
        self._pod = pod
        self._context = context
        self._target = target
        self._dropped = SETTINGS_ACK if drop_ack else b""
        self._listener = pod.listen(address="127.0.0.1")
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)
        # One line for each connection that could not be made: a test wants none.
        self.failures: list[str] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> TlsFront:
        self._thread.start()
        self._started.wait(STOP_TIMEOUT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_TIMEOUT_S)
        self._loop.close()

    async def _run(self) -> None:
        server = await asyncio.start_server(self._serve, sock=self._listener)
        self._started.set()
        await self._stop.wait()
        server.close()
        relays = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    def _dial(self) -> socket.socket:
        raw = self._pod.connect(*self._target)
        raw.setblocking(False)
        return raw

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            raw = await self._loop.run_in_executor(None, self._dial)
            far_reader, far_writer = await asyncio.open_connection(
                sock=raw, ssl=self._context, server_hostname=self._target[0]
            )
        except (OSError, ssl.SSLError) as error:
            self.failures.append(str(error))
            writer.transport.abort()
            return
        upward = asyncio.create_task(_relay(reader, far_writer, self._dropped))
        downward = asyncio.create_task(_relay(far_reader, writer))
        try:
            await asyncio.wait([upward, downward], return_when=asyncio.FIRST_COMPLETED)
            if not upward.done():
                # What the client still sends is read and goes nowhere: closing before that would be a reset,
                # and a reset may overtake the GOAWAY.
                if writer.can_write_eof() and not writer.is_closing():
                    writer.write_eof()
                await asyncio.wait([upward], timeout=FAREWELL_S)
        finally:
            upward.cancel()
            downward.cancel()
            writer.close()
            far_writer.close()


async def _relay(source: asyncio.StreamReader, sink: asyncio.StreamWriter, dropped: bytes = b"") -> None:
    """Up to the source's end, whatever becomes of the sink; the first `dropped` on the way is left out."""
    try:
        while data := await source.read(READ_BYTES):
            if dropped and dropped in data:
                data = data.replace(dropped, b"", 1)
                dropped = b""
            if not sink.is_closing():
                sink.write(data)
                await _drained(sink)
    except (OSError, ssl.SSLError):
        pass  # a reset is an end like any other


async def _drained(sink: asyncio.StreamWriter) -> None:
    try:
        await sink.drain()
    except (OSError, ssl.SSLError):
        sink.close()
