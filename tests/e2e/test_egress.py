"""What a pod may reach: EgressPolicy and NetworkPolicy on real traffic, in every case of egress_cases.py and beyond."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Iterator

import pytest

from tests.e2e.egress_cases import (
    ALLOWED,
    BANNER,
    BANNER_PORT,
    BASE,
    CASES,
    DENIED_AT_DESTINATION,
    DENIED_AT_SOURCE,
    DRY,
    FROM_CLIENT,
    FROM_NAMESPACE,
    HTTP,
    NAMED,
    SILENT,
    TLS,
    TLS_PORT,
    TO_MESH,
    EgressCase,
    allow,
    deny,
    egress,
    network,
)
from tests.e2e.hbone_peer import HBONE_PORT, HboneClient
from tests.e2e.helpers import APP_PORT, Mesh, TcpServer, read_all, read_exactly, source_of, two_node_mesh, wait_captured
from tests.e2e.peer_certs import Mint
from tests.e2e.policies import Policies
from tests.lab import AccessLine, Pod, wait_until
from tests.lab.mesh import Manifest

REQUEST = b"GET / HTTP/1.0\r\n\r\n"
ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes"
GREETING = b"220 speak, friend\r\n"
REJECTED = "connection closed due to policy rejection: "
POLICY_CHANGE = "connection closed due to policy change"
FAILED = "istio_tcp_connections_failed_total"


# The second pod of the second node, which the lab numbers in order; `mesh` checks it.
OUTSIDE_IP = "10.77.2.3"
DNS_PORT = 5353


@pytest.fixture(scope="module")
def mesh(backend: str) -> Iterator[Mesh]:
    """The usual mesh, with the pods' DNS questions answered by us, and by the pod outside what we do not know."""
    env = {"ISTIO_META_DNS_CAPTURE": "true", "AQUIFER_DNS_UPSTREAM": f"{OUTSIDE_IP}:{DNS_PORT}"}
    with two_node_mesh(backend, env=env) as running:
        assert running.outside.ip == OUTSIDE_IP
        yield running


@pytest.fixture(scope="module")
def policies(mesh: Mesh) -> Policies:
    return Policies(mesh)


@pytest.fixture(scope="module")
def server_context(mesh: Mesh) -> ssl.SSLContext:
    """A TLS server's, whose certificate nobody checks: names are what is tested."""
    leaf = Mint(mesh.lab.ca_dir, mesh.lab.work_dir / "tls-server", stranger=True).leaf(None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.chain)
    return context


def answer_once(stream: socket.socket) -> None:
    """An HTTP server of one answer."""
    seen = b""
    while not seen.endswith(b"\r\n\r\n"):
        part = stream.recv(1 << 16)
        if not part:
            return
        seen += part
    stream.sendall(ANSWER)


@pytest.fixture(scope="module")
def world(mesh: Mesh, server_context: ssl.SSLContext) -> Iterator[dict[str, str]]:
    """Who listens where, by name, for the cases: TLS and a server-first protocol outside the mesh."""

    def tls(stream: socket.socket) -> None:
        with server_context.wrap_socket(stream, server_side=True) as secured:
            answer_once(secured)

    def banner(stream: socket.socket) -> None:
        stream.sendall(GREETING)
        stream.recv(1)

    outside, node2 = mesh.outside.ip, mesh.lab.node("node2").ip
    services = {s["metadata"]["name"]: s["spec"]["clusterIP"] for s in mesh.lab.mesh.objects("Service")}
    with (
        TcpServer(mesh.outside.listen(TLS_PORT), tls),
        TcpServer(mesh.outside.listen(BANNER_PORT), banner),
    ):
        yield {
            "server_a": mesh.server_a.ip,
            "server_b": mesh.server_b.ip,
            "server_service": services["server"],
            "server_b_service": services["server-b"],
            "outside": outside,
            "outside_net": str(ipaddress.ip_network(f"{outside}/24", strict=False)),
            "node2": node2,
            "node2_net": str(ipaddress.ip_network(f"{node2}/24", strict=False)),
            "tls_port": str(TLS_PORT),
            "banner_port": str(BANNER_PORT),
        }


# --- clients ---------------------------------------------------------------------------------------


def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def converse(stream: socket.socket, talk: str, server_name: str | None) -> bool:
    """Does the other side serve us?"""
    if talk == BANNER:
        return read_exactly(stream, len(GREETING)) == GREETING
    if talk == SILENT:
        return stream.recv(1) != b""
    if talk == TLS:
        with client_context().wrap_socket(stream, server_hostname=server_name) as secured:
            secured.sendall(REQUEST)
            return read_all(secured) == ANSWER
    stream.sendall(REQUEST)
    return b" 200 OK" in read_all(stream)


def call(pod: Pod, address: str, talk: str = HTTP, server_name: str | None = None) -> tuple[bool, str]:
    """Was the connection served, and from which address was it made?"""
    host, port = address.rsplit(":", 1)
    with pod.ns.open_socket() as stream:
        stream.settimeout(10.0)
        stream.bind((pod.ip, 0))
        source = source_of(stream)
        try:
            stream.connect((host, int(port)))  # a refusal may be as quick as the connection
            return converse(stream, talk, server_name), source
        except (ConnectionError, ssl.SSLError, AssertionError):
            return False, source


def denial(mesh: Mesh, pod: Pod, mark: int, source: str | None = None) -> AccessLine:
    """The line in which `pod`'s proxy says that a policy refused a connection."""

    def rejects(line: AccessLine) -> bool:
        return line.get("error").startswith(REJECTED)

    fields = {} if source is None else {"src_addr": source}
    return mesh.proxy_of(pod).wait_access(mark, where=rejects, **fields)


# --- the table -------------------------------------------------------------------------------------


def test_every_case_of_the_table_ends_as_it_says(mesh: Mesh, policies: Policies, world: dict[str, str]) -> None:
    failures = []
    for case in CASES:
        try:
            check_case(mesh, policies, case.filled(world))
        except Exception as error:  # every case is to be seen, whatever goes wrong in one
            failures.append(f"{case.name}: {error}")
    assert not failures, "\n".join(failures)


def check_case(mesh: Mesh, policies: Policies, case: EgressCase) -> None:
    policies.apply(*case.manifests)
    marks = mesh.marks()
    pod = mesh.lab.pod(case.source)
    served, source = call(pod, case.to, case.talk, case.server_name)
    assert served == (case.verdict == ALLOWED), f"served: {served}"
    if case.verdict == ALLOWED:
        return
    if case.verdict == DENIED_AT_SOURCE:
        line = denial(mesh, pod, marks[pod.node], source)
        assert line["direction"] == "outbound"
    else:
        line = denial(mesh, mesh.server_b, marks[mesh.server_b.node])
        assert line["direction"] == "inbound"
    assert line.level == "error"
    for policy in case.policies:
        assert policy in line["error"], line["error"]
    assert case.reason in line["error"], line["error"]


def test_the_table_is_worth_its_name() -> None:
    assert len(CASES) >= 15
    assert len({case.name for case in CASES}) == len(CASES)
    for verdict in (ALLOWED, DENIED_AT_SOURCE, DENIED_AT_DESTINATION):
        assert any(case.verdict == verdict for case in CASES)


# --- what the table cannot say ---------------------------------------------------------------------


def test_a_denied_connection_never_reaches_the_wire(mesh: Mesh, policies: Policies, world: dict[str, str]) -> None:
    outside = f"{world['outside']}:{TLS_PORT}"
    policies.apply(NAMED)
    mesh.settles()  # no tunnel is left in a pool
    with mesh.lab.capture() as wire:
        assert not call(mesh.client, f"{world['server_b']}:{APP_PORT}")[0]
        assert not call(mesh.client, outside, TLS, "evil.example.com")[0]
        assert not call(mesh.client, f"{world['node2']}:{BANNER_PORT + 1}", BANNER)[0]
    assert not wire.syn_ports()
    with mesh.lab.capture() as wire:  # the same look sees what is allowed
        assert call(mesh.client, outside, TLS, "api.example.com")[0]
    assert set(wire.syn_ports()) == {TLS_PORT}


def test_openssl_and_curl_are_told_apart_by_their_server_names(
    mesh: Mesh, policies: Policies, world: dict[str, str]
) -> None:
    policies.apply(NAMED)
    resolve = [f"{name}:{TLS_PORT}:{world['outside']}" for name in ("api.example.com", "evil.example.com")]
    options = ["-k", "--resolve", resolve[0], "--resolve", resolve[1]]
    assert mesh.client.curl(f"https://api.example.com:{TLS_PORT}/", *options) == "yes"
    assert mesh.client.curl(f"https://evil.example.com:{TLS_PORT}/", *options, check=False) == ""
    for name, expected in (("x.good.example.com", True), ("evil.example.com", False)):
        done = mesh.client.run(
            ["openssl", "s_client", "-connect", f"{world['outside']}:{TLS_PORT}", "-servername", name],
            check=False, input_text="",
        )  # fmt: skip
        assert ("BEGIN CERTIFICATE" in done.stdout) == expected, done.stdout


def test_a_hello_in_many_pieces_is_understood_and_arrives_whole(
    mesh: Mesh, policies: Policies, world: dict[str, str]
) -> None:
    policies.apply(NAMED)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing, server_hostname="api.example.com")
    with mesh.client.connect(world["outside"], TLS_PORT) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        hello = outgoing.read()
        for at in range(0, len(hello), 50):
            stream.sendall(hello[at : at + 50])
        while True:
            incoming.write(stream.recv(1 << 16))
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                stream.sendall(outgoing.read())
        tls.write(REQUEST)
        stream.sendall(outgoing.read())
        answer = b""
        while not answer.endswith(ANSWER):
            incoming.write(stream.recv(1 << 16))
            try:
                answer += tls.read(1 << 16)
            except ssl.SSLWantReadError:
                continue
        assert answer == ANSWER


LIVE_PORT = 9443
LIVE_NAME = {"serverNames": ["api.example.com"], "ports": [LIVE_PORT]}


class Open:
    """A connection that stays open, to a server that echoes."""

    def __init__(self, pod: Pod, address: str, port: int, server_name: str | None = None) -> None:
        raw = pod.connect(address, port)
        self.source = source_of(raw)
        self.stream = client_context().wrap_socket(raw, server_hostname=server_name) if server_name else raw

    def lives(self) -> bool:
        self.stream.sendall(b"still there?")
        return read_exactly(self.stream, 12) == b"still there?"

    def is_cut(self) -> bool:
        try:
            return self.stream.recv(1) == b""
        except (ConnectionError, ssl.SSLError):
            return True


@pytest.fixture
def echoes(mesh: Mesh, server_context: ssl.SSLContext) -> Iterator[None]:
    """Echo on 8081 of server-b, and in TLS on LIVE_PORT of the pod outside."""

    def tls_echo(stream: socket.socket) -> None:
        with server_context.wrap_socket(stream, server_side=True) as secured:
            while part := secured.recv(1 << 16):
                secured.sendall(part)

    with TcpServer(mesh.server_b.listen(8081)), TcpServer(mesh.outside.listen(LIVE_PORT), tls_echo):
        yield


def live(*to: dict[str, object]) -> Manifest:
    return egress("live", default="DENY", rules=[allow(*to)])


def test_open_connections_are_judged_again_by_what_was_known_when_they_opened(
    mesh: Mesh, policies: Policies, world: dict[str, str], echoes: None
) -> None:
    proxy = mesh.proxy_of(mesh.client)
    to_b = {"services": ["mesh/server-b"]}
    to_b_port = {"cidrs": [f"{world['server_b']}/32"]}
    policies.apply()
    plain = Open(mesh.client, world["server_b"], 8081)
    never_looked_at = Open(mesh.client, world["outside"], LIVE_PORT, "api.example.com")
    assert plain.lives() and never_looked_at.lives()
    mark = proxy.log_mark()
    policies.apply(live(LIVE_NAME, to_b_port))
    assert never_looked_at.is_cut()
    assert proxy.wait_access(mark, src_addr=never_looked_at.source)["error"] == POLICY_CHANGE
    assert plain.lives()
    named = Open(mesh.client, world["outside"], LIVE_PORT, "api.example.com")
    assert named.lives()
    policies.apply(live(LIVE_NAME, to_b))  # 8081 is no port of the service
    assert plain.is_cut()
    assert named.lives(), "its name was known"
    mark = proxy.log_mark()
    policies.apply(live({**LIVE_NAME, "serverNames": ["other.example.com"]}))
    assert named.is_cut()
    assert proxy.wait_access(mark, src_addr=named.source)["error"] == POLICY_CHANGE


def test_a_network_policy_cuts_at_the_destination_what_it_no_longer_lets_in(
    mesh: Mesh, policies: Policies, world: dict[str, str], echoes: None
) -> None:
    policies.apply()
    opened = Open(mesh.client, world["server_b"], 8081)
    assert opened.lives()
    mark = mesh.proxy_of(mesh.server_b).log_mark()
    policies.apply(FROM_CLIENT)  # at the port "http" only
    assert opened.is_cut()
    line = mesh.proxy_of(mesh.server_b).wait_access(mark, direction="inbound")
    assert line["error"] == POLICY_CHANGE


def test_an_address_without_its_identity_is_nobody(mesh: Mesh, policies: Policies, world: dict[str, str]) -> None:
    mint = Mint(mesh.lab.ca_dir, mesh.lab.work_dir / "peer-certs")

    def status(identity: str) -> str:
        context = mint.leaf(f"spiffe://cluster.local/ns/{identity}").client_context()
        client = HboneClient(mesh.outside.connect(mesh.server_b.ip, HBONE_PORT), context)
        try:
            return client.connect(f"{mesh.server_b.ip}:{APP_PORT}")[1][":status"]
        finally:
            client.close()

    any_address = network("any", podSelector={}, ingress=[{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}])
    policies.apply(FROM_NAMESPACE, any_address)
    assert status("outside/sa/outside") == "200"
    # Somebody at that address who proves to be another: not that pod, and not a stranger either.
    assert status("mesh/sa/client") == "401"


def answer_a(question: bytes, address: str) -> bytes:
    """A DNS answer to one question (RFC 1035 section 4.1): the address for type A, nothing for other types."""
    end = question.index(b"\0", 12) + 5
    is_a = question[end - 4 : end - 2] == b"\0\x01"
    head = question[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, int(is_a), 0, 0)
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(address)
    return head + question[12:end] + (record if is_a else b"")


@pytest.fixture
def names(mesh: Mesh) -> Iterator[None]:
    """A name server in the pod outside: every name has that pod's address."""
    server = mesh.outside.ns.open_socket(kind=socket.SOCK_DGRAM)
    server.bind((OUTSIDE_IP, DNS_PORT))

    def serve() -> None:
        while True:
            question, client = server.recvfrom(4096)
            if not question:
                return
            server.sendto(answer_a(question, OUTSIDE_IP), client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield
    with mesh.outside.ns.open_socket(kind=socket.SOCK_DGRAM) as stop:
        stop.sendto(b"", (OUTSIDE_IP, DNS_PORT))
    thread.join()
    server.close()


def test_a_host_name_is_what_the_pod_resolved_to_the_address(
    mesh: Mesh, policies: Policies, world: dict[str, str], names: None
) -> None:
    address = f"{OUTSIDE_IP}:{BANNER_PORT}"
    hosts = {"hosts": ["api.example.com"], "ports": [BANNER_PORT]}

    def resolve(name: str) -> None:
        assert mesh.client.run(["dig", "+short", "@192.0.2.53", name]).stdout.split() == [OUTSIDE_IP]

    def error() -> str:
        mark = mesh.proxy_of(mesh.client).log_mark()
        served, source = call(mesh.client, address, BANNER)
        assert not served
        return denial(mesh, mesh.client, mark, source)["error"]

    policies.apply(egress("hosts", default="DENY", rules=[allow(hosts)]))
    assert f"egress to {address} is allowed by no rule" in error()
    resolve("www.example.org")
    assert f"egress to {address} (resolved from www.example.org) is allowed by no rule" in error()
    resolve("API.example.com")
    assert call(mesh.client, address, BANNER)[0]
    assert not call(mesh.server_a, address, BANNER)[0], "another pod resolved nothing"
    policies.apply(egress("hosts", default="DENY", rules=[allow(hosts), deny({"hosts": ["*.example.org"]})]))
    both = f"egress to {address} (resolved from api.example.com, www.example.org) is denied by mesh/hosts rules[1]"
    assert both in error()


def test_a_pod_that_leaves_and_joins_again_is_known_by_what_it_resolves_then(
    mesh: Mesh, policies: Policies, world: dict[str, str], names: None
) -> None:
    hosts = {"hosts": ["again.example.com"], "ports": [BANNER_PORT]}
    policies.apply(egress("hosts", default="DENY", rules=[allow(hosts), allow({"services": ["mesh/server-b"]})]))
    # It keeps the pod's former proxy alive.
    with mesh.client.connect(world["server_b_service"], 80):
        mesh.lab.mesh.release("mesh")
        wait_until("the pod to be released", lambda: not mesh.client.is_captured())
        mesh.lab.mesh.enrol("mesh")
        wait_captured(mesh.client, mesh.server_a, mesh.server_b)
        asked = ["dig", "+short", "+time=1", "+tries=5", "@192.0.2.53", "again.example.com"]
        wait_until("its query to be answered", lambda: mesh.client.run(asked).stdout.split() == [OUTSIDE_IP])
        assert call(mesh.client, f"{OUTSIDE_IP}:{BANNER_PORT}", BANNER)[0]


def test_a_dry_run_says_what_it_would_have_done(mesh: Mesh, policies: Policies, world: dict[str, str]) -> None:
    policies.apply(DRY)
    proxy = mesh.proxy_of(mesh.client)
    mark = proxy.log_mark()
    assert call(mesh.client, f"{world['server_b']}:{APP_PORT}")[0]
    expected = (
        f"dry run: mesh/client: would be rejected: egress to {world['server_b']}:{APP_PORT} "
        "is allowed by no rule, and mesh/dry default is DENY"
    )
    wait_until("the dry run's line", lambda: expected in proxy.stdout_path.read_text(errors="replace")[mark:])


def test_a_denial_is_counted_with_its_flag(mesh: Mesh, policies: Policies, world: dict[str, str]) -> None:
    policies.apply(BASE)
    proxy = mesh.proxy_of(mesh.client)

    def denied() -> float:
        return proxy.metrics().total(FAILED, reporter="source", source_workload="client", response_flags="DENY")

    before = denied()
    assert not call(mesh.client, f"{world['server_b']}:{APP_PORT}")[0]
    wait_until("the denial to be counted", lambda: denied() == before + 1)


def test_a_broken_policy_is_refused_and_the_last_good_ones_stay(
    mesh: Mesh, policies: Policies, world: dict[str, str]
) -> None:
    policies.apply(BASE)
    proxy = mesh.proxy_of(mesh.client)
    mark = proxy.log_mark()
    broken = mesh.lab.mesh.write_raw(
        "broken.yaml",
        "apiVersion: aquifer.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: x, namespace: mesh}\n"
        "spec: {default: ALLOW, ruels: []}\n",
    )
    expected = "broken.yaml:4: EgressPolicy mesh/x: spec.ruels: no such field: look for a misspelling"
    try:
        wait_until("the refusal", lambda: expected in proxy.stdout_path.read_text(errors="replace")[mark:])
        assert not call(mesh.client, f"{world['server_b']}:{APP_PORT}")[0]
    finally:
        broken.unlink()
    policies.apply(TO_MESH)
    assert call(mesh.client, f"{world['server_b_service']}:80")[0]


def test_everything_comes_to_rest_after_all_of_this(mesh: Mesh, policies: Policies) -> None:
    policies.apply()
    mesh.settles()
