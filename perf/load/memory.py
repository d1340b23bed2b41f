"""Memory of both proxies of a peer: resting after its start, and for each connection that does nothing."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from perf.load.peers import Peer
from tests.lab.measure import read_response

IDLE_CONNECTIONS = 1000
# Before the first reading that others are compared with, so that what a first use makes does not count.
WARM_UP_CONNECTIONS = 64
CONNECT_TIMEOUT_S = 10.0
# Proxies give back soon what only their start needed; ours at the first look at the pods that finds all served.
REST_S = 3.0
STEADY_BYTES, STEADY_INTERVAL_S, STEADY_TIMEOUT_S = 64 << 10, 0.3, 4.0

_REQUEST = b"GET / HTTP/1.1\r\nHost: idle\r\n\r\n"


def measure(peer: Peer) -> dict[str, float]:
    """Once for each run of the proxies, before any load: later their allocators keep what load has freed."""
    time.sleep(REST_S)
    resting = _sum(peer, "VmRSS")
    warm_up(peer)
    before = steady(peer)
    streams = open_connections(peer, IDLE_CONNECTIONS)
    try:
        grown = steady(peer) - before
    finally:
        close_all(streams)
    return {"memory.resting": resting / (1 << 20), "memory.connection": grown / IDLE_CONNECTIONS / 1024}


def warm_up(peer: Peer) -> None:
    """What a first use makes is made."""
    close_all(open_connections(peer, WARM_UP_CONNECTIONS))


def open_connections(peer: Peer, count: int) -> list[socket.socket]:
    """Connections that each had one answer: every hop of theirs exists."""
    streams: list[socket.socket] = []

    def connect() -> None:
        for _ in range(count):
            streams.append(socket.create_connection((peer.address, peer.http_port), CONNECT_TIMEOUT_S))
            streams[-1].sendall(_REQUEST)
            read_response(streams[-1].recv)

    try:
        peer.client.ns.call(connect)
    except BaseException:
        close_all(streams)
        raise
    return streams


def close_all(streams: list[socket.socket]) -> None:
    for stream in streams:
        stream.close()


def steady(peer: Peer) -> int:
    """Own memory once two readings in a row agree, or the last one when none do in time."""
    deadline = time.monotonic() + STEADY_TIMEOUT_S
    before = own_bytes(peer)
    while time.monotonic() < deadline:
        time.sleep(STEADY_INTERVAL_S)
        now = own_bytes(peer)
        if abs(now - before) < STEADY_BYTES:
            return now
        before = now
    return before


def own_bytes(peer: Peer) -> int:
    """What its proxies share with nobody."""
    return _sum(peer, "RssAnon")


def _sum(peer: Peer, field: str) -> int:
    return sum(_status(proxy.pid, field) for proxy in peer.proxies)


def _status(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0
