"""The waypoint's HTTP/2 codec and programs that others wrote: curl, nghttp, h2load, Python's h2."""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import h2.config
import h2.connection
import h2.errors
import h2.events
import pytest

from tests.lab import Lab, wait_until
from tests.lab.h2_driver import H2Driver, driver_lab

# Nothing here takes this long.
SOON_S = 30.0


@pytest.fixture(scope="module")
def lab(backend: str) -> Iterator[Lab]:
    with driver_lab() as made:
        made.up()
        yield made


@pytest.fixture(scope="module")
def server(lab: Lab, backend: str) -> H2Driver:
    return H2Driver(lab, backend)


@pytest.fixture(scope="module")
def relay(lab: Lab, backend: str, server: H2Driver) -> H2Driver:
    return H2Driver(lab, backend, server)


@pytest.fixture(params=["server", "relay"])
def either(request: pytest.FixtureRequest, server: H2Driver, relay: H2Driver) -> H2Driver:
    """The server's half of the codec alone, and both halves with the client's in between."""
    return relay if request.param == "relay" else server


@pytest.fixture
def driver(server: H2Driver) -> H2Driver:
    return server


class Client:
    """A connection of Python's h2."""

    def __init__(self, driver: H2Driver) -> None:
        self.socket = driver.pod.connect("127.0.0.1", driver.port)
        self.socket.settimeout(SOON_S)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.h2.initiate_connection()
        self.flush()
        self.events: list[h2.events.Event] = []
        self.authority = f"127.0.0.1:{driver.port}"

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def ask(self, path: str, method: str = "GET", *, end: bool = True) -> int:
        stream = int(self.h2.get_next_available_stream_id())
        head = [(":method", method), (":scheme", "http"), (":authority", self.authority), (":path", path)]
        self.h2.send_headers(stream, head, end_stream=end)
        return stream

    def until(self, kind: type[h2.events.Event], stream: int | None = None) -> h2.events.Event:
        """The first event of this kind (of this stream); all that came are in `events`."""
        seen = 0
        while True:
            for event in self.events[seen:]:
                if isinstance(event, kind) and stream in (None, getattr(event, "stream_id", None)):
                    return event
            seen = len(self.events)
            data = self.socket.recv(1 << 16)
            assert data, f"the connection ended before {kind.__name__}"
            self.events += self.h2.receive_data(data)
            self.flush()

    def body(self, stream: int) -> bytes:
        self.until(h2.events.StreamEnded, stream)
        of_stream = (event for event in self.events if isinstance(event, h2.events.DataReceived))
        return b"".join(event.data for event in of_stream if event.stream_id == stream)

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def client(driver: H2Driver) -> Iterator[Client]:
    made = Client(driver)
    yield made
    made.close()


def test_curl_gets_and_posts(either: H2Driver, tmp_path: Path) -> None:
    driver = either
    curl = ["curl", "-sS", "--http2-prior-knowledge", "--max-time", str(SOON_S)]
    assert driver.pod.run([*curl, driver.url()]).stdout == "hello over HTTP/2\n"
    head = driver.pod.run([*curl, "-I", driver.url()]).stdout
    assert "HTTP/2 200" in head and "content-length: 18" in head
    sent = tmp_path / "sent"
    sent.write_bytes(bytes(range(256)) * 20_000)
    got = tmp_path / "got"
    driver.pod.run([*curl, "--data-binary", f"@{sent}", "-o", str(got), driver.url("/echo")])
    assert hashlib.sha256(got.read_bytes()).digest() == hashlib.sha256(sent.read_bytes()).digest()
    large = driver.pod.run([*curl, "-o", "/dev/null", "-w", "%{size_download}", driver.url("/bytes/50000000")])
    assert large.stdout == "50000000"


def test_nghttp_sees_hints_uploads_and_trailers(either: H2Driver, tmp_path: Path) -> None:
    driver = either
    hints = driver.pod.run(["nghttp", "-nv", driver.url("/hints")]).stdout
    assert hints.index(":status: 103") < hints.index(":status: 200")
    body = tmp_path / "body"
    body.write_bytes(b"x" * 300_000)
    echoed = driver.pod.run(
        ["nghttp", "-nv", "-d", str(body), "--trailer", "x-sum: 42", "-H", ":method: POST", driver.url("/echo")]
    ).stdout
    assert echoed.count("x-sum: 42") == 2  # said and heard
    assert driver.pod.run(["nghttp", "-w", "30", "-W", "30", "-d", str(body), driver.url("/upload")]).stdout == "300000"


@pytest.mark.parametrize("what", [("/",), ("/bytes/65536",), ("/echo", "-d")])
def test_h2load_with_a_hundred_streams_on_each_connection(
    either: H2Driver, tmp_path: Path, what: tuple[str, ...]
) -> None:
    driver = either
    body = tmp_path / "body"
    body.write_bytes(b"y" * 65_536)
    data = ["-d", str(body)] if len(what) > 1 else []
    count = 20_000 if what == ("/",) else 2_000
    said = driver.pod.run(
        ["h2load", "-n", str(count), "-c", "2", "-m", "100", *data, driver.url(what[0])], timeout=120.0
    ).stdout
    assert f"{count} succeeded, 0 failed" in said, said
    assert f"status codes: {count} 2xx" in said, said


def test_thousands_of_cancelled_requests_do_not_end_a_connection(driver: H2Driver, client: Client) -> None:
    client.until(h2.events.RemoteSettingsChanged)
    for _ in range(50):
        for _ in range(100):
            stream = client.ask("/bytes/1000000")
            client.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        client.flush()
    stream = client.ask("/")
    client.flush()
    assert client.body(stream) == b"hello over HTTP/2\n"


def test_a_stream_that_nobody_takes_delays_no_other_and_holds_little(driver: H2Driver, client: Client) -> None:
    client.until(h2.events.RemoteSettingsChanged)
    # The connection's window is large enough, those of the streams are not: each stops at 65,535 bytes.
    client.h2.increment_flow_control_window(1 << 28)
    before = driver.process.rss_anon_bytes()
    slow = [client.ask("/bytes/100000000") for _ in range(50)]
    client.flush()
    taken = {stream: 0 for stream in slow}
    while min(taken.values()) < 65_535:
        for event in client.h2.receive_data(client.socket.recv(1 << 20)):
            if isinstance(event, h2.events.DataReceived):
                taken[event.stream_id] += len(event.data)
        client.flush()
    # What waits for them: 64 KiB each, and some frames.
    assert driver.process.rss_anon_bytes() - before < 16 << 20
    for _ in range(20):
        stream = client.ask("/")
        client.flush()
        assert client.body(stream) == b"hello over HTTP/2\n"


def test_websocket_over_http2(client: Client) -> None:
    client.until(h2.events.RemoteSettingsChanged)
    stream = int(client.h2.get_next_available_stream_id())
    head = [
        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"),
        (":authority", client.authority), (":path", "/chat"), ("sec-websocket-version", "13"),
    ]  # fmt: skip
    client.h2.send_headers(stream, head)
    client.h2.send_data(stream, b"ping")
    client.flush()
    answer = client.until(h2.events.ResponseReceived, stream)
    assert (b":status", b"200") in [(bytes(k, "ascii") if isinstance(k, str) else k,
                                     bytes(v, "ascii") if isinstance(v, str) else v) for k, v in answer.headers]
    client.until(h2.events.DataReceived, stream)
    client.h2.end_stream(stream)
    client.flush()
    assert client.body(stream) == b"ping"


def test_a_header_flood_is_refused_in_little_memory(driver: H2Driver, client: Client) -> None:
    before = driver.process.rss_anon_bytes()
    stream = int(client.h2.get_next_available_stream_id())
    head = [(":method", "GET"), (":scheme", "http"), (":authority", client.authority), (":path", "/")]
    client.h2.send_headers(stream, head + [(f"x-{i}", "y" * 900) for i in range(180)], end_stream=True)
    client.flush()
    answer = client.until(h2.events.ResponseReceived, stream)
    assert "431" in str(answer.headers)
    # A head that never ends: HEADERS, then CONTINUATION without END_HEADERS.
    raw = driver.pod.connect("127.0.0.1", driver.port)
    raw.settimeout(SOON_S)
    piece = b"\x00\x01x\x7f\x81\x7d" + b"z" * 16_256
    frame = len(piece).to_bytes(3, "big") + b"\x09\x00\x00\x00\x00\x01"
    raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]))
    try:
        for _ in range(1_000):
            raw.sendall(frame + piece)
        ended = False
    except OSError:
        ended = True
    heard = b""
    try:
        while data := raw.recv(1 << 16):
            heard += data
    except OSError:
        pass
    raw.close()
    assert ended or re.search(rb"\x07\x00\x00\x00\x00\x00.{4}\x00\x00\x00\x0b", heard, re.DOTALL)
    assert driver.process.rss_anon_bytes() - before < 8 << 20
    assert "hello" in driver.pod.curl(driver.url(), "--http2-prior-knowledge")


def test_a_terminated_server_lets_streams_end(lab: Lab, backend: str) -> None:
    driver = H2Driver(lab, backend)
    client = Client(driver)
    client.until(h2.events.RemoteSettingsChanged)
    stream = client.ask("/echo", "POST", end=False)
    client.h2.send_data(stream, b"before")
    client.flush()
    client.until(h2.events.DataReceived, stream)
    driver.process.signal(15)
    # h2 takes nothing more once it has heard GOAWAY: from here on by hand.
    heard = b""
    while b"\x00\x00\x08\x06\x00" not in heard:
        heard += client.socket.recv(1 << 16)
    assert b"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00" in heard
    ping = heard[heard.index(b"\x00\x00\x08\x06\x00") :][9:17]
    client.socket.sendall(b"\x00\x00\x08\x06\x01\x00\x00\x00\x00" + ping)
    client.socket.sendall(b"\x00\x00\x05\x00\x01" + stream.to_bytes(4, "big") + b"after")
    try:
        while data := client.socket.recv(1 << 16):
            heard += data
    except socket.timeout:
        pytest.fail("the connection did not end with its last stream")
    client.close()
    assert b"after" in heard
    wait_until("the driver to end", lambda: driver.process.returncode is not None)
    assert driver.process.returncode == 0
