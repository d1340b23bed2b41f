"""Starting, draining, replacing and leaving: what happens to connections when programs, pods and labels come and go."""

from __future__ import annotations

import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.hbone_peer import HBONE_PORT, HboneClient
from tests.e2e.helpers import APP_PORT, Mesh, TcpServer, read_exactly, two_node_mesh, wait_captured
from tests.e2e.peer_certs import Mint
from tests.lab import Lab, Pod, Process, Ztunnel, run, wait_until
from tests.lab.ztunnel import ztunnel_binary

PEER_ID = "spiffe://cluster.local/ns/outside/sa/outside"
LOADERS = 4
END_TIMEOUT_S = 40.0


def exchange(stream: socket.socket, text: bytes) -> None:
    stream.sendall(text)
    assert read_exactly(stream, len(text)) == text


def breaks(stream: socket.socket, timeout: float) -> OSError | None:
    """How the peer's half ends: an error, or None for a clean end."""
    stream.settimeout(timeout)
    try:
        while stream.recv(1 << 16):
            pass
    except TimeoutError:
        raise AssertionError(f"no end within {timeout:g} s") from None
    except OSError as error:
        return error
    return None


class Load:
    """New connections all the time, each with one small exchange; use as a context."""

    def __init__(self, source: Pod, address: str, port: int) -> None:
        self._source, self._address, self._port = source, address, port
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(LOADERS)]
        self.done = 0
        self.failures: list[str] = []

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._source.connect(self._address, self._port) as stream:
                    exchange(stream, b"a small request")
                self.done += 1
            except (OSError, AssertionError) as error:
                self.failures.append(f"{type(error).__name__}: {error} (after {self.done})")


# --- drain and replacement -------------------------------------------------------------------------


@pytest.mark.sanitizer
def test_sigterm_drains_what_is_open_for_so_long_and_then_cuts_it(backend: str) -> None:
    with two_node_mesh(backend, env={"CONNECTION_TERMINATION_DEADLINE": "3s"}) as mesh:
        proxy = mesh.proxy_of(mesh.server_b)
        with TcpServer(mesh.server_b.listen()) as echo, mesh.client.connect(mesh.server_b.ip, echo.port) as stream:
            exchange(stream, b"before")
            start = time.monotonic()
            proxy.signal(signal.SIGTERM)
            # Everybody who asks is told that it goes, and nobody new is taken.
            wait_until("the drain to begin", lambda: not answers_ready(proxy))
            wait_until("15008 to be closed", lambda: is_refused(mesh.outside, mesh.server_b.ip, HBONE_PORT))
            assert mesh.server_b.is_captured()
            end: OSError | None
            try:
                exchange(stream, b"while draining")
                end = breaks(stream, END_TIMEOUT_S)
            except OSError as error:
                end = error  # a slow machine: the time was over before the exchange was
            assert end is not None, "a cut connection ended cleanly"
            assert proxy.wait(END_TIMEOUT_S) == 0
            assert time.monotonic() - start > 2.5
        assert "drain duration expired with pending connections, forcefully shutting down" in proxy.stdout()
        # And one without connections does not wait.
        patient = {**mesh.env, "CONNECTION_TERMINATION_DEADLINE": "1h"}
        idle = mesh.lab.start_ztunnel("node2", backend=backend, env=patient)
        wait_captured(mesh.server_b)
        idle.signal(signal.SIGTERM)
        assert idle.wait(END_TIMEOUT_S) == 0
        assert "drain duration expired" not in idle.stdout()


def answers_ready(proxy: Ztunnel) -> bool:
    try:
        return proxy.get("/healthz/ready", 15021)[0] == 200
    except OSError:
        return False


def is_refused(source: Pod, address: str, port: int) -> bool:
    try:
        source.connect(address, port, timeout=2.0).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def listens(proxy: Ztunnel, mesh: Mesh) -> bool:
    """True exactly when new connections of its node's enrolled pods find this process."""
    ports = {"15001", "15006", "15008"}
    pods = [pod for pod in (mesh.client, mesh.server_a, mesh.server_b) if pod.node == proxy.node]
    return all(
        ports <= {line.local.rpartition(":")[2] for line in pod.sockets() if line.belongs_to(proxy.pid)} for pod in pods
    )


# Fewer than the hundred, which are marked: each takes most of a second.
@pytest.mark.parametrize("restarts", [12, pytest.param(100, marks=pytest.mark.full)])
def test_restarts_that_overlap_refuse_no_connection(backend: str, restarts: int) -> None:
    with (
        two_node_mesh(backend) as mesh,
        TcpServer(mesh.server_b.listen(backlog=1024)) as echo,
        Load(mesh.client, mesh.server_b.ip, echo.port) as load,
    ):
        for number in range(restarts):
            # Both ends of the tunnels take turns.
            node = mesh.lab.node(("node1", "node2")[number % 2])
            old, before = node.proxy, load.done
            new = mesh.lab.start_ztunnel(node.name, backend=backend, env=mesh.env)
            # While both run, readiness may have been the old one's word.
            wait_until("the successor to listen", partial(listens, new, mesh), END_TIMEOUT_S)
            old.signal(signal.SIGTERM)
            assert old.wait(END_TIMEOUT_S) == 0
            wait_until("new connections to be made", lambda: load.done > before or load.failures, END_TIMEOUT_S)
            assert not load.failures, f"restart {number} of {node.name}: {load.failures[:5]}"
        print(f"{restarts} restarts, {load.done} connections")
        assert load.done > restarts
        mesh.check_backend()


# --- what it is told at start ----------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["uring"], indirect=True)
def test_another_packet_mark_is_on_sockets_and_in_rules_and_what_has_no_effect_is_said(backend: str) -> None:
    # The warm-up of this mesh is the test: a proxy that captured its own connections would serve none.
    with two_node_mesh(backend, env={"PACKET_MARK": "119", "CRL_PATH": "/etc/crl.pem"}) as mesh:
        rules = mesh.client.iptables_save()
        assert "--mark 0x77/0xfff" in rules
        assert "0x539" not in rules
        for proxy in mesh.proxies:
            assert "CRL_PATH=/etc/crl.pem has no effect" in proxy.stdout()


@pytest.mark.parametrize("backend", ["uring"], indirect=True)
def test_the_meshs_ports_for_administration_and_statistics_are_used(backend: str) -> None:
    with Lab.new() as lab:
        lab.mesh.mesh_config(defaultConfig={"proxyAdminPort": 15100, "statsPort": 15120})
        lab.mesh.namespace("mesh", ambient=True)
        lab.mesh.pod("mesh", "alone", node="node1", service_account="alone")
        lab.up()
        (proxy,) = lab.start_ztunnels(backend=backend)
        assert proxy.get("/config_dump", 15100)[0] == 200
        assert "aquifer_config_current" in proxy.get("/metrics", 15120)[1]
        for port in (15000, 15020):
            with pytest.raises(ConnectionRefusedError):
                proxy.get("/", port)


# --- joining and leaving ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def late(mesh: Mesh) -> Iterator[Pod]:
    """A pod in a namespace that is enrolled and released."""
    mesh.lab.mesh.namespace("late")
    pod = mesh.lab.add_pod("late", "comer", node="node2", service_account="comer")
    yield pod
    mesh.lab.remove_pod("late/comer")
    mesh.lab.mesh.delete("Namespace", "", "late")


def join(mesh: Mesh, pod: Pod) -> None:
    mesh.lab.mesh.enrol("late")
    wait_captured(pod)


def leave(mesh: Mesh, pod: Pod) -> None:
    mesh.lab.mesh.release("late")
    wait_until(f"{pod.key} to be released", lambda: not pod.is_captured())


# In this order because what has left gives its ports back only after ten seconds, and serves that long.


def test_after_release_tunnels_are_taken_for_ten_seconds(mesh: Mesh, late: Pod) -> None:
    context = Mint(mesh.lab.ca_dir, mesh.lab.work_dir / "lifecycle-certs").leaf(PEER_ID).client_context()

    def tunnels() -> bool:
        try:
            client = HboneClient(mesh.outside.connect(late.ip, HBONE_PORT), context)
            _, answer = client.connect(f"{late.ip}:{echo.port}")
        except (OSError, ssl.SSLError):
            return False
        client.close()
        return answer.get(":status") == "200"

    with TcpServer(late.listen()) as echo:
        join(mesh, late)
        wait_until("a tunnel while captured", tunnels)
        start = time.monotonic()
        leave(mesh, late)
        served_until = start
        while tunnels():
            served_until = time.monotonic()
            assert served_until - start < 3 * END_TIMEOUT_S, "15008 is never closed"
            time.sleep(0.2)
        assert served_until - start > 8.0
    mesh.settles()


def listener_on(pod: Pod, port: int) -> socket.socket | None:
    try:
        return pod.listen(port)
    except OSError:
        return None


def log_of(process: Process) -> str:
    return process.stdout() + process.stderr()


@pytest.mark.parametrize("trouble", ["port in use", "missing namespace"])
def test_one_pods_trouble_is_told_and_the_others_go_on(mesh: Mesh, late: Pod, trouble: str) -> None:
    proxy = mesh.proxy_of(late)
    mark = len(log_of(proxy))
    held: list[socket.socket] = []
    hidden = late.ns.path.with_name(late.ns.path.name + "-hidden")
    if trouble == "port in use":
        held.append(wait_until("port 15006 to be free", lambda: listener_on(late, 15006), END_TIMEOUT_S))
        reason = "port 15006 is in use in the pod"
    else:
        manifest = mesh.lab.mesh.find("Pod", "late", "comer")
        annotations = manifest["metadata"]["annotations"]
        proper = dict(annotations)
        annotations["aquifer.dev/netns"] = str(hidden)
        reason = f"network namespace {hidden}"
        mesh.lab.mesh.apply(manifest)
    mesh.lab.mesh.enrol("late")
    try:
        wait_until("the pod to be reported", lambda: "late/comer is NOT captured" in log_of(proxy)[mark:])
        assert reason in log_of(proxy)[mark:]
        wait_until("readiness to say so", lambda: proxy.get("/healthz/ready", 15021)[0] == 500)
        assert "workload proxy manager" in proxy.get("/healthz/ready", 15021)[1]
        assert proxy.metrics().total("workload_manager_pending_proxy_count") == 1
        assert not late.is_captured()
        assert mesh.client.curl(f"http://{mesh.server_b.ip}:{APP_PORT}/").endswith(f"you are {mesh.client.ip}\n")
    finally:
        for listener in held:
            listener.close()
        if trouble == "missing namespace":
            manifest["metadata"]["annotations"] = proper
            mesh.lab.mesh.apply(manifest)
    # It keeps trying by itself.
    wait_captured(late, timeout=END_TIMEOUT_S)
    wait_until("readiness to be back", lambda: answers_ready(proxy), END_TIMEOUT_S)
    leave(mesh, late)


@pytest.mark.sanitizer
def test_long_connections_live_through_joining_and_leaving(mesh: Mesh, late: Pod) -> None:
    with TcpServer(late.listen()) as inside, TcpServer(mesh.server_a.listen()) as elsewhere:
        streams: dict[str, socket.socket] = {}
        streams["into, before"] = mesh.outside.connect(late.ip, inside.port)
        streams["out of, before"] = late.connect(mesh.server_a.ip, elsewhere.port)
        for step in (join, leave, join, leave):
            step(mesh, late)
            for name, stream in streams.items():
                try:
                    exchange(stream, b"still here")
                except (OSError, AssertionError) as error:
                    raise AssertionError(f"the connection {name} broke at {step.__name__}: {error}") from None
            if "into, captured" not in streams:
                streams["into, captured"] = mesh.client.connect(late.ip, inside.port)
                streams["out of, captured"] = late.connect(mesh.server_a.ip, elsewhere.port)
                for name in ("into, captured", "out of, captured"):
                    exchange(streams[name], b"and here")
        for stream in streams.values():
            stream.close()


def test_a_refused_tunnel_is_dialled_again_and_never_replaced_by_plaintext(mesh: Mesh) -> None:
    node = mesh.lab.node("node2").ns.enter_command()
    rule = ["FORWARD", "-p", "tcp", "-d", mesh.server_b.ip, "--dport", str(HBONE_PORT),
            "-j", "REJECT", "--reject-with", "tcp-reset"]  # fmt: skip
    mesh.wait_no_tunnels()  # this connection has to dial one

    def refusals() -> int:
        listed = run([*node, "iptables", "-w", "-nvxL", "FORWARD"]).stdout
        return sum(int(line.split()[0]) for line in listed.splitlines() if f"dpt:{HBONE_PORT}" in line)

    with TcpServer(mesh.server_b.listen()) as echo, mesh.lab.capture() as wire:
        run([*node, "iptables", "-w", "-I", *rule])
        try:
            with mesh.client.connect(mesh.server_b.ip, echo.port) as stream:
                stream.sendall(b"patience is rewarded")
                wait_until("the tunnel to be refused", lambda: refusals() > 0)
                run([*node, "iptables", "-w", "-D", *rule])
                assert read_exactly(stream, 20) == b"patience is rewarded"
        finally:
            run([*node, "iptables", "-w", "-D", *rule], check=False)
    assert set(wire.syn_ports()) == {HBONE_PORT}
    assert not wire.shows(b"patience is rewarded")


def test_release_takes_the_rules_out_after_the_program_has_ended(mesh: Mesh) -> None:
    node = mesh.lab.node("node1")
    node.proxy.stop()
    assert mesh.client.is_captured() and mesh.server_a.is_captured()
    assert is_refused(mesh.client, mesh.outside.ip, 1)
    command = [str(ztunnel_binary()), "release", "--mesh", str(mesh.lab.mesh.path), "--node", "node1"]
    said = run([*node.ns.enter_command(), *command]).stdout
    assert "mesh/client: released" in said and "mesh/server-a: released" in said
    assert "15001" not in mesh.client.iptables_save()
    with TcpServer(mesh.outside.listen()) as echo, mesh.client.connect(mesh.outside.ip, echo.port) as stream:
        exchange(stream, b"as if there were no mesh")
    assert run([*node.ns.enter_command(), *command]).stdout == "", "a second time there is nothing to do"
    mesh.lab.start_ztunnel("node1", backend=mesh.backend, env=mesh.env)
    wait_captured(mesh.client, mesh.server_a)
    assert mesh.client.curl(f"http://{mesh.server_b.ip}:{APP_PORT}/").endswith(f"you are {mesh.client.ip}\n")


# --- bad input -------------------------------------------------------------------------------------


def proxy_says(mesh: Mesh, *arguments: str) -> tuple[int, str]:
    done = run([str(ztunnel_binary()), *arguments], check=False, timeout=END_TIMEOUT_S)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["proxy"], 2, "--mesh"),
        (["proxy", "--mesh", "MESH", "--ca-dir", "CA"], 2, "--node"),
        (["proxy", "--mesh", "MESH", "--node", "node1"], 2, "--ca-dir"),
        (["proxy", "--mesh"], 2, "--mesh"),
        (["proxy", "--no-such-option", "--mesh", "MESH", "--node", "node1", "--ca-dir", "CA"], 2, "--no-such-option"),
        (["no-such-command"], 2, "subcommand"),
        ([], 2, "command"),
        (["proxy", "--mesh", "/no/such/mesh", "--node", "node1", "--ca-dir", "CA"], 1, "/no/such/mesh"),
        (["release", "--mesh", "/no/such/mesh", "--node", "node1"], 1, "/no/such/mesh"),
        (["proxy", "--mesh", "BROKEN", "--node", "node1", "--ca-dir", "CA"], 1, "broken.yaml:4"),
        (["check", "BROKEN"], 1, "broken.yaml:4"),
    ],
)
def test_bad_input_is_one_clear_line_and_an_exit_code(
    mesh: Mesh, tmp_path: Path, arguments: list[str], code: int, named: str
) -> None:
    (tmp_path / "broken.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: [\n")
    places = {"MESH": str(mesh.lab.mesh.path), "CA": str(tmp_path / "ca"), "BROKEN": str(tmp_path)}
    got, said = proxy_says(mesh, *(places.get(word, word) for word in arguments))
    assert got == code, said
    assert named in said
    assert len(said.splitlines()) == 1, said


def test_everything_comes_to_rest_after_all_of_this(mesh: Mesh) -> None:
    mesh.settles()
