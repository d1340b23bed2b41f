"""Clients and servers that mean harm, on real sockets: smuggled requests and answers, slowness, floods, games with windows.

What is refused must not reach the server behind; what is slow or large must not cost memory or other clients' time.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import h2.events
import h2.settings
import pytest
from hpack import Encoder

from tests.e2e.helpers import Mesh, TcpServer, is_sanitized, read_all
from tests.e2e.waypoint_world import (
    HEAD_TIMEOUT_S, HTTP, NGINX_H2C, NGINX_H2C_PORT, RAW, RAW_PORT, Answer, H2Client, World, read_answer, waypoint_world,
)  # fmt: skip
from tests.lab import wait_until

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4
# What all of them together may leave behind in memory: what an allocator keeps, not what was sent.
GROWTH_BYTES_MAX = 64 << 20


@pytest.fixture(scope="module")
def world(mesh: Mesh) -> Iterator[World]:
    with waypoint_world(mesh) as world:
        # Enough at once that what is made at first use exists.
        with world.h2() as client:
            for number in [client.request("GET", "/download?blocks=20") for _ in range(50)]:
                client.answer(number)
        world.rss_at_rest = world.waypoint.rss_anon_bytes()
        yield world


@pytest.fixture(autouse=True)
def others_are_unharmed(world: World) -> Iterator[None]:
    """After each attack the waypoint lives, serves, and is no larger than it may be."""
    yield
    world.waypoint.require_alive()
    with world.connect() as stream, stream.makefile("rb") as reader:
        stream.sendall(b"GET /tell HTTP/1.1\r\nHost: app.test\r\n\r\n")
        assert read_answer(reader).status == 200
    if not is_sanitized():
        grown = "memory to be given back"
        wait_until(grown, lambda: world.waypoint.rss_anon_bytes() - world.rss_at_rest < GROWTH_BYTES_MAX)


class Backend:
    """The server behind port RAW: keeps every byte, and answers each head with 200, or does what its script says."""

    def __init__(self, world: World) -> None:
        self.text = b""
        self._script: Callable[[socket.socket], None] | None = None
        self.server = TcpServer(world.app.listen(RAW_PORT), self._serve)

    @contextlib.contextmanager
    def doing(self, script: Callable[[socket.socket], None]) -> Iterator[None]:
        self._script = script
        try:
            yield
        finally:
            self._script = None

    def answering(self, *parts: bytes, keep: bool = False) -> contextlib.AbstractContextManager[None]:
        """Each request's head is answered with these bytes, and then the connection ends unless it is kept."""

        def script(stream: socket.socket) -> None:
            while read_head(stream):
                for part in parts:
                    stream.sendall(part)
                if not keep:
                    return

        return self.doing(script)

    def _serve(self, stream: socket.socket) -> None:
        if self._script is not None:
            self._script(stream)
            return
        pending = b""
        while part := stream.recv(1 << 16):
            self.text += part
            pending += part
            while b"\r\n\r\n" in pending:
                pending = pending.partition(b"\r\n\r\n")[2]
                stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def read_head(stream: socket.socket) -> bytes:
    text = b""
    while b"\r\n\r\n" not in text:
        part = stream.recv(1 << 16)
        if not part:
            return b""
        text += part
    return text


@pytest.fixture(scope="module")
def behind(world: World) -> Iterator[Backend]:
    backend = Backend(world)
    with backend.server:
        yield backend


# --- smuggling by requests of HTTP/1.1 -------------------------------------------------------------

HOST = "Host: app.test\r\n"
SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n"


def post(lines: str, body: str = "") -> str:
    return f"POST /first HTTP/1.1\r\n{HOST}{lines}\r\n{body}{SMUGGLED}"


# Shapes that are refused by their head: name, bytes, statuses of the answer.
HEADS = {
    "two lengths": (post("Content-Length: 0\r\nContent-Length: 44\r\n"), {400}),
    "a length twice": (post("Content-Length: 0\r\nContent-Length: 0\r\n"), {400}),
    "a list of lengths": (post("Content-Length: 0, 44\r\n"), {400}),
    "a length with a sign": (post("Content-Length: +0\r\n"), {400}),
    "a negative length": (post("Content-Length: -1\r\n"), {400}),
    "a length in hex": (post("Content-Length: 0x10\r\n"), {400}),
    "a length beyond 64 bits": (post("Content-Length: 18446744073709551617\r\n"), {400}),
    "an empty length": (post("Content-Length:\r\n"), {400}),
    "a length of two words": (post("Content-Length: 0 44\r\n"), {400}),
    "length and chunks": (post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), {400}),
    "chunks and length": (post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), {400}),
    "two codings": (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), {400}),
    "a coding behind chunked": (post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), {400, 501}),
    "gzip and chunked": (post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), {400, 501}),
    "an unknown coding": (post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), {400, 501}),
    "a coding in quotes": (post('Transfer-Encoding: "chunked"\r\n', "0\r\n\r\n"), {400, 501}),
    "a coding with a vertical tab": (post("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n"), {400, 501}),
    "chunks in HTTP/1.0": (post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n").replace("1.1", "1.0", 1), {400}),
    "a space before the colon": (post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), {400}),
    "a folded line": (post("X-Fold: a\r\n b\r\n"), {400}),
    "a folded coding": (post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), {400}),
    "a blank before the first field": (f"GET / HTTP/1.1\r\n X: y\r\n{HOST}\r\n", {400}),
    "lines that end in LF": (f"GET / HTTP/1.1\n{HOST}\r\n", {400}),
    "one line that ends in LF": (post("X-One: 1\nContent-Length: 44\r\n"), {400}),
    "a CR in a value": (post("X-One: 1\rContent-Length: 44\r\n"), {400}),
    "a NUL in a value": (post("X-One: a\0b\r\n"), {400}),
    "a NUL in a name": (post("X-O\0ne: a\r\n"), {400}),
    "a field without a colon": (post("X-One\r\n"), {400}),
    "a field without a name": (post(": x\r\n"), {400}),
    "two hosts": (f"GET / HTTP/1.1\r\n{HOST}Host: other.test\r\n\r\n", {400}),
    "no host": ("GET / HTTP/1.1\r\n\r\n", {400}),
    "a host with a user": ("GET / HTTP/1.1\r\nHost: a@b.test\r\n\r\n", {400}),
    "a host with a path": ("GET / HTTP/1.1\r\nHost: a.test/b\r\n\r\n", {400}),
    "a list of hosts": ("GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n", {400}),
    "a host of two words": ("GET / HTTP/1.1\r\nHost: a.test b.test\r\n\r\n", {400}),
    "a target with a space": (f"GET /a b HTTP/1.1\r\n{HOST}\r\n", {400, 505}),
    "a target with a control character": (f"GET /a\x01b HTTP/1.1\r\n{HOST}\r\n", {400}),
    "a target of another scheme": (f"GET ftp://app.test/ HTTP/1.1\r\n{HOST}\r\n", {400}),
    "a version that nobody knows": (f"GET / HTTP/1.2\r\n{HOST}\r\n", {400, 505}),
    "HTTP/2.0 in words": (f"GET / HTTP/2.0\r\n{HOST}\r\n", {400, 505}),
    "HTTP/0.9": ("GET /\r\n\r\n", {400, 505}),
    "a version in lower case": (f"GET / http/1.1\r\n{HOST}\r\n", {400, 505}),
    "a method of two words": (f"GET POST / HTTP/1.1\r\n{HOST}\r\n", {400, 505}),
    "too many fields": (f"GET / HTTP/1.1\r\n{HOST}" + "X-Field: 1\r\n" * 300 + "\r\n", {431}),
    "too large a head": (f"GET / HTTP/1.1\r\n{HOST}X-Large: {'x' * 100_000}\r\n\r\n", {431}),
    "a name without end": (f"GET / HTTP/1.1\r\n{HOST}{'x' * 100_000}: 1\r\n\r\n", {431}),
    "too long a target": (f"GET /{'x' * 20_000} HTTP/1.1\r\n{HOST}\r\n", {414}),
}  # fmt: skip


@pytest.mark.parametrize("shape", HEADS)
def test_a_head_that_can_be_read_in_two_ways_is_refused(world: World, behind: Backend, shape: str) -> None:
    text, statuses = HEADS[shape]
    behind.text = b""
    answer = refused(world, text.encode("latin-1"))
    assert answer.status in statuses, answer
    assert answer.fields["connection"] == "close"
    assert behind.text == b"", behind.text


def refused(world: World, data: bytes) -> Answer:
    """The one answer; the connection ends behind it."""
    with world.connect(RAW) as stream, stream.makefile("rb") as reader:
        with contextlib.suppress(ConnectionError):
            stream.sendall(data)
        answer = read_answer(reader)
        assert reader.read() == b""
    return answer


@pytest.mark.parametrize("target", ["/a%00b", "/a#b", "/../../secret", "/%2e%2e/secret", "*", "/a%zz"])
def test_a_path_that_can_be_read_in_two_ways_is_refused(world: World, behind: Backend, target: str) -> None:
    behind.text = b""
    with world.connect(RAW) as stream, stream.makefile("rb") as reader:
        stream.sendall(f"GET {target} HTTP/1.1\r\n{HOST}\r\n".encode())
        assert read_answer(reader).status == 400
    assert behind.text == b""


# Bodies that break off in a way which another reader could take for something else.
BODIES = {
    "a chunk size that overflows": "FFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n",
    "a chunk size of 64 bits that wraps": "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "a chunk size with a sign": "+5\r\nhello\r\n0\r\n\r\n",
    "a negative chunk size": "-5\r\nhello\r\n0\r\n\r\n",
    "a chunk size with 0x": "0x5\r\nhello\r\n0\r\n\r\n",
    "a chunk size behind a blank": " 5\r\nhello\r\n0\r\n\r\n",
    "an empty chunk size": "\r\nhello\r\n0\r\n\r\n",
    "a chunk without its end": "5\r\nhelloX0\r\n\r\n",
    "a chunk that ends in LF": "5\r\nhello\n0\r\n\r\n",
    "a chunk line that ends in LF": "5\nhello\r\n0\r\n\r\n",
    "an extension with a CR": "5;a=\rb\r\nhello\r\n0\r\n\r\n",
    "an extension with a LF": "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "an extension with a NUL": "5;a\0\r\nhello\r\n0\r\n\r\n",
    "an extension without end": f"5;{'a' * 200_000}\r\nhello\r\n0\r\n\r\n",
    "a trailer with a length": "5\r\nhello\r\n0\r\nContent-Length: 44\r\n\r\n",
    "a trailer with a coding": "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a trailer with a host": "5\r\nhello\r\n0\r\nHost: other.test\r\n\r\n",
    "too many trailers": "5\r\nhello\r\n0\r\n" + "X-Field: 1\r\n" * 300 + "\r\n",
    "a folded trailer": "5\r\nhello\r\n0\r\nX-One: 1\r\n 2\r\n\r\n",
}


@pytest.mark.parametrize("shape", BODIES)
def test_a_body_that_can_be_read_in_two_ways_is_refused(world: World, behind: Backend, shape: str) -> None:
    """The server may see a part of it, never its end, and nothing of what comes behind."""
    seen: list[bytes] = []

    def serve(stream: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := stream.recv(1 << 16):
                seen.append(part)

    data = post("Transfer-Encoding: chunked\r\n", BODIES[shape]).encode("latin-1")
    with behind.doing(serve), world.connect(RAW) as stream:
        with contextlib.suppress(ConnectionError):
            stream.sendall(data)
        with contextlib.suppress(ConnectionError):
            text = read_all(stream)
            assert text.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 ")), text
            assert text.count(b"HTTP/1.1") == 1
    whole = b"".join(seen)
    assert b"/smuggled" not in whole and not whole.endswith(b"0\r\n\r\n"), whole


def test_requests_behind_each_other_are_told_apart(world: World, behind: Backend) -> None:
    """What looks like a request inside a body of known length is body."""
    behind.text = b""
    inner = SMUGGLED.encode()
    with world.connect(RAW) as stream, stream.makefile("rb") as reader:
        stream.sendall(b"POST /one HTTP/1.1\r\nHost: app.test\r\nContent-Length: %d\r\n\r\n%s" % (len(inner), inner))
        assert read_answer(reader).status == 200
    assert behind.text.count(b"x-request-id") == 1


# --- downgrades from HTTP/2 ------------------------------------------------------------------------

BASE = [(":method", "POST"), (":scheme", "http"), (":authority", "app.test"), (":path", "/")]


def without(name: str, *extra: tuple[str, str]) -> list[tuple[str, str]]:
    return [field for field in BASE if field[0] != name] + list(extra)


FIELDS = {
    "CR LF in a value": [*BASE, ("x", "a\r\nTransfer-Encoding: chunked")],
    "LF in a value": [*BASE, ("x", "a\nb")],
    "CR in a value": [*BASE, ("x", "a\rb")],
    "NUL in a value": [*BASE, ("x", "a\0b")],
    "CR LF in a name": [*BASE, ("x\r\ny", "1")],
    "a colon in a name": [*BASE, ("x: a\r\ny", "1")],
    "a space in a name": [*BASE, ("x y", "1")],
    "a name in capitals": [*BASE, ("X-Capital", "1")],
    "a name of nothing": [*BASE, ("", "1")],
    "a transfer coding": [*BASE, ("transfer-encoding", "chunked")],
    "a connection field": [*BASE, ("connection", "close")],
    "an upgrade field": [*BASE, ("upgrade", "h2c")],
    "te other than trailers": [*BASE, ("te", "gzip")],
    "two lengths": [*BASE, ("content-length", "5"), ("content-length", "6")],
    "a length with a sign": [*BASE, ("content-length", "+5")],
    "a path with a space": without(":path", (":path", "/ HTTP/1.1\r\nX: ")),
    "a path with blanks": without(":path", (":path", "/a b")),
    "a path with a fragment": without(":path", (":path", "/a#b")),
    "a path without a slash": without(":path", (":path", "a")),
    "an empty path": without(":path", (":path", "")),
    "no path": without(":path"),
    "two paths": [*BASE, (":path", "/other")],
    "an unknown pseudo field": [*BASE, (":other", "1")],
    "a pseudo field behind others": [*without(":path", ("x", "1")), (":path", "/")],
    "a method of two words": without(":method", (":method", "GET /x HTTP/1.1")),
    "a scheme of nonsense": without(":scheme", (":scheme", "http://x/")),
    "an authority with a user": without(":authority", (":authority", "a@b")),
    "an authority with a path": without(":authority", (":authority", "a/b")),
    "an authority with blanks": without(":authority", (":authority", "a b")),
    "another host": [*BASE, ("host", "other.test")],
    "no authority": without(":authority"),
}


@pytest.mark.parametrize("shape", FIELDS)
def test_a_head_of_http_2_that_http_1_1_cannot_carry_is_refused(world: World, behind: Backend, shape: str) -> None:
    behind.text = b""
    with world.h2(RAW) as client:
        number = client.h2.get_next_available_stream_id()
        head = b"".join(literal(name, value) for name, value in FIELDS[shape])
        client.stream.sendall(frame(HEADERS, END_HEADERS | END_STREAM, number, head))
        assert ended_badly(client, number)
    assert behind.text == b"", behind.text


def ended_badly(client: H2Client, number: int) -> bool:
    """A reset, a status of 4xx, or the end of the connection."""
    # The library knows nothing of a stream that was begun past it: frames are read by hand.
    pending = b""
    while True:
        try:
            part = client.stream.recv(1 << 16)
        except ConnectionError:
            return True
        if not part:
            return True
        pending += part
        while len(pending) >= 9:
            length = int.from_bytes(pending[:3], "big")
            if len(pending) < 9 + length:
                break
            kind, stream = pending[3], int.from_bytes(pending[5:9], "big")
            payload, pending = pending[9 : 9 + length], pending[9 + length :]
            if kind == 7 or (kind == RST_STREAM and stream == number):
                return True
            if kind == HEADERS and stream == number:
                fields = dict(client.h2.decoder.decode(payload))
                return fields[":status"].startswith("4")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name: str, value: str) -> bytes:
    """A field that is not indexed (RFC 7541 section 6.2.2), of any bytes."""
    return b"\0" + _string(name) + _string(value)


def _string(text: str) -> bytes:
    data = text.encode("latin-1")
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, prefix = len(data) - 127, b"\x7f"
    while rest >= 128:
        prefix += bytes([rest % 128 | 128])
        rest //= 128
    return prefix + bytes([rest]) + data


@pytest.mark.parametrize("sent", [b"hell", b"hello and more"], ids=["less", "more"])
def test_a_body_of_another_length_than_was_said_is_refused(world: World, behind: Backend, sent: bytes) -> None:
    behind.text = b""
    with world.h2(RAW) as client:
        number = client.h2.get_next_available_stream_id()
        head = b"".join(literal(*field) for field in [*BASE, ("content-length", "5")])
        client.stream.sendall(frame(HEADERS, END_HEADERS, number, head) + frame(DATA, END_STREAM, number, sent))
        assert ended_badly(client, number)
    assert b"and more" not in behind.text


# --- slowness --------------------------------------------------------------------------------------


def test_a_client_that_never_ends_its_head_is_sent_away(world: World) -> None:
    """200 of them, each a few bytes at a time: others are served meanwhile, and each gets 408 or the end."""
    streams = [world.connect(RAW) for _ in range(200)]
    try:
        for number, stream in enumerate(streams):
            stream.sendall([b"G", b"GET / HT", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: "][number % 4])
        assert world.status("/tell") == 200
        for stream in streams:
            # More bytes do not earn more time.
            with contextlib.suppress(OSError):
                stream.sendall(b"x")
        for stream in streams:
            stream.settimeout(HEAD_TIMEOUT_S * 2 + 20)
            with contextlib.suppress(ConnectionError):
                text = read_all(stream)
                assert text == b"" or text.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 ")), text
    finally:
        for stream in streams:
            stream.close()


def test_clients_that_do_not_read_cost_little_memory(world: World) -> None:
    before = world.waypoint.rss_anon_bytes()
    streams = [world.connect() for _ in range(24)]
    try:
        for stream in streams:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stream.sendall(b"GET /download?blocks=2000 HTTP/1.1\r\nHost: app.test\r\n\r\n")
        for stream in streams:
            assert stream.recv(10, socket.MSG_WAITALL) == b"HTTP/1.1 2"
        assert world.status("/tell") == 200
        # 24 answers of 125 MiB, of which nobody takes anything.
        held = world.waypoint.rss_anon_bytes() - before
        assert is_sanitized() or held < 40 << 20, held
    finally:
        for stream in streams:
            stream.close()


# --- floods of HTTP/2 ------------------------------------------------------------------------------


def raw_h2(world: World, port: int = HTTP, settings: bytes = b"") -> socket.socket:
    stream = world.connect(port)
    stream.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))
    return stream


def flood(stream: socket.socket, piece: bytes, times: int, *, wait: float = 20.0) -> bool:
    """Sends it that often, or until the peer has had enough: then True. What comes back is thrown away."""
    stop = threading.Event()

    def drop() -> None:
        while True:
            try:
                if not stream.recv(1 << 16):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        stop.set()

    reader = threading.Thread(target=drop, daemon=True)
    reader.start()
    try:
        for _ in range(times):
            if stop.is_set():
                return True
            stream.sendall(piece)
    except TimeoutError:
        return stop.is_set()  # it takes nothing any more: only right if it has ended its own side
    except OSError:
        return True
    return stop.wait(wait)


GET_HEAD = b"".join(literal(*field) for field in [(":method", "GET"), *BASE[1:]])


def test_a_rapid_reset_harms_nobody(world: World, behind: Backend) -> None:
    """CVE-2023-44487: requests that are thrown away as soon as they are made. Too many too fast end the connection."""
    pieces = []
    for number in range(1, 20_001, 2):
        pieces.append(frame(HEADERS, END_HEADERS | END_STREAM, number, GET_HEAD))
        pieces.append(frame(RST_STREAM, 0, number, struct.pack(">I", 8)))
    with raw_h2(world, RAW) as stream:
        sender = threading.Thread(target=flood, args=(stream, b"".join(pieces), 1), kwargs={"wait": 0.0})
        sender.start()
        # Meanwhile, and on the same loops:
        for _ in range(10):
            assert world.status("/tell") == 200
        sender.join()


SMALL = {
    "settings": frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65_535)) * 100,
    "pings": frame(PING, 0, 0, b"12345678") * 100,
    "empty frames of data": frame(DATA, 0, 1) * 100,
}


@pytest.mark.parametrize("name", SMALL)
def test_a_flood_of_small_frames_is_ended(world: World, name: str) -> None:
    with raw_h2(world) as stream:
        stream.sendall(frame(HEADERS, END_HEADERS, 1, GET_HEAD.replace(b"GET", b"PUT")))
        assert flood(stream, SMALL[name], 5_000), f"half a million {name} were taken"


def test_a_head_of_endless_continuations_is_ended(world: World) -> None:
    """CVE-2024-27316: each frame is small, and END_HEADERS never comes."""
    with raw_h2(world) as stream:
        stream.sendall(frame(HEADERS, END_STREAM, 1, GET_HEAD))
        piece = frame(CONTINUATION, 0, 1, literal("x", "y" * 16_000))
        assert flood(stream, piece, 2_000), "32 MB of one head were taken"


def test_a_bomb_of_compressed_fields_is_refused(world: World) -> None:
    """One field of 4,000 bytes in the table, and then 30,000 times one byte that stands for it."""
    with raw_h2(world) as stream:
        encoder = Encoder()
        bomb = encoder.encode([(":method", "GET"), *BASE[1:], ("x", "y" * 3_900)], huffman=False)
        size = frame(HEADERS, END_STREAM, 1, bomb)
        stream.sendall(size)
        assert flood(stream, frame(CONTINUATION, 0, 1, b"\xbe" * 15_000), 2_000)


def test_too_many_fields_are_refused_and_the_connection_goes_on(world: World) -> None:
    with world.h2() as client:
        number = client.request("GET", "/tell", *[(f"x-{n}", "1") for n in range(400)])
        assert client.answer(number)[0] in (0, 431)
        assert client.answer(client.request("GET", "/tell"))[0] == 200


def test_windows_of_nothing_on_many_streams_cost_little(world: World) -> None:
    """100 answers that nobody may send, and then windows of one byte."""
    before = world.waypoint.rss_anon_bytes()
    window = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0}
    with world.h2(settings=window) as client:
        numbers = [client.request("GET", "/download?blocks=100") for _ in range(100)]
        heads: set[int] = set()
        while len(heads) < len(numbers):
            heads |= {event.stream_id for event in client.pump() if isinstance(event, h2.events.ResponseReceived)}
        assert world.status("/tell") == 200
        held = world.waypoint.rss_anon_bytes() - before
        assert is_sanitized() or held < 64 << 20, held
        for _ in range(20):
            for number in numbers:
                client.h2.increment_flow_control_window(1, number)
            client.flush()
        while any(len(client.body(number)) < 20 for number in numbers[:5]):
            client.pump()


def test_a_window_that_overflows_ends_what_it_is_for(world: World) -> None:
    with raw_h2(world) as stream:
        stream.sendall(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFFFFFF)))
        with contextlib.suppress(ConnectionError):
            read_all(stream)


# --- servers that mean harm ------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
ANSWERS = {
    "no HTTP at all": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", {502}),
    "both framings": (OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {502}),
    "two lengths": (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", {502}),
    "a length with a sign": (OK + b"Content-Length: +5\r\n\r\nhello", {502}),
    "an unknown coding": (OK + b"Transfer-Encoding: gzip\r\n\r\nhello", {502}),
    "a folded line": (OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n", {502}),
    "lines that end in LF": (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", {502}),
    "a CR in a value": (OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n", {502}),
    "a NUL in a value": (OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n", {502}),
    "a space before the colon": (OK + b"Content-Length : 0\r\n\r\n", {502}),
    "a status of nonsense": (b"HTTP/1.1 20x OK\r\nContent-Length: 0\r\n\r\n", {502}),
    "a version of nonsense": (b"HTTP/9.1 200 OK\r\nContent-Length: 0\r\n\r\n", {502}),
    "another protocol that nobody asked for": (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", {502}),
    "too many fields": (OK + b"X: 1\r\n" * 300 + b"\r\n", {502}),
    "a head without end": (OK + b"X: " + b"y" * 500_000, {502}),
    "interim answers without end": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 5_000, {502}),
    "nothing": (b"", {503}),
    "half a head": (OK + b"Content-Le", {503, 502}),
}  # fmt: skip


@pytest.mark.parametrize("shape", ANSWERS)
@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_an_answer_that_is_none_becomes_an_error(world: World, behind: Backend, shape: str, version: str) -> None:
    answer, statuses = ANSWERS[shape]
    with behind.answering(answer):
        assert world.status("/", version, port=RAW) in statuses


CUT = {
    "less than its length": OK + b"Content-Length: 50\r\n\r\nhello",
    "a chunk less": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "half a chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n50\r\nhello",
    "a chunk size of nonsense": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n",
}


@pytest.mark.parametrize("shape", CUT)
@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(world: World, behind: Backend, shape: str, version: str) -> None:
    with behind.answering(CUT[shape]):
        command = ["curl", "-sS", version, "--max-time", "20", world.url("/", port=RAW)]
        done = world.mesh.client.run(command, check=False)
        # A reset of HTTP/2 may overtake what came before it.
        assert done.stdout in ("hello", "") and done.returncode in (18, 56, 92), done


BEHIND = {
    "a second answer": OK + b"Content-Length: 2\r\n\r\nok" + OK + b"Content-Length: 4\r\n\r\nevil",
    "more than its length": OK + b"Content-Length: 2\r\n\r\nokevil",
    "a body of 204": b"HTTP/1.1 204 No Content\r\n\r\nevil",
    "an answer behind the last chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + OK
    + b"Content-Length: 4\r\n\r\nevil",
}  # fmt: skip


@pytest.mark.parametrize("shape", BEHIND)
def test_what_comes_behind_an_answer_is_nobodys(world: World, behind: Backend, shape: str) -> None:
    """Otherwise the next client would get the answer that a server made up in advance."""
    with behind.answering(BEHIND[shape], keep=True):
        for _ in range(5):
            assert world.curl("/", port=RAW) in ("ok", "")


def test_a_body_in_an_answer_to_head_is_nobodys(world: World, behind: Backend) -> None:
    with behind.answering(OK + b"Content-Length: 4\r\n\r\nevil", keep=True):
        for _ in range(3):
            assert world.status("/", "--head", port=RAW) == 200
            assert world.curl("/", port=RAW) == "evil"  # a GET's own body


def test_a_server_of_http_2_that_speaks_nonsense(world: World) -> None:
    def serve(stream: socket.socket) -> None:
        stream.recv(1 << 16)
        stream.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 100)

    with TcpServer(world.app.listen(NGINX_H2C_PORT), serve):
        assert world.status("/", port=NGINX_H2C) in (502, 503)


def test_a_server_that_never_stops_sending_interim_frames(world: World) -> None:
    """SETTINGS and PINGs of a server count as those of a client."""

    def serve(stream: socket.socket) -> None:
        stream.recv(1 << 16)
        stream.sendall(frame(SETTINGS, 0, 0))
        flood(stream, frame(PING, 0, 0, b"12345678") * 100, 5_000)

    with TcpServer(world.app.listen(NGINX_H2C_PORT), serve):
        assert world.status("/", port=NGINX_H2C) in (502, 503)
