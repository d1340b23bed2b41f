"""What the end-to-end tests share: the two-node mesh, its health, and small servers.

node1: mesh/client, mesh/server-a            node2: mesh/server-b, outside/outside
namespace `mesh` is enrolled, namespace `outside` is not; nginx answers on 8080 in both servers.
Service `server` (port 80) has both as endpoints, `server-b` (port 80) the one on the other node.
"""

from __future__ import annotations

import ctypes
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tests.e2e.hbone_peer import HBONE_PORT
from tests.lab import HttpServer, Lab, LabError, Pod, Ztunnel, wait_until
from tests.lab.pods import SocketLine

APP_PORT = 8080
BACKENDS = ("uring", "epoll")
# Tunnels that nobody uses go after this, instead of 5 minutes: tests wait for rest again and again.
TEST_ENV = {"POOL_UNUSED_RELEASE_TIMEOUT": "500ms"}
SETTLE_TIMEOUT_S = 30.0
# The issue's own bound for memory after a disturbance.
RSS_GROWTH_BYTES_MAX = 2 << 20
# Enough concurrent connections in the warm-up that every worker's pools and arenas have been touched.
WARM_UP_CONNECTIONS = 64
WARM_UP_ROUNDS = 4
ENROL_TIMEOUT_S = 30.0
PROXY_PORTS = (15001, 15006, HBONE_PORT)

_SYS_IO_URING_SETUP = 425


@dataclass(frozen=True)
class Usage:
    """What one ztunnel holds at rest."""

    pid: int
    rss_bytes: int
    fds: int


@dataclass
class Mesh:
    """The running two-node mesh, on one backend."""

    lab: Lab
    backend: str
    env: Mapping[str, str]
    client: Pod
    server_a: Pod
    server_b: Pod
    outside: Pod
    http_a: HttpServer
    http_b: HttpServer
    baseline: dict[str, Usage] = field(default_factory=dict)

    @property
    def proxies(self) -> list[Ztunnel]:
        return [node.ztunnel for node in self.lab.nodes.values() if node.ztunnel is not None]

    def proxy_of(self, pod: Pod) -> Ztunnel:
        """The ztunnel of the pod's node."""
        return self.lab.node(pod.node).proxy

    def marks(self) -> dict[str, int]:
        """A place in every access log, by node."""
        return {proxy.node: proxy.log_mark() for proxy in self.proxies}

    def restart(self, node: str, *, kill: bool = False) -> Ztunnel:
        """Ends a node's ztunnel, gracefully or not, and starts another in its place."""
        running = self.lab.node(node).proxy
        if kill:
            running.kill()
        else:
            running.stop()
        return self.lab.start_ztunnel(node, backend=self.backend, env=self.env)

    # --- health --------------------------------------------------------------------------------

    def check_alive(self) -> None:
        for proxy in self.proxies:
            proxy.require_alive()

    def check_backend(self) -> None:
        """The backend under test served, and the other did nothing."""
        for proxy in self.proxies:
            operations = proxy.operations()
            others = {name: count for name, count in operations.items() if name != self.backend and count}
            assert operations.get(self.backend, 0) > 0, f"{proxy.name}: {self.backend} did nothing: {operations}"
            assert not others, f"{proxy.name}: {others} on another backend than {self.backend}"

    def take_baseline(self) -> None:
        """Remembers each ztunnel at rest; settles() compares with this. After a restart, take it again."""
        wait_until("sockets of the warm-up to go", lambda: not self.sockets_left(), SETTLE_TIMEOUT_S)
        self.baseline = {proxy.node: usage_at_rest(proxy) for proxy in self.proxies}

    def settles(self, timeout: float = SETTLE_TIMEOUT_S) -> None:
        """Waits until memory and descriptors are back at the baseline and no pod holds a socket of a proxy.

        For a ztunnel started since the baseline only the sockets count, until take_baseline() is called again.
        """
        try:
            wait_until("the mesh to settle", lambda: not self._unrest(), timeout)
        except LabError:
            raise AssertionError("not at rest: " + "; ".join(self._unrest())) from None
        self._learn_rest()

    def _learn_rest(self) -> None:
        """The least memory seen at rest is the measure from now on.

        Allocators give back what a warm-up took only seconds after it: the first reading alone would allow too much.
        """
        for proxy in self.proxies:
            before = self.baseline.get(proxy.node)
            if before is not None and before.pid == proxy.pid:
                self.baseline[proxy.node] = replace(before, rss_bytes=min(before.rss_bytes, proxy.rss_anon_bytes()))

    def sockets_left(self) -> list[str]:
        """Connections in pods that a proxy holds, or that nobody holds any more but which are not yet over."""
        pids = [proxy.pid for proxy in self.proxies]
        return [
            f"{key}: {line.state} {line.local} -> {line.peer} {line.users}"
            for key, pod in self.lab.pods.items()
            for line in pod.sockets()
            if is_left(line, pids, pod.ips)
        ]

    def wait_no_tunnels(self) -> None:
        """Until no pod has a tunnel: the next connection has to open one."""
        wait_until("unused tunnels to go", lambda: not any(map(has_tunnel, self.lab.pods.values())), SETTLE_TIMEOUT_S)

    def _unrest(self) -> list[str]:
        reasons = self.sockets_left()
        for proxy in self.proxies:
            before = self.baseline.get(proxy.node)
            if before is None or before.pid != proxy.pid:
                continue
            now = _usage(proxy)
            if now.fds != before.fds:
                reasons.append(f"{proxy.name}: {now.fds} descriptors, {before.fds} before")
            if not is_sanitized() and now.rss_bytes > before.rss_bytes + RSS_GROWTH_BYTES_MAX:
                reasons.append(f"{proxy.name}: RssAnon {now.rss_bytes >> 10} KiB, {before.rss_bytes >> 10} KiB before")
        return reasons


@contextmanager
def two_node_mesh(backend: str, *, env: Mapping[str, str] | None = None) -> Iterator[Mesh]:
    """A ready mesh as in the header of this file; its end checks for what sanitizers found."""
    with Lab.new() as lab:
        all_env = {**TEST_ENV, **(env or {})}
        manifests = lab.mesh
        manifests.mesh_config()
        manifests.namespace("mesh", ambient=True)
        manifests.namespace("outside")
        manifests.pod("mesh", "client", node="node1", service_account="client")
        for name, node in (("server-a", "node1"), ("server-b", "node2")):
            manifests.pod(
                "mesh", name, node=node, service_account=name, labels={"role": "server"}, ports={"http": APP_PORT}
            )
        manifests.pod("outside", "outside", node="node2", service_account="outside")
        manifests.service("mesh", "server", selector={"role": "server"}, ports=[(80, "http")])
        manifests.service("mesh", "server-b", selector={"app": "server-b"}, ports=[(80, APP_PORT)])
        lab.up()
        near, far = lab.pod("mesh/server-a"), lab.pod("mesh/server-b")
        http_a, http_b = HttpServer(lab, near, APP_PORT), HttpServer(lab, far, APP_PORT)
        lab.start_ztunnels(backend=backend, env=all_env)
        mesh = Mesh(
            lab, backend, all_env, lab.pod("mesh/client"), near, far, lab.pod("outside/outside"), http_a, http_b
        )
        wait_captured(mesh.client, near, far)
        warm_up(mesh)
        mesh.take_baseline()
        yield mesh
        lab.stop_programs()
        reports = lab.sanitizer_reports()
        assert not reports, "a sanitizer found something:\n" + "\n".join(reports)


def is_left(line: SocketLine, proxies: Sequence[int], pod_ips: Sequence[str]) -> bool:
    """True exactly when a socket in a pod is a proxy's, or has no owner any more and still has to be told something.

    One kind of ownerless socket is nobody's debt: an application has closed its end, the proxy's kernel has
    acknowledged that, and the proxy's end is gone. The kernel keeps such a FIN-WAIT-2 for a minute when a reset comes
    at the same moment as the acknowledgement: it is then lost between the socket and its successor in the kernel's
    tables. (Two plain sockets on loopback, one closed and one reset at once by two cores, show it about once in 5,000
    times.) Were the proxy's end still there, that would be listed itself, as the proxy's.
    """
    if line.state in ("LISTEN", "TIME-WAIT"):
        return False
    if any(line.belongs_to(pid) for pid in proxies):
        return True
    if line.users:
        return False
    applications = line.local_ip in pod_ips and line.local_port not in PROXY_PORTS and line.peer_port != HBONE_PORT
    return not (line.state == "FIN-WAIT-2" and applications)


def has_tunnel(pod: Pod) -> bool:
    return any(line.state == "ESTAB" and HBONE_PORT in (line.local_port, line.peer_port) for line in pod.sockets())


def wait_captured(*pods: Pod, timeout: float = ENROL_TIMEOUT_S) -> None:
    """Until new connections of these pods go through their proxies."""
    for pod in pods:
        wait_until(f"{pod.key} to be captured", pod.is_captured, timeout)


def warm_up(mesh: Mesh) -> None:
    """Uses every path once under some load, so that what is made at first use exists."""
    pairs = [
        (mesh.client, mesh.server_a),
        (mesh.client, mesh.server_b),
        (mesh.server_b, mesh.server_a),
        (mesh.outside, mesh.server_a),
        (mesh.outside, mesh.server_b),
    ]
    for _ in range(WARM_UP_ROUNDS):
        for source, target in pairs:
            for address in (target.ip, target.ip6):
                streams = [source.connect(address, APP_PORT) for _ in range(WARM_UP_CONNECTIONS // len(pairs))]
                for stream in streams:
                    stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
                for stream in streams:
                    assert read_all(stream).startswith(b"HTTP/1.1 200"), f"{source.key} -> {address}"
                    stream.close()


def is_sanitized() -> bool:
    """A sanitizer's build keeps freed memory for a while: its size says nothing."""
    return bool(os.environ.get("AQUIFER_SANITIZER")) or "san" in os.environ.get("AQUIFER_BUILD", "")


def io_uring_allowed() -> bool:
    """True exactly when this machine lets programs set up a ring."""
    libc = ctypes.CDLL(None, use_errno=True)
    parameters = ctypes.create_string_buffer(120)
    descriptor = libc.syscall(_SYS_IO_URING_SETUP, 4, parameters)
    if descriptor < 0:
        return False
    os.close(descriptor)
    return True


def read_all(stream: socket.socket) -> bytes:
    """Everything up to the peer's end of stream."""
    parts = []
    while part := stream.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def read_exactly(stream: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        part = stream.recv(min(1 << 16, count - len(data)))
        assert part, f"the stream ended after {len(data)} of {count} bytes"
        data += part
    return bytes(data)


def source_of(stream: socket.socket) -> str:
    """The stream's own address as access logs print it."""
    host, port = stream.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class TcpServer:
    """A server in a pod (or on a node) that runs `handler` on a thread for each connection; use as a context.

    `peers` are the addresses it saw. The default handler sends back what it receives and half-closes at the end.
    """

    def __init__(self, listener: socket.socket, handler: Callable[[socket.socket], None] | None = None) -> None:
        self._listener = listener
        self._handler = handler or echo
        self.port: int = listener.getsockname()[1]
        self.peers: list[tuple[str, int]] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> TcpServer:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        # shutdown() wakes the accept; close() alone would leave it waiting.
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        finally:
            self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                stream, peer = self._listener.accept()
            except OSError:
                return
            self.peers.append((str(peer[0]).removeprefix("::ffff:"), int(peer[1])))
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        with stream:
            try:
                self._handler(stream)
            except OSError:
                pass  # the client side of the test sees how its connection ended


def echo(stream: socket.socket) -> None:
    while part := stream.recv(1 << 16):
        stream.sendall(part)
    stream.shutdown(socket.SHUT_WR)


def _usage(proxy: Ztunnel) -> Usage:
    return Usage(proxy.pid, proxy.rss_anon_bytes(), proxy.fd_count())


def usage_at_rest(proxy: Ztunnel) -> Usage:
    """Two readings half a second apart that agree."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    before = _usage(proxy)
    while time.monotonic() < deadline:
        time.sleep(0.5)
        now = _usage(proxy)
        if now.fds == before.fds and abs(now.rss_bytes - before.rss_bytes) < 64 << 10:
            return now
        before = now
    raise LabError(f"{proxy.name} did not come to rest: {before}")
