"""Two pods of one node: their bytes stay inside the proxy, and nothing else about the connection is different.

node1: mesh/client, mesh/server-a            node2: mesh/server-b (tests/e2e/helpers.py)
What decides, what is told and what the application sees are as through a tunnel; and what the network forbids on the
pods' links holds for what no longer passes them.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.hbone_peer import HBONE_PORT
from tests.e2e.helpers import APP_PORT, Mesh, TcpServer, read_all, read_exactly, source_of, two_node_mesh
from tests.e2e.policies import Policies
from tests.lab import AccessLine, Pod, run, wait_until
from tests.lab.mesh import Manifest
from tests.lab.ztunnel import ztunnel_binary

pytestmark = [pytest.mark.sanitizer, pytest.mark.tsan]

CONNECTIONS = "aquifer_same_node_connections_total"
CUT = "aquifer_same_node_cut_total"
PROBES_FAILED = "aquifer_same_node_probes_failed_total"
BYTES_SENT = "istio_tcp_sent_bytes_total"
# A proof holds for ten seconds, and three more are a busy machine's.
PROOF_LIFE_S = 13.0
POLICY_CHANGE = "connection closed due to policy change"
WAIT_S = 30.0


@pytest.fixture(scope="module")
def policies(mesh: Mesh) -> Policies:
    return Policies(mesh)


@pytest.fixture(scope="module")
def echo(mesh: Mesh) -> Iterator[TcpServer]:
    """Sends back what it receives, in the pod on the client's node."""
    with TcpServer(mesh.server_a.listen()) as server:
        yield server


def lines_of(mesh: Mesh, mark: int, source: str) -> list[AccessLine]:
    """What the node's proxy says of a connection at both of its ends."""
    proxy = mesh.proxy_of(mesh.client)
    return [proxy.wait_access(mark, src_addr=source, direction=one) for one in ("outbound", "inbound")]


def assert_refused(mesh: Mesh, port: int) -> None:
    """The near server's port: the reset may come before the client has heard that its connection was accepted."""
    with pytest.raises(ConnectionResetError), mesh.client.connect(mesh.server_a.ip, port) as stream:
        stream.settimeout(WAIT_S)
        stream.recv(1)


@contextmanager
def dropped(mesh: Mesh, pod: Pod) -> Iterator[None]:
    """The node drops everything that comes from the pod's link; the pod itself knows nothing of it."""
    node = mesh.lab.node(pod.node).ns.enter_command()
    rule = ["-i", pod.node_link, "-j", "DROP"]
    for program in ("iptables", "ip6tables"):
        run([*node, program, "-w", "-I", "FORWARD", *rule])
    try:
        yield
    finally:
        for program in ("iptables", "ip6tables"):
            run([*node, program, "-w", "-D", "FORWARD", *rule])


def deny(pod: Pod, name: str = "deny-client") -> Manifest:
    """Nobody with the client's identity reaches the pod."""
    namespace, app = pod.key.split("/")
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": {"app": app}},
            "action": "DENY",
            "rules": [{"from": [{"source": {"principals": ["cluster.local/ns/mesh/sa/client"]}}]}],
        },
    }


@pytest.mark.parametrize("family", ["ip", "ip6"])
def test_the_bytes_stay_inside_the_proxy_and_both_ends_are_told_of_as_ever(
    mesh: Mesh, echo: TcpServer, family: str
) -> None:
    proxy = mesh.proxy_of(mesh.client)
    mark, before = proxy.log_mark(), proxy.metrics()
    with mesh.client.connect(getattr(mesh.server_a, family), echo.port) as stream:
        source = source_of(stream)
        stream.sendall(b"x" * 100_000)
        assert read_exactly(stream, 100_000) == b"x" * 100_000
        # No tunnel carries it.
        assert not [line for line in mesh.client.sockets() if line.state == "ESTAB" and line.peer_port == HBONE_PORT]
        flows = json.loads(proxy.get("/flows?pod=mesh/client")[1])["flows"]
        (flow,) = [one for one in flows if one["source"]["address"] == source]
        assert (flow["transport"], flow["encrypted"]) == ("same-node", False)
        assert flow["source"]["identity"].endswith("/sa/client")
        dump = json.loads(proxy.get("/config_dump")[1])
        assert "same-node" in json.dumps(dump)
        # The record of the end whose loop does not copy grows all the same, while the connection is open.
        wait_until("the destination's bytes", lambda: proxy.metrics().total(
            BYTES_SENT, reporter="destination", source_workload="client", destination_workload="server-a",
            connection_security_policy="unknown") >= before.total(
            BYTES_SENT, reporter="destination", source_workload="client", destination_workload="server-a",
            connection_security_policy="unknown") + 100_000)  # fmt: skip
        stream.shutdown(socket.SHUT_WR)
        assert read_all(stream) == b""
    # The application saw the client itself.
    assert echo.peers[-1][0] == getattr(mesh.client, family)
    for line in lines_of(mesh, mark, source):
        assert line["transport"] == "same-node"
        assert line["src.identity"] == "spiffe://cluster.local/ns/mesh/sa/client"
        assert line["dst.identity"] == "spiffe://cluster.local/ns/mesh/sa/server-a"
        assert (line["bytes_sent"], line["bytes_recv"]) == ("100000", "100000")
        assert "dst.hbone_addr" not in line.fields, "no tunnel may be claimed"
        assert "error" not in line.fields
    after = proxy.metrics()
    assert after.total(CONNECTIONS) == before.total(CONNECTIONS) + 1
    encrypted = {"source_workload": "client", "destination_workload": "server-a",
                 "connection_security_policy": "mutual_tls"}  # fmt: skip
    for reporter in ("source", "destination"):
        assert after.total(BYTES_SENT, reporter=reporter, **encrypted) == before.total(
            BYTES_SENT, reporter=reporter, **encrypted), "encryption is claimed"  # fmt: skip
    assert "tls handshake error" not in proxy.stdout()[mark:], "a probe is taken for a tunnel"


def test_connections_to_another_node_take_the_tunnel(mesh: Mesh) -> None:
    proxy = mesh.proxy_of(mesh.client)
    mark = proxy.log_mark()
    mesh.client.curl(f"http://{mesh.server_b.ip}:{APP_PORT}/")
    line = proxy.wait_access(mark, direction="outbound", dst_workload="server-b")
    assert "transport" not in line.fields
    assert line["dst.hbone_addr"] == f"{mesh.server_b.ip}:{APP_PORT}"


def test_a_service_may_end_on_either_node_and_only_the_near_end_stays(mesh: Mesh) -> None:
    proxy = mesh.proxy_of(mesh.client)
    mark = proxy.log_mark()
    answers = {mesh.client.curl("http://server.mesh.svc.cluster.local/").split(",")[0] for _ in range(24)}
    assert answers == {"hello from server-a", "hello from server-b"}
    near = proxy.wait_access(mark, direction="inbound", dst_workload="server-a")
    assert near["dst.service"] == "server.mesh.svc.cluster.local"
    assert near["transport"] == "same-node"
    assert "transport" not in proxy.wait_access(mark, direction="outbound", dst_workload="server-b").fields


def test_half_closes_and_resets_pass_in_both_directions(mesh: Mesh) -> None:
    def to_reset(stream: socket.socket) -> None:
        stream.recv(1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    heard: list[str] = []

    def waits_for_reset(stream: socket.socket) -> None:
        stream.sendall(b"!")
        try:
            heard.append("end" if stream.recv(1) == b"" else "data")
        except ConnectionResetError:
            heard.append("reset")

    def counts(stream: socket.socket) -> None:
        total = len(read_all(stream))
        stream.sendall(str(total).encode())

    with TcpServer(mesh.server_a.listen(), counts) as server, mesh.client.connect(mesh.server_a.ip, server.port) as one:
        one.sendall(b"z" * 1_000_000)
        one.shutdown(socket.SHUT_WR)
        assert read_all(one) == b"1000000"
    with TcpServer(mesh.server_a.listen(), to_reset) as server:
        with mesh.client.connect(mesh.server_a.ip, server.port) as one:
            one.sendall(b"?")
            with pytest.raises(ConnectionResetError):
                one.recv(1)
    with TcpServer(mesh.server_a.listen(), waits_for_reset) as server:
        with mesh.client.connect(mesh.server_a.ip, server.port) as one:
            assert one.recv(1) == b"!"
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_until("the server to be told", lambda: heard == ["reset"])


def test_an_application_that_is_not_there_is_an_error_at_once(mesh: Mesh) -> None:
    proxy = mesh.proxy_of(mesh.client)
    mark = proxy.log_mark()
    assert_refused(mesh, 9)
    line = proxy.wait_access(mark, direction="outbound", where=lambda one: "error" in one.fields)
    assert line["dst.addr"] == f"{mesh.server_a.ip}:9"


def test_a_policy_by_identity_denies_as_ever_and_cuts_what_is_open(
    mesh: Mesh, echo: TcpServer, policies: Policies
) -> None:
    proxy = mesh.proxy_of(mesh.client)
    with mesh.client.connect(mesh.server_a.ip, echo.port) as stream:
        stream.sendall(b"x")
        assert stream.recv(1) == b"x"
        mark = proxy.log_mark()
        policies.apply(deny(mesh.server_a))
        stream.settimeout(WAIT_S)
        with pytest.raises(ConnectionResetError):
            stream.recv(1)
        line = proxy.wait_access(mark, direction="inbound", src_addr=source_of(stream))
        assert (line["error"], line["transport"]) == (POLICY_CHANGE, "same-node")
    mark = proxy.log_mark()
    served = len(echo.peers)
    assert_refused(mesh, echo.port)
    line = proxy.wait_access(mark, direction="inbound", dst_workload="server-a")
    assert "explicitly denied by: mesh/deny-client" in line["error"]
    out = proxy.wait_access(mark, direction="outbound", dst_workload="server-a")
    assert "http status: 401" in out["error"]
    assert len(echo.peers) == served, "the application heard of it"
    # Peers outside the mesh and others of the mesh are no business of this policy.
    assert mesh.server_b.curl(f"http://{mesh.server_a.ip}:{APP_PORT}/")
    policies.apply()
    assert mesh.client.curl(f"http://{mesh.server_a.ip}:{APP_PORT}/")


def test_a_rule_that_drops_packets_on_the_pods_link_stops_the_short_cut(mesh: Mesh, echo: TcpServer) -> None:
    proxy = mesh.proxy_of(mesh.client)
    cut = proxy.metrics().total(CUT)
    mesh.wait_no_tunnels()  # one that is open would be used
    with mesh.client.connect(mesh.server_a.ip, echo.port) as stream:
        stream.sendall(b"x")
        assert stream.recv(1) == b"x"
        with dropped(mesh, mesh.client):
            since = time.monotonic()
            stream.settimeout(WAIT_S)
            with pytest.raises(ConnectionResetError):
                while True:
                    stream.sendall(b"y")
                    assert stream.recv(1) == b"y"
                    assert time.monotonic() - since < PROOF_LIFE_S, "bytes pass where packets may not"
                    # Not a wait for anything: the connection has to be in use, and not too much.
                    time.sleep(0.05)
            assert proxy.metrics().total(CUT) == cut + 1
            assert_it_waits_for_the_tunnel(mesh, echo)
    wait_until("the short-cut to be taken again", lambda: stays_on_the_node(mesh), WAIT_S)


def test_a_change_of_the_mesh_has_the_path_proven_again(mesh: Mesh, echo: TcpServer, policies: Policies) -> None:
    proxy = mesh.proxy_of(mesh.client)
    assert stays_on_the_node(mesh)
    failed = proxy.metrics().total(PROBES_FAILED)
    mesh.wait_no_tunnels()  # one that is open would be used
    with mesh.client.connect(mesh.server_a.ip, echo.port) as stream, dropped(mesh, mesh.client):
        # Of another pod: it decides nothing here, but the mesh is another. Neither a new connection nor the open one
        # may rest on the proof of a moment ago.
        policies.apply(deny(mesh.server_b, "deny-far"))
        assert_it_waits_for_the_tunnel(mesh, echo)
        assert proxy.metrics().total(PROBES_FAILED) > failed
        stream.settimeout(WAIT_S)
        with pytest.raises(ConnectionResetError):
            stream.recv(1)
    policies.apply()


def assert_it_waits_for_the_tunnel(mesh: Mesh, echo: TcpServer) -> None:
    """A new connection gets no further than it would on the wire: a tunnel is dialled, and nobody answers."""
    served = len(echo.peers)
    with mesh.client.connect(mesh.server_a.ip, echo.port) as late:
        source = source_of(late)

        def dials() -> bool:
            flows = json.loads(mesh.proxy_of(mesh.client).get("/flows?pod=mesh/client")[1])["flows"]
            return [one["transport"] for one in flows if one["source"]["address"] == source] == ["hbone"]

        wait_until("the connection to take the tunnel", dials, WAIT_S)
        assert len(echo.peers) == served


def stays_on_the_node(mesh: Mesh) -> bool:
    """Does the next connection take the short-cut?"""
    proxy = mesh.proxy_of(mesh.client)
    mark = proxy.log_mark()
    mesh.client.curl(f"http://{mesh.server_a.ip}:{APP_PORT}/")
    line = proxy.wait_access(mark, direction="outbound", dst_workload="server-a")
    return line.get("transport") == "same-node"


def test_explain_says_that_it_stays_on_the_node(mesh: Mesh) -> None:
    def explain(to: Pod, *options: str) -> str:
        command = [str(ztunnel_binary()), "explain", "--mesh", str(mesh.lab.mesh.path), "--from", mesh.client.key]
        done = subprocess.run([*command, "--to", f"{to.ip}:{APP_PORT}", *options], check=True, capture_output=True)
        return done.stdout.decode()

    assert "same-node" in explain(mesh.server_a)
    assert "same-node" not in explain(mesh.server_b)
    for pod, near in ((mesh.server_a, True), (mesh.server_b, False)):
        (connection,) = json.loads(explain(pod, "--json"))["connections"]
        assert [one["sameNode"] for one in connection["endpoints"]] == [near]
    mesh.settles()


def test_one_setting_turns_it_off(backend: str) -> None:
    with two_node_mesh(backend, env={"AQUIFER_SAME_NODE": "off"}) as mesh:
        proxy = mesh.proxy_of(mesh.client)
        mark = proxy.log_mark()
        mesh.client.curl(f"http://{mesh.server_a.ip}:{APP_PORT}/")
        line = proxy.wait_access(mark, direction="outbound", dst_workload="server-a")
        assert line["dst.hbone_addr"] == f"{mesh.server_a.ip}:{APP_PORT}"
        assert proxy.metrics().total(CONNECTIONS) == 0
