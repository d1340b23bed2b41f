"""Small measurements with sockets of our own: how long a request takes, and a connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.lab.pods import Pod
from tests.lab.shell import LabError

# One answer of our nginx pages fits; more would mean that something else answered.
RESPONSE_BYTES_MAX = 65536

Receive = Callable[[int], bytes]


@dataclass(frozen=True)
class Latency:
    """Times of one kind of operation, in microseconds."""

    count: int
    p50_us: float
    p99_us: float


def request_latency(client: Pod, address: str, port: int, requests: int) -> Latency:
    """HTTP requests one after the other over one connection that stays open."""
    times = []
    with client.connect(address, port) as stream:
        request = _request(address, close=False)
        for _ in range(requests):
            start = time.perf_counter()
            stream.sendall(request)
            read_response(stream.recv)
            times.append(time.perf_counter() - start)
    return _summary(times)


def connection_latency(client: Pod, address: str, port: int, connections: int) -> Latency:
    """Connect, one HTTP request, read to the end, close: one connection after the other."""
    times = []
    request = _request(address, close=True)
    for _ in range(connections):
        # The socket is made before the clock starts: entering the namespace is the lab's cost, not the mesh's.
        with client.ns.open_socket() as stream:
            stream.settimeout(10.0)
            start = time.perf_counter()
            stream.connect((address, port))
            stream.sendall(request)
            while stream.recv(RESPONSE_BYTES_MAX):
                pass
            times.append(time.perf_counter() - start)
    return _summary(times)


def read_response(receive: Receive) -> bytes:
    """One HTTP response with a Content-Length; gives its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(receive, data)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    if not lengths:
        raise LabError(f"a response without Content-Length: {head!r}")
    while len(body) < int(lengths[0]):
        body += _more(receive, body)
    return body


def _more(receive: Receive, so_far: bytes) -> bytes:
    data: bytes = receive(RESPONSE_BYTES_MAX)
    if not data:
        raise LabError(f"the connection ended in the middle of a response, after {so_far!r}")
    return data


def _request(host: str, *, close: bool) -> bytes:
    ending = "Connection: close\r\n" if close else ""
    return f"GET / HTTP/1.1\r\nHost: {host}\r\n{ending}\r\n".encode()


def _summary(times: list[float]) -> Latency:
    ordered = sorted(times)
    return Latency(len(ordered), _at(ordered, 0.5), _at(ordered, 0.99))


def _at(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1e6
