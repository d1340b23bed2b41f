"""Tunnels to and from implementations that are not ours: Python's h2, and Envoy in both roles."""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Iterator

import h2.errors
import h2.events
import pytest

from tests.e2e.hbone_peer import HBONE_PORT, HboneClient, HboneServer
from tests.e2e.helpers import APP_PORT, Mesh, TcpServer, read_all
from tests.e2e.peer_certs import Mint, PeerCert
from tests.lab import Pod, wait_until
from tests.lab.envoy import hbone_client, hbone_server, start_envoy

FOREIGN_PORT = 9000
ECHO_PORT = 7070
PEER_ID = "spiffe://cluster.local/ns/outside/sa/outside"
# Payload that a client may have said before its CONNECT was answered.
EARLY_BYTES_MAX = 16 << 10
# RFC 9113 section 6.9.2: of a connection, before its peer opens it further.
FIRST_WINDOW = 65_535
REQUEST = b"GET / HTTP/1.0\r\n\r\n"


@pytest.fixture(scope="module")
def mint(mesh: Mesh) -> Mint:
    return Mint(mesh.lab.ca_dir, mesh.lab.work_dir / "peer-certs")


@pytest.fixture(scope="module")
def foreign_node(mesh: Mesh) -> str:
    """A node where no ztunnel of ours runs: the mesh believes its pods to speak HBONE all the same."""
    return mesh.lab.add_node("node3").name


@pytest.fixture
def foreign(mesh: Mesh, foreign_node: str, request: pytest.FixtureRequest) -> Pod:
    """A foreign pod of each test's own: no tunnel of another test is in a pool."""
    name = "foreign-" + hashlib.sha256(request.node.name.encode()).hexdigest()[:8]
    return mesh.lab.add_pod("mesh", name, node=foreign_node, service_account="foreign", ports={"app": FOREIGN_PORT})


@pytest.fixture
def client(mesh: Mesh, mint: Mint) -> Iterator[HboneClient]:
    """A foreign client's tunnel to server-b."""
    opened = HboneClient(mesh.outside.connect(mesh.server_b.ip, HBONE_PORT), mint.leaf(PEER_ID).client_context())
    yield opened
    opened.close()


# --- a foreign client ------------------------------------------------------------------------------


def test_our_server_announces_its_settings(client: HboneClient) -> None:
    client.pump(lambda e: isinstance(e, h2.events.RemoteSettingsChanged))
    client.connect("10.0.0.1:1")  # a round trip: the window update has come too
    settings = {int(code): value for code, value in client.h2.remote_settings.items()}
    assert settings[0x3] == 200, "MAX_CONCURRENT_STREAMS"
    assert settings[0x5] == 1 << 20, "MAX_FRAME_SIZE"
    assert settings[0x6] == 64 << 10, "MAX_HEADER_LIST_SIZE"
    # The peer's 4 MiB and 16 MiB are our ceilings: we advertise less at first.
    assert 0 < settings[0x4] <= 4 << 20, "INITIAL_WINDOW_SIZE"
    assert client.h2.outbound_flow_control_window > 65535, "the connection's window was opened"


def test_a_connect_reaches_the_application_and_is_answered_with_baggage(client: HboneClient, mesh: Mesh) -> None:
    stream, answer = client.connect(f"{mesh.server_b.ip}:{APP_PORT}")
    assert answer[":status"] == "200"
    assert answer["baggage"].startswith(
        "k8s.cluster.name=Kubernetes,k8s.namespace.name=mesh,k8s.pod.name=server-b,service.name=server-b"
    )
    client.h2.send_data(stream, REQUEST)
    client.flush()
    assert b"hello from server-b" in client.read_all(stream)


@pytest.mark.parametrize(
    ("authority", "status"),
    [("nonsense", "400"), ("10.9.9.9:8080", "400"), ("{ip}:1", "503"), ("{ip}:15006", "503"), ("{ip}:15008", "503")],
)
def test_a_connect_that_cannot_be_is_refused_with_its_status(
    client: HboneClient, mesh: Mesh, authority: str, status: str
) -> None:
    _, answer = client.connect(authority.format(ip=mesh.server_b.ip))
    assert answer[":status"] == status
    assert "baggage" not in answer


def test_anything_but_connect_is_a_bad_request(client: HboneClient) -> None:
    stream = client.request(
        [(":method", "GET"), (":scheme", "https"), (":authority", "x"), (":path", "/")], end_stream=True
    )
    assert client.answer(stream)[":status"] == "400"


def test_a_megabyte_flows_through_windows_that_are_smaller(client: HboneClient, mesh: Mesh) -> None:
    with TcpServer(mesh.server_b.listen(ECHO_PORT)):
        stream, answer = client.connect(f"{mesh.server_b.ip}:{ECHO_PORT}")
        assert answer[":status"] == "200"
        sent = bytes(range(256)) * 4096
        left = sent
        while left:
            window = min(client.h2.local_flow_control_window(stream), client.h2.max_outbound_frame_size, len(left))
            if window == 0:
                client.pump(lambda e: isinstance(e, h2.events.WindowUpdated))
                continue
            client.h2.send_data(stream, left[:window])
            left = left[window:]
            client.flush()
        client.h2.end_stream(stream)
        client.flush()
        assert client.read_all(stream) == sent


def test_a_ping_is_answered(client: HboneClient) -> None:
    client.h2.ping(b"aquifer!")
    client.flush()
    event = client.pump(lambda e: isinstance(e, h2.events.PingAckReceived))
    assert isinstance(event, h2.events.PingAckReceived)
    assert event.ping_data == b"aquifer!"


def test_a_reset_of_one_stream_leaves_its_neighbour_alone(client: HboneClient, mesh: Mesh) -> None:
    kept, _ = client.connect(f"{mesh.server_b.ip}:{APP_PORT}")
    thrown, _ = client.connect(f"{mesh.server_b.ip}:{APP_PORT}")
    client.h2.reset_stream(thrown, h2.errors.ErrorCodes.CANCEL)
    client.h2.send_data(kept, REQUEST)
    client.flush()
    assert b"hello from server-b" in client.read_all(kept)


# --- a foreign server ------------------------------------------------------------------------------


def test_our_client_sends_the_headers_and_settings_that_the_peer_expects(
    mesh: Mesh, mint: Mint, foreign: Pod
) -> None:
    server = HboneServer(foreign.listen(HBONE_PORT), _identity(mint, "foreign").server_context())
    try:
        with mesh.client.connect(foreign.ip, FOREIGN_PORT) as stream:
            source = "{}:{}".format(*stream.getsockname()[:2]).removeprefix("::ffff:")
            stream.sendall(b"echo me")
            stream.shutdown(socket.SHUT_WR)
            assert read_all(stream) == b"echo me"
        seen = server.tunnels[0]
        assert seen.settings[0x2] == 0, "ENABLE_PUSH"
        assert seen.settings[0x5] == 1 << 20, "MAX_FRAME_SIZE"
        assert seen.settings[0x6] == 16 << 10, "MAX_HEADER_LIST_SIZE"
        assert 0 < seen.settings[0x4] <= 4 << 20, "INITIAL_WINDOW_SIZE"
        assert seen.connection_window > 0
        names = [name for name, _ in seen.requests[0]]
        assert names == [":method", ":authority", "baggage", "forwarded", "traceparent"]
        values = dict(seen.requests[0])
        assert values[":method"] == "CONNECT"
        assert values[":authority"] == f"{foreign.ip}:{FOREIGN_PORT}"
        assert values["baggage"].startswith(
            "k8s.cluster.name=Kubernetes,k8s.namespace.name=mesh,k8s.pod.name=client,service.name=client"
        )
        assert values["forwarded"] == f'for="{source}"'
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", values["traceparent"])
    finally:
        server.close()


def test_an_answer_other_than_200_ends_the_applications_connection(mesh: Mesh, mint: Mint, foreign: Pod) -> None:
    server = HboneServer(foreign.listen(HBONE_PORT), _identity(mint, "foreign").server_context(), status="401")
    mark = mesh.proxy_of(mesh.client).log_mark()
    try:
        with pytest.raises(OSError), mesh.client.connect(foreign.ip, FOREIGN_PORT) as stream:
            stream.sendall(b"x")
            assert not read_all(stream)
            raise ConnectionError("ended without a word")
        line = mesh.proxy_of(mesh.client).wait_access(mark, direction="outbound", src_workload="client")
        assert line["error"] == "http status: 401 Unauthorized"
    finally:
        server.close()


def test_a_clients_first_bytes_come_with_the_connect_up_to_a_bound(mesh: Mesh, mint: Mint, foreign: Pod) -> None:
    """A server that waits for them before it answers would wait for ever if they waited for its answer."""
    context = _identity(mint, "foreign").server_context()
    server = HboneServer(foreign.listen(HBONE_PORT), context, answer_after=EARLY_BYTES_MAX)
    try:
        with mesh.client.connect(foreign.ip, FOREIGN_PORT) as stream:
            sent = bytes(range(256)) * 1024
            stream.sendall(sent)
            stream.shutdown(socket.SHUT_WR)
            assert read_all(stream) == sent
        (early,) = server.tunnels[0].early.values()
        assert early == sent[:EARLY_BYTES_MAX]
    finally:
        server.close()


def test_first_bytes_to_who_refuses_the_connection_change_nothing(mesh: Mesh, mint: Mint, foreign: Pod) -> None:
    context = _identity(mint, "foreign").server_context()
    server = HboneServer(foreign.listen(HBONE_PORT), context, status="503", answer_after=5)
    mark = mesh.proxy_of(mesh.client).log_mark()
    try:
        with pytest.raises(OSError), mesh.client.connect(foreign.ip, FOREIGN_PORT) as stream:
            stream.sendall(b"hello")
            assert not read_all(stream)
            raise ConnectionError("ended without a word")
        line = mesh.proxy_of(mesh.client).wait_access(mark, direction="outbound", src_workload="client")
        assert line["error"] == "http status: 503 Service Unavailable"
        assert line["bytes_sent"] == "0"
        assert list(server.tunnels[0].early.values()) == [b"hello"]
    finally:
        server.close()


def test_first_bytes_that_find_the_tunnels_window_shut_leave_when_it_opens(
    mesh: Mesh, mint: Mint, foreign: Pod
) -> None:
    """Also from a client that says nothing more: it waits for an answer to them."""
    context = _identity(mint, "foreign").server_context()
    server = HboneServer(foreign.listen(HBONE_PORT), context, credit_with_answer=True)
    try:
        with mesh.client.connect(foreign.ip, FOREIGN_PORT) as first:
            # In pieces, each read for itself: of what bulk may use of the window some is kept for others.
            sent = 0
            while sent < FIRST_WINDOW:
                piece = min(8000, FIRST_WINDOW - sent)
                first.sendall(b"x" * piece)
                sent += piece
                wait_until("the piece to arrive", lambda count=sent: server.tunnels and server.tunnels[0].received == count)
            with mesh.client.connect(foreign.ip, FOREIGN_PORT) as second:
                second.sendall(b"echo me")
                second.settimeout(30)
                assert second.recv(100) == b"echo me"
        assert len(server.tunnels) == 1
        assert len(server.tunnels[0].requests) == 2
    finally:
        server.close()


def test_turned_off_first_bytes_wait_in_the_clients_socket_for_the_answer(
    mesh: Mesh, mint: Mint, foreign: Pod
) -> None:
    """This server never answers, for it waits for them."""
    mesh.proxy_of(mesh.client).stop()
    mesh.lab.start_ztunnel(mesh.client.node, backend=mesh.backend, env={**mesh.env, "AQUIFER_EARLY_DATA": "off"})
    server = HboneServer(foreign.listen(HBONE_PORT), _identity(mint, "foreign").server_context(), answer_after=7)

    def unread() -> list[str]:
        lines = mesh.client.run(["ss", "-Htn", "sport", "=", ":15001"]).stdout.splitlines()
        return [line.split()[1] for line in lines]

    try:
        with mesh.client.connect(foreign.ip, FOREIGN_PORT) as stream:
            stream.sendall(b"echo me")
            wait_until("the request to be there", lambda: server.tunnels and server.tunnels[0].requests)
            wait_until("the words to be where they stay", lambda: unread() == ["7"])
            assert list(server.tunnels[0].early.values()) == [b""]
    finally:
        server.close()
        mesh.restart(mesh.client.node)


# --- Envoy -----------------------------------------------------------------------------------------


def test_envoy_serves_the_tunnels_of_our_client(mesh: Mesh, mint: Mint, foreign: Pod) -> None:
    with TcpServer(foreign.listen(FOREIGN_PORT)):
        config = hbone_server(_identity(mint, "foreign"), {f"{foreign.ip}:{FOREIGN_PORT}": FOREIGN_PORT})
        envoy = start_envoy(mesh.lab, foreign, config, "envoy-server", HBONE_PORT)
        try:
            with mesh.client.connect(foreign.ip, FOREIGN_PORT) as stream:
                sent = b"through envoy " * 20000
                stream.sendall(sent)
                stream.shutdown(socket.SHUT_WR)
                assert read_all(stream) == sent
        finally:
            envoy.stop()


def test_envoy_opens_tunnels_to_our_server(mesh: Mesh, mint: Mint) -> None:
    config = hbone_client(mint.leaf(PEER_ID), mesh.server_b.ip, {FOREIGN_PORT: APP_PORT})
    envoy = start_envoy(mesh.lab, mesh.outside, config, "envoy-client", FOREIGN_PORT)
    try:
        for _ in range(3):
            with mesh.outside.connect(mesh.outside.ip, FOREIGN_PORT) as stream:
                stream.sendall(REQUEST)
                assert b"hello from server-b" in read_all(stream)
        mark = 0
        line = mesh.proxy_of(mesh.server_b).wait_access(mark, direction="inbound", src_identity=PEER_ID)
        assert line["dst.workload"] == "server-b"
    finally:
        envoy.stop()


def _identity(mint: Mint, name: str) -> PeerCert:
    return mint.leaf(f"spiffe://cluster.local/ns/mesh/sa/{name}")
