"""`./dev bench l7`: our waypoint beside Envoy as a waypoint, and both as plain reverse proxies beside HAProxy and nginx.

Saturation is h2load's (HTTP/1.1 and HTTP/2), latency fortio's at a fixed rate. CPU is that of the process in the
middle alone.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perf.load import l7_peers, noise
from perf.load.figures import Figure, Results
from perf.load.l7_peers import Peer
from tests.lab import Lab, LabError
from tests.lab.measure import read_response

SLACK_S = 20.0
CONNECTIONS, STREAMS = 16, 8
FIXED_RATE, FIXED_CONNECTIONS = 1000, 16
IDLE_CONNECTIONS = 5000
MANY_ROUTES = 1000

Figures = dict[str, float]

_SIZES = (("small", "/small"), ("64k", "/large"))
FIGURES = [
    *(
        figure
        for size, _ in _SIZES
        for version, words in (("h1", "HTTP/1.1"), ("h2", "HTTP/2"))
        for figure in (
            Figure(f"{version}-{size}.rate", f"{words}, {size} answers, saturated", "1/s", 0, more_is_better=True),
            Figure(f"{version}-{size}.cpu", "  CPU of the proxy", "us/request", 1),
        )
    ),
    Figure("grpc.rate", "gRPC, saturated", "1/s", 0, more_is_better=True),
    Figure("grpc.cpu", "  CPU of the proxy", "us/request", 1),
    *(
        figure
        for version, words in (("h1", "HTTP/1.1"), ("h2", "HTTP/2"))
        for figure in (
            Figure(f"fixed-{version}.p50", f"{words}, {FIXED_RATE}/s: p50", "us", 0),
            Figure(f"fixed-{version}.p99", "  p99", "us", 0),
            Figure(f"fixed-{version}.p999", "  p99.9", "us", 0),
            Figure(f"fixed-{version}.cpu", "  CPU of the proxy", "us/request", 1),
        )
    ),
    Figure("routes.p99", f"HTTP/1.1, {FIXED_RATE}/s, {MANY_ROUTES} routes: p99", "us", 0),
    Figure("routes.cpu", "  CPU of the proxy", "us/request", 1),
    Figure("memory.resting", "memory of the proxy after its start", "MiB", 1),
    Figure("memory.connected", f"  with {IDLE_CONNECTIONS} connections", "MiB", 1),
]


class L7Bench:
    """One run: its results, and what did not work."""

    name = "l7"

    def __init__(self, quick: bool, debian13: Path | None, say: Callable[[str], None]) -> None:
        self.quick, self.debian13 = quick, debian13
        self.runs, self.seconds = (1, 3) if quick else (3, 5)
        self.say = say
        self.notes: list[str] = []
        self.results = Results([], FIGURES)

    def run(self) -> str:
        with Lab.new() as lab:
            self.say("building the mesh and starting the proxies")
            l7_peers.plan(lab)
            compared = l7_peers.start_all(lab, self.debian13, self.note)
            self.results.peers = [peer.name for peer in compared]
            before = noise.busy_share()
            for peer in compared:
                self.attempt(peer, "warm up", lambda peer=peer: _warm_up(peer))
            for peer in compared:
                if peer.proxy:
                    self.attempt(peer, "memory", lambda peer=peer: _memory(peer))
            for number in range(1, self.runs + 1):
                self.round(number, compared)
            self.many_routes(lab, compared)
            return noise.sentence(before, noise.busy_share(), self.results.relative_spreads())

    def round(self, number: int, compared: list[Peer]) -> None:
        for name, measure in self.scenarios():
            self.say(f"round {number} of {self.runs}: {name}")
            shift = (number - 1) % len(compared)
            for peer in compared[shift:] + compared[:shift]:
                if name.startswith(("h2", "fixed-h2")) and not peer.http2 or name == "grpc" and not peer.grpc_port:
                    continue
                self.attempt(peer, name, lambda peer=peer: measure(peer))

    def scenarios(self) -> list[tuple[str, Callable[[Peer], Figures]]]:
        found: list[tuple[str, Callable[[Peer], Figures]]] = []
        for size, path in _SIZES:
            for version in ("h1", "h2"):
                name = f"{version}-{size}"
                found.append((name, lambda peer, name=name, version=version, path=path:
                              _saturate(peer, name, version, path, self.seconds)))  # fmt: skip
        found.append(("grpc", lambda peer: _grpc(peer, self.seconds)))
        for version in ("h1", "h2"):
            found.append((f"fixed-{version}", lambda peer, version=version:
                          _fixed(peer, f"fixed-{version}", version, self.seconds)))  # fmt: skip
        return found

    def many_routes(self, lab: Lab, compared: list[Peer]) -> None:
        self.say(f"{MANY_ROUTES} routes")
        l7_peers.add_routes(lab, MANY_ROUTES)
        time.sleep(2.0)  # until every proxy has read them: nothing here depends on it being exact
        for peer in compared:
            if peer.name in l7_peers.WITH_MANY_ROUTES:
                self.attempt(peer, "routes", lambda peer=peer: _fixed(peer, "routes", "h1", self.seconds))

    def attempt(self, peer: Peer, what: str, measure: Callable[[], Figures]) -> None:
        try:
            if peer.proxy:
                peer.proxy.require_alive()
            self.results.add(peer.name, measure())
        except (LabError, OSError, ValueError, KeyError) as error:
            self.note(f"{peer.name}, {what}: {error}")

    def note(self, text: str) -> None:
        self.notes.append(" ".join(text.split()))
        self.say(text)


def _cpu(peer: Peer) -> float:
    """Of the proxy and its children: nginx works in those."""
    if not peer.proxy:
        return 0.0
    return sum(_ticks(pid) for pid in _family(peer.proxy.pid)) / os.sysconf("SC_CLK_TCK")


def _family(pid: int) -> list[int]:
    found = [pid]
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def _ticks(pid: int) -> int:
    # After the name, which may hold anything: utime and stime are the 14th and 15th fields.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _warm_up(peer: Peer) -> Figures:
    _h2load(peer, "h1", "/small", 1)
    return {}


def _saturate(peer: Peer, name: str, version: str, path: str, seconds: int) -> Figures:
    before = _cpu(peer)
    count, took = _h2load(peer, version, path, seconds)
    figures = {f"{name}.rate": count / took}
    if peer.proxy:
        figures[f"{name}.cpu"] = (_cpu(peer) - before) / count * 1e6
    return figures


def _h2load(peer: Peer, version: str, path: str, seconds: int) -> tuple[int, float]:
    """Requests that were answered, and the seconds they took."""
    options = ["--h1"] if version == "h1" else ["-m", str(STREAMS)]
    connections = CONNECTIONS * STREAMS // 2 if version == "h1" else CONNECTIONS
    command = ["h2load", "-D", str(seconds), "-c", str(connections), "-t", "1", *options, peer.url(path)]
    done = peer.client.run(command, check=False, timeout=seconds + SLACK_S)
    found = re.search(r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed", done.stdout)
    if done.returncode != 0 or not found:
        raise LabError(f"h2load: {(done.stderr or done.stdout).strip()[-300:]}")
    succeeded, failed = int(found[2]), int(found[3])
    statuses = re.search(r"status codes: (\d+) 2xx", done.stdout)
    if not succeeded or failed > succeeded * 0.001 or not statuses or int(statuses[1]) < succeeded * 0.999:
        raise LabError(f"h2load: {found[0]}; {statuses[0] if statuses else ''}")
    return succeeded, float(seconds)


def _grpc(peer: Peer, seconds: int) -> Figures:
    before = _cpu(peer)
    command = ["fortio", "load", "-grpc", "-ping", "-quiet", "-json", "-", "-t", f"{seconds}s", "-qps", "0",
               "-c", str(CONNECTIONS), f"{peer.address}:{peer.grpc_port}"]  # fmt: skip
    done = peer.client.run(command, check=False, timeout=seconds + SLACK_S)
    if done.returncode != 0:
        raise LabError(f"fortio: {done.stderr.strip()[-300:]}")
    report: dict[str, Any] = json.loads(done.stdout)
    count = int(report["DurationHistogram"]["Count"])
    if report["RetCodes"].get("SERVING", 0) != count:
        raise LabError(f"calls failed: {report['RetCodes']}")
    figures = {"grpc.rate": report["ActualQPS"]}
    if peer.proxy:
        figures["grpc.cpu"] = (_cpu(peer) - before) / count * 1e6
    return figures


def _fixed(peer: Peer, name: str, version: str, seconds: int) -> Figures:
    before = _cpu(peer)
    kind = ["-h2", "-stdclient"] if version == "h2" else []
    command = ["fortio", "load", "-quiet", "-json", "-", "-t", f"{seconds}s", "-p", "50,99,99.9", "-r", "0.00001",
               "-qps", str(FIXED_RATE), "-c", str(FIXED_CONNECTIONS), *kind, peer.url("/small")]  # fmt: skip
    done = peer.client.run(command, check=False, timeout=seconds + SLACK_S)
    if done.returncode != 0:
        raise LabError(f"fortio: {done.stderr.strip()[-300:]}")
    report: dict[str, Any] = json.loads(done.stdout)
    count = int(report["DurationHistogram"]["Count"])
    if report["RetCodes"].get("200", 0) != count:
        raise LabError(f"requests failed: {report['RetCodes']}")
    if report["ActualQPS"] < 0.9 * FIXED_RATE:
        raise LabError(f"only {report['ActualQPS']:.0f} of {FIXED_RATE} requests a second were made")
    times = {entry["Percentile"]: entry["Value"] * 1e6 for entry in report["DurationHistogram"]["Percentiles"]}
    figures = {f"{name}.p50": times[50], f"{name}.p99": times[99], f"{name}.p999": times[99.9]}
    if peer.proxy:
        figures[f"{name}.cpu"] = (_cpu(peer) - before) / count * 1e6
    return figures


def _memory(peer: Peer) -> Figures:
    """Resident, all threads; and with idle connections that each had one answer."""
    assert peer.proxy
    resting = _resident(peer.proxy.pid)
    streams: list[socket.socket] = []
    request = b"GET /small HTTP/1.1\r\nHost: idle\r\n\r\n"

    def connect() -> None:
        for _ in range(IDLE_CONNECTIONS):
            streams.append(socket.create_connection((peer.address, peer.port), 10.0))
            streams[-1].sendall(request)
            read_response(streams[-1].recv)

    try:
        peer.client.ns.call(connect)
        time.sleep(1.0)
        connected = _resident(peer.proxy.pid)
    finally:
        for stream in streams:
            stream.close()
    return {"memory.resting": resting / (1 << 20), "memory.connected": connected / (1 << 20)}


def _resident(pid: int) -> int:
    return sum(_rss(one) for one in _family(pid))


def _rss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
