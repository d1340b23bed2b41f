"""Mutual TLS on 15008, and whom it refuses: strangers as clients, and strangers as servers of our own tunnels."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.e2e.hbone_peer import HBONE_PORT, HboneClient, HboneServer
from tests.e2e.helpers import APP_PORT, Mesh, read_all
from tests.e2e.peer_certs import Mint, PeerCert
from tests.lab import AccessLine, Pod

FOREIGN_PORT = 9000
PEER_ID = "spiffe://cluster.local/ns/outside/sa/outside"
OTHER_DOMAIN_ID = "spiffe://elsewhere.example/ns/outside/sa/outside"
SERVER_ID = "spiffe://cluster.local/ns/mesh/sa/foreign"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
LOG_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Mints:
    """The mesh's own CA, and one that nobody trusts."""

    mesh: Mint
    stranger: Mint


@dataclass(frozen=True)
class Refusal:
    """A peer that is refused: what it presents, and a piece of the log's reason."""

    name: str
    context: Callable[[Mints], ssl.SSLContext]
    reason: str


@pytest.fixture(scope="module")
def mints(mesh: Mesh) -> Mints:
    work = mesh.lab.work_dir
    return Mints(
        Mint(mesh.lab.ca_dir, work / "mesh-certs"), Mint(mesh.lab.ca_dir, work / "stranger-certs", stranger=True)
    )


def valid(mints: Mints, identity: str = PEER_ID) -> PeerCert:
    return mints.mesh.leaf(identity)


# --- clients that 15008 refuses --------------------------------------------------------------------


def without_certificate(mints: Mints) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(valid(mints).roots)
    context.set_alpn_protocols(["h2"])
    return context


def with_tls_1_2(mints: Mints) -> ssl.SSLContext:
    context = valid(mints).client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


CLIENTS = [
    Refusal("no-certificate", without_certificate, "peer did not return a certificate"),
    Refusal("other-trust-domain", lambda mints: valid(mints, OTHER_DOMAIN_ID).client_context(),
            f"the client is {OTHER_DOMAIN_ID}, not of trust domain cluster.local"),
    Refusal("expired", lambda mints: mints.mesh.leaf(PEER_ID, valid_from_h=-2, valid_to_h=-1).client_context(),
            "certificate has expired"),
    Refusal("not-yet-valid", lambda mints: mints.mesh.leaf(PEER_ID, valid_from_h=1, valid_to_h=2).client_context(),
            "certificate is not yet valid"),
    Refusal("untrusted-root", lambda mints: mints.stranger.leaf(PEER_ID).client_context(),
            "unable to get local issuer certificate"),
    Refusal("no-spiffe-name", lambda mints: mints.mesh.leaf(None).client_context(),
            "the peer's certificate has no SPIFFE identity"),
    Refusal("tls-1.2", with_tls_1_2, "unsupported protocol"),
    Refusal("other-protocol", lambda mints: valid(mints).client_context(alpn=["http/1.1"]),
            "the client does not speak h2"),
    Refusal("no-protocol", lambda mints: valid(mints).client_context(alpn=[]),
            "the client does not speak h2"),
]  # fmt: skip


@pytest.mark.parametrize("refusal", CLIENTS, ids=lambda refusal: refusal.name)
def test_a_client_that_must_not_come_in_is_served_nothing_and_the_log_says_why(
    mesh: Mesh, mints: Mints, refusal: Refusal
) -> None:
    proxy = mesh.proxy_of(mesh.server_b)
    mark = proxy.log_mark()
    raw = mesh.outside.connect(mesh.server_b.ip, HBONE_PORT)
    port = raw.getsockname()[1]
    assert served(raw, refusal.context(mints)) == b""

    def of_this_client(line: AccessLine) -> bool:
        return line.get("src.addr").endswith(f":{port}")

    line = proxy.wait_access(mark, where=of_this_client, timeout=LOG_TIMEOUT_S, direction="inbound")
    assert line["error"].startswith("tls handshake error: ")
    assert refusal.reason in line["error"]
    serves_good_peers(mesh, mints)


def served(raw: socket.socket, context: ssl.SSLContext) -> bytes:
    """What a client is sent after its handshake. With TLS 1.3 it learns only there that it was refused."""
    try:
        with context.wrap_socket(raw) as tls:
            tls.sendall(PREFACE)
            return tls.recv(1)
    except ssl.SSLError:
        return b""
    except ConnectionError:
        return b""
    finally:
        raw.close()


def serves_good_peers(mesh: Mesh, mints: Mints) -> None:
    client = HboneClient(mesh.outside.connect(mesh.server_b.ip, HBONE_PORT), valid(mints).client_context())
    _, answer = client.connect(f"{mesh.server_b.ip}:{APP_PORT}")
    client.close()
    assert answer[":status"] == "200"


def test_plain_bytes_on_15008_are_served_nothing(mesh: Mesh, mints: Mints) -> None:
    with mesh.outside.connect(mesh.server_b.ip, HBONE_PORT) as raw:
        raw.sendall(PREFACE)
        try:
            answer = read_all(raw)
        except ConnectionError:
            answer = b""
    # At most an alert, which is TLS's own word for no.
    assert not answer or answer[0] == 21
    serves_good_peers(mesh, mints)


def test_refused_clients_leave_nothing_behind(mesh: Mesh, mints: Mints) -> None:
    for refusal in CLIENTS:
        assert served(mesh.outside.connect(mesh.server_b.ip, HBONE_PORT), refusal.context(mints)) == b""
    mesh.settles()


# --- servers that our client refuses ---------------------------------------------------------------


def h2_less(mints: Mints) -> ssl.SSLContext:
    context = valid(mints, SERVER_ID).server_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def tls_1_2_only(mints: Mints) -> ssl.SSLContext:
    context = valid(mints, SERVER_ID).server_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


SERVERS = [
    Refusal("other-identity", lambda mints: valid(mints, PEER_ID).server_context(),
            f"the server is {PEER_ID}, expected {SERVER_ID}"),
    Refusal("other-trust-domain",
            lambda mints: valid(mints, SERVER_ID.replace("cluster.local", "elsewhere.example")).server_context(),
            f"expected {SERVER_ID}"),
    Refusal("expired", lambda mints: mints.mesh.leaf(SERVER_ID, valid_from_h=-2, valid_to_h=-1).server_context(),
            "certificate has expired"),
    Refusal("untrusted-root", lambda mints: mints.stranger.leaf(SERVER_ID).server_context(),
            "unable to get local issuer certificate"),
    Refusal("no-spiffe-name", lambda mints: mints.mesh.leaf(None).server_context(),
            "the peer's certificate has no SPIFFE identity"),
    Refusal("other-protocol", h2_less, "h2"),
    Refusal("tls-1.2", tls_1_2_only, "protocol"),
]  # fmt: skip


@pytest.fixture(scope="module")
def foreign_node(mesh: Mesh) -> str:
    """A node where no ztunnel of ours runs: the mesh believes its pods to speak HBONE all the same."""
    return mesh.lab.add_node("node3").name


@pytest.fixture
def foreign(mesh: Mesh, foreign_node: str, request: pytest.FixtureRequest) -> Pod:
    """A foreign pod of each test's own: no tunnel of another test is in a pool."""
    name = "foreign-" + hashlib.sha256(request.node.name.encode()).hexdigest()[:8]
    return mesh.lab.add_pod("mesh", name, node=foreign_node, service_account="foreign", ports={"app": FOREIGN_PORT})


@pytest.mark.parametrize("refusal", SERVERS, ids=lambda refusal: refusal.name)
def test_a_server_that_is_not_who_it_should_be_gets_no_byte_of_the_application(
    mesh: Mesh, mints: Mints, foreign: Pod, refusal: Refusal
) -> None:
    proxy = mesh.proxy_of(mesh.client)
    mark, log_start = proxy.log_mark(), len(proxy.stdout()) + len(proxy.stderr())
    server = HboneServer(foreign.listen(HBONE_PORT), refusal.context(mints))
    try:
        assert answer_to_application(mesh.client, foreign) == b""
        line = proxy.wait_access(mark, timeout=LOG_TIMEOUT_S, direction="outbound", src_workload="client")
        assert line["error"].startswith("tls error: ")
        assert refusal.reason in proxy.stdout()[mark:]
        assert not [tunnel.requests for tunnel in server.tunnels if tunnel.requests]
    finally:
        server.close()
    # The pod itself is not in disgrace: nothing is remembered against others.
    assert "hello from server-b" in mesh.client.curl(f"http://{mesh.server_b.ip}:{APP_PORT}/")


def test_a_server_that_refuses_our_certificate_is_dialled_once_and_the_log_says_why(
    mesh: Mesh, mints: Mints, foreign: Pod
) -> None:
    # With TLS 1.3 the client hears of it after its handshake, in place of the first frame.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(valid(mints, SERVER_ID).chain)
    context.set_alpn_protocols(["h2"])
    context.verify_mode = ssl.CERT_REQUIRED  # and it trusts nobody
    proxy = mesh.proxy_of(mesh.client)
    mark = proxy.log_mark()
    server = HboneServer(foreign.listen(HBONE_PORT), context)
    try:
        assert answer_to_application(mesh.client, foreign) == b""
        line = proxy.wait_access(mark, timeout=LOG_TIMEOUT_S, direction="outbound", src_workload="client")
        assert line["error"] == "tls error: the peer sent alert unknown_ca"
        assert len(server.refused) == 1, server.refused
        assert not server.tunnels
    finally:
        server.close()


def test_the_same_pod_with_the_right_certificate_is_talked_to(mesh: Mesh, mints: Mints, foreign: Pod) -> None:
    server = HboneServer(foreign.listen(HBONE_PORT), valid(mints, SERVER_ID).server_context())
    try:
        assert answer_to_application(mesh.client, foreign) == b"secret"
        assert len(server.tunnels[0].requests) == 1
    finally:
        server.close()


def answer_to_application(client: Pod, foreign: Pod) -> bytes:
    try:
        with client.connect(foreign.ip, FOREIGN_PORT) as stream:
            stream.sendall(b"secret")
            stream.shutdown(socket.SHUT_WR)
            return read_all(stream)
    except ConnectionError:
        return b""
