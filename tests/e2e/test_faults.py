"""Things go wrong: programs die, wires are cut, peers misbehave. The mesh survives, and comes to rest as it was.

Each test ends with `recovers`: no crash, the next request works, and memory, descriptors and sockets are as before.
"""

from __future__ import annotations

import os
import resource
import secrets
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import h2.events
import hpack
import pytest

from tests.e2e.hbone_peer import HBONE_PORT, HboneClient
from tests.e2e.helpers import APP_PORT, Mesh, TcpServer, is_sanitized, read_exactly, wait_captured
from tests.e2e.peer_certs import Mint
from tests.lab import Lab, Pod, run, wait_until

PEER_ID = "spiffe://cluster.local/ns/outside/sa/outside"
# However something ends, it is seen to end within this.
END_TIMEOUT_S = 40.0
# Memory for what peers do not read: at most 16 MiB a tunnel, and a budget for each pod (ztunnel/pod_context.h).
STALLED_BYTES_MAX = 160 << 20

# Sends without end and never reads: when it is killed, the kernel resets its connections.
ENDLESS_SENDER = """
import socket
listener = socket.create_server(("::", 9100), family=socket.AF_INET6, dualstack_ipv6=True)
print("listening", flush=True)
stream = listener.accept()[0]
while True:
    stream.sendall(bytes(65536))
"""


def works(mesh: Mesh) -> None:
    """The next request, near and far."""
    for server in (mesh.server_a, mesh.server_b):
        assert mesh.client.curl(f"http://{server.ip}:{APP_PORT}/").endswith(f"you are {mesh.client.ip}\n")


def recovers(mesh: Mesh) -> None:
    mesh.check_alive()
    works(mesh)
    mesh.settles()
    works(mesh)


def read_until_it_breaks(stream: socket.socket) -> OSError | None:
    """What a blocked reader is told; None: a clean end of the stream."""
    stream.settimeout(END_TIMEOUT_S)
    try:
        while stream.recv(1 << 16):
            pass
    except TimeoutError:
        raise AssertionError(f"no end within {END_TIMEOUT_S:g} s") from None
    except OSError as error:
        return error
    return None


@pytest.fixture(scope="module")
def mint(mesh: Mesh) -> Mint:
    return Mint(mesh.lab.ca_dir, mesh.lab.work_dir / "fault-certs")


@contextmanager
def never_reads(pod: Pod) -> Iterator[int]:
    """A server that accepts, and reads nothing; gives its port. One thread, however many connections."""
    listener = pod.listen(backlog=4096)
    held: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                held.append(listener.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for stream in [*held, listener]:
            stream.close()


def fill(streams: list[socket.socket], limit: int) -> list[int]:
    """Sends on all of them until none takes a byte for a second, or one took `limit`; gives what each took."""
    sent = dict.fromkeys(streams, 0)
    for stream in streams:
        stream.setblocking(False)
    while max(sent.values()) < limit and (ready := select.select([], streams, [], 1.0)[1]):
        for stream in ready:
            sent[stream] += stream.send(bytes(1 << 18))
    return list(sent.values())


@contextmanager
def killed(mesh: Mesh, node: str) -> Iterator[None]:
    """A node's ztunnel is dead while inside; afterwards another serves, and is the measure of rest."""
    mesh.lab.node(node).proxy.kill()
    try:
        yield
    finally:
        mesh.lab.start_ztunnel(node, backend=mesh.backend, env=mesh.env)
        works(mesh)
        mesh.take_baseline()


# --- programs that die -----------------------------------------------------------------------------


def test_a_server_killed_in_mid_transfer_is_seen_as_a_reset(mesh: Mesh) -> None:
    server = mesh.lab.spawn("endless", mesh.server_b, ["python3", "-c", ENDLESS_SENDER])
    wait_until("the server to listen", lambda: "listening" in server.stdout())
    with mesh.client.connect(mesh.server_b.ip, 9100) as stream:
        stream.sendall(b"this is never read")
        read_exactly(stream, 1 << 20)
        server.kill()
        assert isinstance(read_until_it_breaks(stream), ConnectionResetError)
    recovers(mesh)


def test_a_killed_ztunnel_leaves_its_pods_closed_until_another_serves_them(mesh: Mesh) -> None:
    secret = secrets.token_hex(12).encode()
    with TcpServer(mesh.server_b.listen()) as echo, mesh.client.connect(mesh.server_b.ip, echo.port) as stream:
        stream.sendall(b"alive")
        assert read_exactly(stream, 5) == b"alive"
        with killed(mesh, "node1"), mesh.lab.capture() as wire:
            read_until_it_breaks(stream)  # the kernel closes what a killed program held: any end is an end
            stream.close()
            assert mesh.client.is_captured()
            for _ in range(20):
                with pytest.raises(OSError), mesh.client.connect(mesh.server_b.ip, echo.port) as refused:
                    refused.sendall(secret)
                    read_exactly(refused, len(secret))
        assert not wire.shows(secret)
        assert set(wire.syn_ports()) <= {HBONE_PORT}
    recovers(mesh)


def test_a_killed_ztunnel_of_the_server_is_an_error_and_never_plaintext(mesh: Mesh) -> None:
    secret = secrets.token_hex(12).encode()
    with TcpServer(mesh.server_b.listen()) as echo, mesh.client.connect(mesh.server_b.ip, echo.port) as stream:
        stream.sendall(b"alive")
        assert read_exactly(stream, 5) == b"alive"
        with killed(mesh, "node2"), mesh.lab.capture() as wire:
            assert read_until_it_breaks(stream) is not None, "a clean end of a connection that was cut"
            with pytest.raises(ConnectionResetError), mesh.client.connect(mesh.server_b.ip, echo.port) as refused:
                refused.sendall(secret)
                raise read_until_it_breaks(refused) or AssertionError("a clean end of a refused connection")
        assert not wire.shows(secret)
        assert set(wire.syn_ports()) <= {HBONE_PORT}
    recovers(mesh)


# --- wires and peers -------------------------------------------------------------------------------


def test_a_cut_tunnel_resets_its_connections_and_the_next_one_gets_another(mesh: Mesh) -> None:
    node = mesh.lab.node("node1").ns.enter_command()
    rules = [["FORWARD", "-p", "tcp", side, str(HBONE_PORT), "-j", "REJECT", "--reject-with", "tcp-reset"]
             for side in ("--dport", "--sport")]  # fmt: skip
    with TcpServer(mesh.server_b.listen()) as echo, ExitStack() as stack:
        streams = [stack.enter_context(mesh.client.connect(mesh.server_b.ip, echo.port)) for _ in range(20)]
        for stream in streams:
            stream.sendall(b"alive")
            assert read_exactly(stream, 5) == b"alive"
        for rule in rules:
            run([*node, "iptables", "-w", "-I", *rule])
        try:
            # Whatever crosses the wire next is what hits the cut, so this may come too late already.
            errors: list[OSError | None] = []
            try:
                streams[0].sendall(b"into the cut")
            except OSError as error:
                errors.append(error)
            errors += [read_until_it_breaks(stream) for stream in streams[len(errors) :]]
        finally:
            for rule in rules:
                run([*node, "iptables", "-w", "-D", *rule])
    assert all(isinstance(error, ConnectionResetError) for error in errors), errors
    recovers(mesh)


def test_a_peer_that_stops_reading_costs_little_and_its_neighbours_go_on(mesh: Mesh) -> None:
    before = {proxy.node: proxy.rss_anon_bytes() for proxy in mesh.proxies}
    with never_reads(mesh.server_b) as port, ExitStack() as stack:
        stalled = [stack.enter_context(mesh.client.connect(mesh.server_b.ip, port)) for _ in range(8)]
        sent = fill(stalled, 256 << 20)
        assert max(sent) < 64 << 20, "somebody takes bytes that nobody reads"
        for proxy in mesh.proxies:
            assert proxy.rss_anon_bytes() - before[proxy.node] < 64 << 20
        works(mesh)
    recovers(mesh)


GARBAGE = {
    "noise": secrets.token_bytes(4096),
    "http1": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "preface then noise": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 4096,
    "huge frame": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9) + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
    "broken headers": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    + b"\x00\x00\x08\x01\x04\x00\x00\x00\x01" + b"\xff" * 8,
}  # fmt: skip


@pytest.mark.sanitizer
@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_after_the_handshake_ends_that_tunnel_alone(mesh: Mesh, mint: Mint, kind: str) -> None:
    context = mint.leaf(PEER_ID).client_context()
    for _ in range(10):
        with context.wrap_socket(mesh.outside.connect(mesh.server_b.ip, HBONE_PORT)) as tunnel:
            tunnel.settimeout(END_TIMEOUT_S)
            try:
                tunnel.sendall(GARBAGE[kind])
                while tunnel.recv(1 << 16):
                    pass
            except TimeoutError:
                raise AssertionError("the tunnel is still open") from None
            except (ConnectionError, ssl.SSLError):
                pass  # an end is an end
    recovers(mesh)


@pytest.mark.sanitizer
def test_five_thousand_aborted_connections_a_second_over_one_tunnel_are_fine(mesh: Mesh, mint: Mint) -> None:
    client = HboneClient(mesh.outside.connect(mesh.server_b.ip, HBONE_PORT), mint.leaf(PEER_ID).client_context())
    authority = f"{mesh.server_b.ip}:{APP_PORT}"
    client.connect(authority)
    headers = hpack.Encoder().encode([(":method", "CONNECT"), (":authority", authority)])
    # Literals only: an indexed block could not be sent twice. In front the table's new size, which our server asks for.
    block = b"\x20" + b"".join(
        b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value
        for name, value in ((b":method", b"CONNECT"), (b":authority", authority.encode()))
    )
    assert hpack.Decoder().decode(block) == hpack.Decoder().decode(headers)
    batch, seconds, number = 500, 3, 1_001
    start = time.monotonic()
    for tick in range(seconds * 10):
        frames = bytearray()
        for _ in range(batch):
            stream = number.to_bytes(4, "big")
            frames += len(block).to_bytes(3, "big") + b"\x01\x04" + stream + block
            frames += b"\x00\x00\x04\x03\x00" + stream + (8).to_bytes(4, "big")
            number += 2
        client.tls.sendall(frames)
        # A rate, not a race: the next batch is due at its time.
        time.sleep(max(0.0, start + (tick + 1) / 10 - time.monotonic()))
    client.h2.highest_outbound_stream_id = number
    client.h2.ping(b"are you?")
    client.flush()
    client.pump(lambda event: isinstance(event, h2.events.PingAckReceived), END_TIMEOUT_S)
    assert not any(isinstance(event, h2.events.ConnectionTerminated) for event in client.events)
    client.close()
    recovers(mesh)


@pytest.mark.sanitizer
def test_stalled_streams_are_bounded_and_stall_nobody_else(mesh: Mesh, mint: Mint) -> None:
    tunnels, streams = (3, 50) if is_sanitized() else (10, 199)
    proxy = mesh.proxy_of(mesh.server_b)
    before = proxy.rss_anon_bytes()
    context = mint.leaf(PEER_ID).client_context()
    with never_reads(mesh.server_b) as port:
        clients = []
        for _ in range(tunnels):
            client = HboneClient(mesh.outside.connect(mesh.server_b.ip, HBONE_PORT), context)
            clients.append(client)
            numbers = [
                client.request([(":method", "CONNECT"), (":authority", f"{mesh.server_b.ip}:{port}")])
                for _ in range(streams)
            ]
            while not all(is_answered(client, number) for number in numbers):
                client.pump(lambda event: isinstance(event, h2.events.ResponseReceived), END_TIMEOUT_S)
            stall(client, numbers)
        peak = proxy.rss_anon_bytes() - before
        print(f"{tunnels} tunnels of {streams} stalled streams: {peak >> 20} MiB")
        if not is_sanitized():
            assert peak < STALLED_BYTES_MAX
        # The neighbours: one more stream of the first and of the last tunnel, and everybody else.
        for client in (clients[0], clients[-1]):
            live, answer = client.connect(f"{mesh.server_b.ip}:{APP_PORT}")
            assert answer.get(":status") == "200"
            client.h2.send_data(live, b"GET / HTTP/1.0\r\n\r\n")
            client.flush()
            assert b"hello from server-b" in client.read_all(live)
        works(mesh)
        for client in clients:
            client.close()
    recovers(mesh)


def is_answered(client: HboneClient, number: int) -> bool:
    return any(isinstance(e, h2.events.ResponseReceived) and e.stream_id == number for e in client.events)


def stall(client: HboneClient, numbers: list[int]) -> None:
    """Sends on every stream what its window takes, twice: what was granted meanwhile too."""
    for _ in range(2):
        for number in numbers:
            if any(isinstance(e, h2.events.StreamReset) and e.stream_id == number for e in client.events):
                continue
            window = min(client.h2.local_flow_control_window(number), 1 << 20)
            while window > 0:
                size = min(window, client.h2.max_outbound_frame_size, 1 << 16)
                client.h2.send_data(number, bytes(size))
                window -= size
            client.flush()
        client.h2.ping(os.urandom(8))
        client.flush()
        client.pump(lambda event: isinstance(event, h2.events.PingAckReceived), END_TIMEOUT_S)


# --- the node's own limits -------------------------------------------------------------------------


def test_descriptors_that_run_out_are_missed_only_until_some_are_given_back(mesh: Mesh) -> None:
    proxy = mesh.proxy_of(mesh.client)
    limit = resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE)
    with TcpServer(mesh.server_b.listen()) as echo, mesh.client.connect(mesh.server_b.ip, echo.port) as older:
        older.sendall(b"first")
        assert read_exactly(older, 5) == b"first"
        resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (proxy.fd_count() + 20, limit[1]))
        try:
            with ExitStack() as stack:
                crowd = [stack.enter_context(mesh.client.connect(mesh.server_b.ip, echo.port)) for _ in range(100)]
                served = len(answered(crowd))
                assert 0 < served < len(crowd)
                older.sendall(b"again")
                assert read_exactly(older, 5) == b"again"
            wait_until("descriptors to be given back", lambda: tries(mesh, echo.port), END_TIMEOUT_S)
        finally:
            resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, limit)
    recovers(mesh)


def answered(crowd: list[socket.socket]) -> list[socket.socket]:
    """Those whose byte comes back: the first whenever it comes, then as long as one more does within a second."""
    for stream in crowd:
        with suppress(OSError):
            stream.sendall(b"x")
    waiting, good = list(crowd), []
    while ready := select.select(waiting, [], [], 1.0 if good else END_TIMEOUT_S)[0]:
        waiting = [stream for stream in waiting if stream not in ready]
        for stream in ready:
            with suppress(OSError):
                if stream.recv(1) == b"x":
                    good.append(stream)
    return good


def tries(mesh: Mesh, port: int) -> bool:
    try:
        with mesh.client.connect(mesh.server_b.ip, port, timeout=5.0) as stream:
            stream.sendall(b"y")
            return stream.recv(1) == b"y"
    except OSError:
        return False


def test_a_half_written_mesh_changes_nothing_until_it_is_whole(mesh: Mesh) -> None:
    def current() -> list[float]:
        return [proxy.metrics().total("aquifer_config_current") for proxy in mesh.proxies]

    assert current() == [1.0, 1.0]
    whole = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: another\n  labels: {a: b}\n"
    # In place and not by rename: as an editor that was interrupted leaves it.
    file = mesh.lab.mesh.path / "another.yaml"
    file.write_text(whole[: whole.index("b}")])
    try:
        wait_until("both to refuse it", lambda: current() == [0.0, 0.0])
        for proxy in mesh.proxies:
            # The log has a thread of its own: the line may come after the metric.
            wait_until("the log to say why", lambda log=proxy: "another.yaml:" in log.stdout())
        works(mesh)
        file.write_text(whole)
        wait_until("both to take the whole one", lambda: current() == [1.0, 1.0])
    finally:
        file.unlink()
    wait_until("both to be without it", lambda: current() == [1.0, 1.0])
    recovers(mesh)


def test_ztunnels_that_make_the_ca_at_once_make_one(backend: str) -> None:
    nodes = [f"node{number}" for number in range(1, 5)]
    with Lab.new() as lab:
        lab.mesh.mesh_config()
        lab.mesh.namespace("mesh", ambient=True)
        for node in nodes:
            lab.mesh.pod("mesh", f"on-{node}", node=node, service_account=node)
        lab.up()
        assert not list(lab.ca_dir.iterdir())
        lab.start_ztunnels(backend=backend)
        pods = [lab.pod(f"mesh/on-{node}") for node in nodes]
        wait_captured(*pods)
        for source, target in zip(pods, [*pods[1:], pods[0]], strict=True):
            with TcpServer(target.listen()) as echo, source.connect(target.ip, echo.port) as stream:
                stream.sendall(b"one root")
                assert read_exactly(stream, 8) == b"one root"
