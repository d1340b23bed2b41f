"""Thousands of connections that say nothing: they are kept, they cost little, and each still works when it is used."""

from __future__ import annotations

import resource
import socket

import pytest

from tests.e2e.helpers import Mesh, is_sanitized, usage_at_rest
from tests.lab import Pod, wait_until

# For each connection in each of the two proxies: 1.35 KiB that stay (the connection and its streams, about 950 bytes, see
# tests/unit/ztunnel/sizes_test.cc, its share of a tunnel, and what allocators lose), 0.9 KiB that the frames of a whole
# batch being set up at once leave to the allocator, and as much again when the machine is so busy that more pile up.
BYTES_PER_CONNECTION_MAX = 4 << 10
BATCH = 500
END_TIMEOUT_S = 60.0

# Sends back what it gets on any number of connections. A program of its own: it needs as many descriptors as the test.
ECHO = """
import resource, select, socket
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
listener = socket.create_server(("::", 9200), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)
poll, held = select.epoll(), {}
poll.register(listener, select.EPOLLIN)
print("listening", flush=True)
while True:
    for number, _ in poll.poll():
        if number == listener.fileno():
            stream = listener.accept()[0]
            held[stream.fileno()] = stream
            poll.register(stream, select.EPOLLIN)
        elif data := held[number].recv(4096):
            held[number].sendall(data)
        else:
            held.pop(number).close()
"""


def connect_batch(pod: Pod, address: str, port: int, count: int) -> list[socket.socket]:
    streams = pod.ns.call(lambda: [socket.socket() for _ in range(count)])
    for stream in streams:
        stream.settimeout(END_TIMEOUT_S)
        stream.connect((address, port))
    return streams


def ask_all(streams: list[socket.socket], word: bytes) -> None:
    for stream in streams:
        stream.sendall(word)
    for number, stream in enumerate(streams):
        assert stream.recv(len(word)) == word, f"connection {number}"


@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.full)])
def test_idle_connections_are_kept_and_cost_little(mesh: Mesh, count: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = mesh.lab.spawn(f"echo-{count}", mesh.server_b, ["python3", "-c", ECHO])
    wait_until("the server to listen", lambda: "listening" in server.stdout())
    before = {proxy.node: proxy.rss_anon_bytes() for proxy in mesh.proxies}
    streams: list[socket.socket] = []
    try:
        while len(streams) < count:
            streams += connect_batch(mesh.client, mesh.server_b.ip, 9200, BATCH)
            ask_all(streams[-BATCH:], b"hello")
        for proxy in mesh.proxies:
            each = (usage_at_rest(proxy).rss_bytes - before[proxy.node]) / count
            print(f"{proxy.name}: {count} idle connections, {each:.0f} bytes each")
            if not is_sanitized():
                assert each < BYTES_PER_CONNECTION_MAX
        ask_all(streams, b"still there?")
    finally:
        for stream in streams:
            stream.close()
    mesh.settles()
    server.stop()
