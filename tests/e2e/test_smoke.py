"""First things first: two nodes, one mesh, pods talk through mutual TLS, and nothing else notices."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator

import pytest

from tests.e2e.hbone_peer import HBONE_PORT
from tests.e2e.helpers import APP_PORT, Mesh, TcpServer, is_sanitized, read_all, source_of, wait_captured
from tests.lab import AccessLine, Capture, LabError, Pod, wait_until
from tests.lab.netns import CONNECT_TIMEOUT_S

pytestmark = [pytest.mark.sanitizer, pytest.mark.tsan]

# A sanitizer makes everything several times slower: there only the order of magnitude is checked.
ENROL_LIMIT_S = 5.0 if is_sanitized() else 1.0
# A busy machine may take the processor away for longer than that; something slow would be slow every time.
ENROL_TRIES = 4
TRAFFIC = "istio_tcp_connections_opened_total"
FAMILIES = ["ip", "ip6"]

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def identity(pod: Pod) -> str:
    namespace, name = pod.key.split("/")
    return f"spiffe://cluster.local/ns/{namespace}/sa/{name}"


def party(side: str, pod: Pod) -> str:
    """workload, namespace, identity and cluster of one side, as the access log prints them."""
    namespace, name = pod.key.split("/")
    return (
        f'{side}.workload="{name}" {side}.namespace="{namespace}" '
        f'{side}.identity="{identity(pod)}" {side}.cluster="Kubernetes"'
    )


def both_lines(mesh: Mesh, source: Pod, target: Pod, marks: dict[str, int], source_addr: str) -> list[AccessLine]:
    """What the source's ztunnel and the target's say about the connection from `source_addr`."""
    out = mesh.proxy_of(source).wait_access(marks[source.node], src_addr=source_addr, direction="outbound")
    # The target knows the tunnel's address, not the connection's, unless there is no tunnel because both are on one
    # node; lines of earlier tests may still be on their way.
    same_node = out.get("transport") == "same-node"
    known = {"src_addr": source_addr} if same_node else {"dst_hbone_addr": out["dst.hbone_addr"]}
    into = mesh.proxy_of(target).wait_access(
        marks[target.node], direction="inbound", src_workload=source.key.partition("/")[2], **known
    )
    return [out, into]


def get(stream_source: Pod, address: str, port: int, path: str = "/") -> tuple[str, str]:
    """One HTTP/1.0 request; gives the client's address as logs print it, and the answer."""
    with stream_source.connect(address, port) as stream:
        stream.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        return source_of(stream), read_all(stream).decode()


def only_tunnels(wire: Capture) -> bool:
    return set(wire.syn_ports()) <= {HBONE_PORT}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_request_to_another_node_is_served_and_carries_the_clients_own_address(mesh: Mesh, family: str) -> None:
    target = bracketed(getattr(mesh.server_b, family))
    body = mesh.client.curl(f"http://{target}:{APP_PORT}/")
    assert body == f"hello from server-b, you are {getattr(mesh.client, family)}\n"
    mesh.settles()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_request_the_other_way_is_served_too(mesh: Mesh, family: str) -> None:
    target = bracketed(getattr(mesh.server_a, family))
    body = mesh.server_b.curl(f"http://{target}:{APP_PORT}/")
    assert body == f"hello from server-a, you are {getattr(mesh.server_b, family)}\n"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_request_within_the_node_is_served_with_both_identities(mesh: Mesh, family: str) -> None:
    marks = mesh.marks()
    source, answer = get(mesh.client, getattr(mesh.server_a, family), APP_PORT)
    assert answer.endswith(f"hello from server-a, you are {getattr(mesh.client, family)}\n")
    for line in both_lines(mesh, mesh.client, mesh.server_a, marks, source):
        assert (line["src.identity"], line["dst.identity"]) == (identity(mesh.client), identity(mesh.server_a))


# Early in the file: a released pod keeps its listeners for ten seconds, which the tests that follow make use of.


@pytest.fixture(scope="module")
def late(mesh: Mesh) -> Iterator[Pod]:
    """A pod in a namespace that nobody has enrolled yet."""
    mesh.lab.mesh.namespace("late")
    pod = mesh.lab.add_pod("late", "comer", node="node1", service_account="comer")
    yield pod
    mesh.lab.remove_pod("late/comer")
    mesh.lab.mesh.delete("Namespace", "", "late")


def leave(mesh: Mesh, pod: Pod) -> None:
    mesh.lab.mesh.release("late")
    wait_until(f"{pod.key} to be released", lambda: not pod.is_captured())


def test_labelling_a_namespace_captures_its_pods_within_a_second_and_with_no_restart(mesh: Mesh, late: Pod) -> None:
    pids = [proxy.pid for proxy in mesh.proxies]
    proxy = mesh.proxy_of(late)
    with TcpServer(mesh.server_b.listen()) as echo:

        def is_in_the_log() -> bool:
            with late.connect(mesh.server_b.ip, echo.port) as stream:
                stream.shutdown(1)
                read_all(stream)
                source = source_of(stream)
            try:
                proxy.wait_access(mark, direction="outbound", src_addr=source, timeout=0.1)
            except LabError:
                return False
            return True

        mark = proxy.log_mark()
        took: list[float] = []
        while len(took) < ENROL_TRIES and min(took, default=ENROL_LIMIT_S) >= ENROL_LIMIT_S:
            if took:
                leave(mesh, late)
                mark = proxy.log_mark()
            assert not is_in_the_log(), "captured before anyone asked for it"
            start = time.monotonic()
            mesh.lab.mesh.enrol("late")
            wait_until("a new connection to be captured", is_in_the_log)
            took.append(time.monotonic() - start)
    assert min(took) < ENROL_LIMIT_S, took
    assert [proxy.pid for proxy in mesh.proxies] == pids
    line = proxy.wait_access(mark, direction="outbound", src_workload="comer")
    assert line["src.identity"] == identity(late)


def test_taking_the_label_away_releases_its_pods_while_connections_live_on(mesh: Mesh, late: Pod) -> None:
    mesh.lab.mesh.enrol("late")
    wait_captured(late)
    with TcpServer(mesh.server_b.listen()) as echo, late.connect(mesh.server_b.ip, echo.port) as captured:
        captured.sendall(b"while captured")
        assert captured.recv(100) == b"while captured"
        leave(mesh, late)
        captured.sendall(b"and afterwards")
        assert captured.recv(100) == b"and afterwards"
        mark = mesh.proxy_of(late).log_mark()
        assert late.curl(f"http://{mesh.server_b.ip}:{APP_PORT}/").endswith(f"you are {late.ip}\n")
    mesh.proxy_of(late).wait_access(mark, src_workload="comer")  # the captured one, ended just now
    lines = mesh.proxy_of(late).access_lines(mark)
    assert len([line for line in lines if line.get("src.workload") == "comer"]) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_the_wire_shows_tunnels_only_and_nothing_of_the_request(mesh: Mesh, family: str) -> None:
    secret = secrets.token_hex(12)
    mesh.wait_no_tunnels()  # so this one must be opened while we watch
    with mesh.lab.capture() as wire:
        get(mesh.client, getattr(mesh.server_b, family), APP_PORT, f"/{secret}")
    assert wire.syn_ports()[HBONE_PORT] >= 1
    assert only_tunnels(wire), wire.syn_ports()
    assert not wire.shows(secret.encode())
    assert not wire.shows(b"hello from")


def test_the_same_look_at_the_wire_fails_without_capture(mesh: Mesh) -> None:
    secret = secrets.token_hex(12)
    with mesh.lab.capture() as wire, TcpServer(mesh.server_a.listen()) as echo:
        with mesh.outside.connect(mesh.server_a.ip, echo.port) as stream:
            stream.sendall(secret.encode())
            stream.shutdown(1)
            assert read_all(stream) == secret.encode()
    assert not only_tunnels(wire)
    assert wire.shows(secret.encode())


@pytest.mark.parametrize("family", FAMILIES)
def test_both_sides_log_the_connection_in_the_peers_format(mesh: Mesh, family: str) -> None:
    marks = mesh.marks()
    address = getattr(mesh.server_b, family)
    source, answer = get(mesh.client, address, APP_PORT)
    out, into = both_lines(mesh, mesh.client, mesh.server_b, marks, source)
    sent, received = len("GET / HTTP/1.0\r\n\r\n"), len(answer)
    target = re.escape(f"dst.addr={bracketed(address)}:15008 dst.hbone_addr={bracketed(address)}:{APP_PORT}")
    src, dst = re.escape(party("src", mesh.client)), re.escape(party("dst", mesh.server_b))
    head = rf"{TIME}\tinfo\taccess\tconnection complete\t"
    assert re.fullmatch(
        rf"{head}src\.addr={re.escape(source)} {src} {target} {dst} "
        rf'direction="outbound" bytes_sent={sent} bytes_recv={received} duration="\d+ms"',
        out.raw,
    ), out.raw
    # The tunnel's own source port, and the service only where the source of configuration knows it.
    tunnel = re.escape(bracketed(getattr(mesh.client, family)))
    assert re.fullmatch(
        rf'{head}src\.addr={tunnel}:\d+ {src} {target}( dst\.service="[^"]+")? {dst} '
        rf'direction="inbound" bytes_sent={received} bytes_recv={sent} duration="\d+ms"',
        into.raw,
    ), into.raw


def test_a_service_address_goes_to_every_endpoint_and_is_named_in_the_log(mesh: Mesh) -> None:
    marks = mesh.marks()
    answers = {mesh.client.curl("http://server.mesh.svc.cluster.local/").split(",")[0] for _ in range(24)}
    assert answers == {"hello from server-a", "hello from server-b"}
    line = mesh.proxy_of(mesh.client).wait_access(marks["node1"], direction="outbound", dst_workload="server-b")
    assert line["dst.service"] == "server.mesh.svc.cluster.local"
    assert line["dst.hbone_addr"] == f"{mesh.server_b.ip}:{APP_PORT}"


def test_plaintext_from_outside_the_mesh_is_served_and_logged_without_an_identity(mesh: Mesh) -> None:
    mark = mesh.proxy_of(mesh.server_a).log_mark()
    source, answer = get(mesh.outside, mesh.server_a.ip, APP_PORT)
    assert answer.endswith(f"hello from server-a, you are {mesh.outside.ip}\n")
    line = mesh.proxy_of(mesh.server_a).wait_access(mark, direction="inbound", src_addr=source)
    assert line["dst.addr"] == f"{mesh.server_a.ip}:{APP_PORT}"
    assert line["dst.workload"] == "server-a"
    assert "src.identity" not in line.fields
    assert "dst.identity" not in line.fields


def test_a_destination_outside_the_mesh_is_passed_through(mesh: Mesh) -> None:
    mark = mesh.proxy_of(mesh.client).log_mark()
    with TcpServer(mesh.outside.listen()) as echo, mesh.client.connect(mesh.outside.ip, echo.port) as stream:
        stream.sendall(b"in the clear, as before")
        stream.shutdown(1)
        assert read_all(stream) == b"in the clear, as before"
        source = source_of(stream)
    line = mesh.proxy_of(mesh.client).wait_access(mark, direction="outbound", src_addr=source)
    assert line["dst.addr"] == f"{mesh.outside.ip}:{echo.port}"
    assert "dst.hbone_addr" not in line.fields
    assert "src.identity" not in line.fields


def test_a_destination_that_no_manifest_names_is_passed_through(mesh: Mesh) -> None:
    node = mesh.lab.node("node2")
    mark = mesh.proxy_of(mesh.client).log_mark()
    with TcpServer(node.ns.listen()) as echo, mesh.client.connect(node.ip, echo.port) as stream:
        stream.sendall(b"hello, stranger")
        stream.shutdown(1)
        assert read_all(stream) == b"hello, stranger"
        source = source_of(stream)
    line = mesh.proxy_of(mesh.client).wait_access(mark, direction="outbound", src_addr=source)
    assert line["dst.addr"] == f"{node.ip}:{echo.port}"
    assert "dst.workload" not in line.fields


def test_a_port_where_nobody_listens_is_an_error_and_not_a_hang(mesh: Mesh) -> None:
    marks = mesh.marks()
    with mesh.client.ns.open_socket() as stream:
        stream.settimeout(CONNECT_TIMEOUT_S)
        stream.bind((mesh.client.ip, 0))
        source = source_of(stream)
        try:
            # The reset may be there before connect() has looked whether it succeeded.
            stream.connect((mesh.server_b.ip, 9))
            assert stream.recv(1) == b""
        except ConnectionResetError:
            pass  # as the peer does it when bytes were lost
    out, into = both_lines(mesh, mesh.client, mesh.server_b, marks, source)
    assert (out.level, into.level) == ("error", "error")
    assert out["error"] == "http status: 503 Service Unavailable"
    assert into["error"] == "connection failed: Connection refused (os error 111)"


def test_metrics_count_the_connection_and_its_bytes_on_both_sides(mesh: Mesh) -> None:
    def counts() -> list[float]:
        found = []
        for proxy, reporter in zip(mesh.proxies, ("source", "destination"), strict=True):
            labels = {
                "reporter": reporter,
                "source_workload": "client",
                "source_principal": identity(mesh.client),
                "destination_workload": "server-b",
                "destination_principal": identity(mesh.server_b),
                "connection_security_policy": "mutual_tls",
                "request_protocol": "tcp",
            }
            metrics = proxy.metrics()
            for name in (TRAFFIC, "istio_tcp_connections_closed_total", "istio_tcp_sent_bytes_total",
                         "istio_tcp_received_bytes_total"):  # fmt: skip
                found.append(metrics.total(name, **labels))
        return found

    before = counts()
    _, answer = get(mesh.client, mesh.server_b.ip, APP_PORT)
    request_bytes = float(len("GET / HTTP/1.0\r\n\r\n"))
    # Both reporters count from the client's point of view: sent is what went to it.
    each = [1.0, 1.0, float(len(answer)), request_bytes]

    def grown() -> list[float]:
        return [now - old for now, old in zip(counts(), before, strict=True)]

    wait_until(f"counters to grow by {each} (they grew by {grown()})", lambda: grown() == each + each, 5.0)


def test_everything_comes_to_rest_after_all_of_this(mesh: Mesh) -> None:
    mesh.settles()
