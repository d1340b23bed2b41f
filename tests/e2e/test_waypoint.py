"""Real clients and servers with the waypoint between them: HTTP/1.1 and HTTP/2, WebSockets, and what is not HTTP."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import h2.events
import h2.settings
import pytest
import websockets.sync.client
import wsproto.connection
import wsproto.events
from websockets.exceptions import ConnectionClosed

from tests.e2e.asgi_app import BLOCK
from tests.e2e.helpers import Mesh, TcpServer, is_sanitized, read_all, read_exactly
from tests.e2e.waypoint_world import (
    GRPC, GRPC_PORT, H2C, HTTP, MAIL, MAIL_PORT, NGINX_H2C, NGINX_H2C_PORT, REDIS, TLS, TLS_PORT, Answer, H2Client, World, fields_of,
    read_answer, waypoint_world,
)  # fmt: skip
from tests.lab import wait_until
from tests.lab.apps import wait_for_port

LARGE_BYTES = 64 << 20
# The most that one stalled stream may make the waypoint hold: its pipes and windows, and slack for what the
# allocator keeps.
STALLED_BYTES_MAX = 12 << 20
BANNER = b"220 mail.test ESMTP\r\n"


@pytest.fixture(scope="module")
def world(mesh: Mesh) -> Iterator[World]:
    with waypoint_world(mesh) as world:
        yield world


def exchange(world: World, request: bytes, *methods: str, port: int = HTTP) -> list[Answer]:
    """Sends bytes, and reads one answer for each method."""
    with world.connect(port) as stream, stream.makefile("rb") as reader:
        stream.sendall(request)
        return [read_answer(reader, method=method) for method in methods]


def get(path: str, *lines: str, version: str = "1.1", method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: app.test", *lines, "", ""]).encode()


# --- HTTP/1.1 --------------------------------------------------------------------------------------


def test_a_request_passes_the_waypoint_and_is_answered(world: World) -> None:
    seen = world.tell("/a%2Fb?c=d&e", "-H", "X-One: 1")
    fields = fields_of(seen)
    assert (seen["method"], seen["path"], seen["query"]) == ("GET", "/a%2Fb", "c=d&e")
    assert (fields["x-one"], fields["host"]) == ("1", world.vips["app"])
    assert fields["x-request-id"]


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.parametrize("how", ["plain", "chunked"])
def test_large_bodies_arrive_whole_both_ways(world: World, version: str, how: str) -> None:
    source, target = world.mesh.lab.work_dir / "sent", world.mesh.lab.work_dir / "received"
    if not source.exists():
        source.write_bytes(secrets.token_bytes(1 << 20) * (LARGE_BYTES >> 20))
    expected = hashlib.sha256(source.read_bytes()).hexdigest()
    options = ["-H", "Transfer-Encoding: chunked"] if how == "chunked" and version == "--http1.1" else []
    name = secrets.token_hex(4)
    world.curl(f"/put/{name}", "-T", str(source), version, *options, service="server-b")
    assert hashlib.sha256((world.mesh.http_b.files / name).read_bytes()).hexdigest() == expected
    world.curl(f"/files/{name}", version, "-o", str(target), service="server-b")
    assert hashlib.sha256(target.read_bytes()).hexdigest() == expected
    (world.mesh.http_b.files / name).unlink()


@pytest.mark.parametrize("size", [0, 1, 16_384, 100_000])
def test_a_body_of_chunks_is_passed_as_it_is(world: World, size: int) -> None:
    body = secrets.token_bytes(size)
    chunks = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in split(body, 4_000)) + b"0\r\n\r\n"
    answers = exchange(world, get("/digest", "Transfer-Encoding: chunked", method="POST") + chunks, "POST")
    assert answers[0].body.decode() == f"{size} {hashlib.sha256(body).hexdigest()}"


def split(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def test_head_has_a_length_and_no_body_and_the_connection_goes_on(world: World) -> None:
    head, after = exchange(world, get("/tell", method="HEAD") + get("/tell"), "HEAD", "GET")
    assert head.status == 200 and int(head.fields["content-length"]) > 0 and head.body == b""
    assert after.status == 200 and len(after.body) > 0


def test_a_client_that_expects_100_continue_is_told_to_go_on(world: World) -> None:
    with world.connect() as stream, stream.makefile("rb") as reader:
        stream.sendall(get("/digest", "Expect: 100-continue", "Content-Length: 5", method="POST"))
        assert read_answer(reader).status == 100
        stream.sendall(b"hello")
        assert read_answer(reader, method="POST").body.startswith(b"5 ")


def test_a_client_whose_expectation_is_in_vain_is_answered_at_once(world: World) -> None:
    """No backend, so no 100: the body must not be asked for."""
    world.set_routes("nowhere", "app", [{"matches": [{"path": {"type": "PathPrefix", "value": "/nowhere"}}],
                                         "backendRefs": [{"name": "missing", "port": 80}]},
                                        {"backendRefs": [{"name": "app", "port": HTTP}]}], port=HTTP)  # fmt: skip
    try:
        wait_until("the route", lambda: world.status("/nowhere") == 500)
        with world.connect() as stream, stream.makefile("rb") as reader:
            stream.sendall(get("/nowhere", "Expect: 100-continue", "Content-Length: 5", method="POST"))
            answer = read_answer(reader)
            assert answer.status == 500 and answer.fields["connection"] == "close"
            assert reader.read() == b""
    finally:
        world.delete_routes("nowhere")


def test_one_connection_serves_many_requests_also_when_they_come_at_once(world: World) -> None:
    bodies = [b"x" * size for size in (1, 10, 30_000)]
    posts = [get("/digest", f"Content-Length: {len(body)}", method="POST") + body for body in bodies]
    answers = exchange(world, b"".join([*posts, get("/status/404"), get("/tell")]), *["POST"] * 3, "GET", "GET")
    assert [answer.status for answer in answers] == [200, 200, 200, 404, 200]
    assert [int(answer.body.split()[0]) for answer in answers[:3]] == [1, 10, 30_000]


def test_connection_close_is_honoured(world: World) -> None:
    with world.connect() as stream:
        stream.sendall(get("/tell", "Connection: close"))
        text = read_all(stream)
    assert text.startswith(b"HTTP/1.1 200 OK\r\n") and b"connection: close\r\n" in text.lower()


def test_http_1_0_ends_with_its_connection_unless_it_asks_to_go_on(world: World) -> None:
    with world.connect() as stream:
        stream.sendall(get("/download?blocks=3", version="1.0"))
        text = read_all(stream)
    head, _, body = text.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower() and body == BLOCK * 3
    lines = get("/tell", "Connection: keep-alive", version="1.0")
    first, second = exchange(world, lines + lines, "GET", "GET")
    assert first.fields["connection"] == "keep-alive" and second.status == 200


def test_the_absolute_form_names_the_host(world: World) -> None:
    request = b"GET http://other.test:8080/x?y HTTP/1.1\r\nHost: app.test\r\n\r\n"
    answer = exchange(world, request, "GET")[0]
    assert b'["host", "other.test:8080"]' in answer.body and b'"path": "/x"' in answer.body


def test_what_belongs_to_one_hop_stays_there(world: World) -> None:
    lines = ["Connection: keep-alive, X-Secret", "X-Secret: 1", "Keep-Alive: timeout=5", "TE: trailers", "X-Kept: 2"]
    answer = exchange(world, get("/tell", *lines), "GET")[0]
    seen = answer.body.decode()
    assert "x-secret" not in seen and "keep-alive" not in seen and "x-kept" in seen
    assert '["te", "trailers"]' in seen


def test_an_upgrade_to_h2c_is_answered_in_http_1_1(world: World) -> None:
    text = world.curl("/tell", "--http2", "-i")
    assert text.startswith("HTTP/1.1 200")


# --- HTTP/2 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [HTTP, H2C], ids=["to HTTP/1.1", "to h2c"])
def test_http_2_with_prior_knowledge(world: World, port: int) -> None:
    seen = world.tell("/tell?x=1", "--http2-prior-knowledge", "-d", "hello", port=port)
    assert seen["version"] == ("2" if port == H2C else "1.1")
    assert (seen["method"], seen["body"], seen["query"]) == ("POST", "hello", "x=1")


def test_http_1_1_reaches_a_server_of_http_2(world: World) -> None:
    seen = world.tell("/tell", "-d", "hello", port=H2C)
    assert seen["version"] == "2" and seen["body"] == "hello"


def test_nghttp_and_nginx_over_h2c(world: World) -> None:
    serve_nginx_h2c(world)
    url = world.url("/files/page", port=NGINX_H2C)
    done = world.mesh.client.run(["nghttp", "-n", "-s", "-m", "20", url])
    assert done.stdout.count(" 200 ") == 20, done.stdout + done.stderr


def serve_nginx_h2c(world: World) -> None:
    folder = world.mesh.lab.work_dir / "nginx-h2c"
    if folder.exists():
        return
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "page").write_bytes(b"p" * 10_000)
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; user root; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;"
        f"events {{}} http {{ access_log off; {temporary}"
        f"server {{ listen {NGINX_H2C_PORT} http2; location /files/ {{ alias {folder}/files/; }} }} }}"
    )
    process = world.mesh.lab.spawn("nginx-h2c", world.app, ["/usr/sbin/nginx", "-c", str(config), "-e", f"{folder}/error.log"])
    wait_for_port(world.app, NGINX_H2C_PORT, process)


def test_the_streams_of_one_connection_use_all_workers(world: World) -> None:
    before = worker_ticks(world.waypoint.pid)
    count = 12_000
    url = world.url("/", service="server-b")
    done = world.mesh.client.run(["h2load", "-n", str(count), "-c", "1", "-m", "100", url], timeout=90)
    assert f"{count} succeeded, 0 failed, 0 errored" in done.stdout, done.stdout
    spent = [after - at_first for after, at_first in zip(worker_ticks(world.waypoint.pid), before, strict=True)]
    assert len(spent) == 2, spent
    # The one that holds the tunnel has more to do; the other takes a real share.
    assert min(spent) > sum(spent) * 0.15, spent


def worker_ticks(pid: int) -> list[int]:
    """CPU time of each worker thread so far."""
    ticks = []
    for task in sorted(Path(f"/proc/{pid}/task").iterdir()):
        if (task / "comm").read_text().startswith("worker-"):
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            ticks.append(int(fields[11]) + int(fields[12]))
    return ticks


@pytest.mark.parametrize("port", [HTTP, H2C], ids=["to HTTP/1.1", "to h2c"])
def test_both_directions_of_a_stream_flow_at_once(world: World, port: int) -> None:
    """Each piece comes back before the next is sent: nobody waits for the end of the request."""
    with world.h2(port) as client:
        number = client.request("POST", "/echo", end=False)
        sent = b""
        for size in (1, 1_000, 50_000, 200_000):
            piece = secrets.token_bytes(size)
            client.send(number, piece)
            sent += piece
            while len(client.body(number)) < len(sent):
                client.pump()
        client.h2.end_stream(number)
        client.flush()
        status, _, body = client.answer(number)
        assert status == 200 and body == sent


@pytest.mark.parametrize("port", [HTTP, H2C], ids=["to HTTP/1.1", "to h2c"])
def test_a_client_that_does_not_read_one_stream_does_not_delay_the_others(world: World, port: int) -> None:
    before = world.waypoint.rss_anon_bytes()
    with world.h2(port) as client:
        slow = client.h2.get_next_available_stream_id()
        client.stalled.add(slow)
        client.request("GET", "/download?blocks=800")
        for _ in range(3):
            quick = client.request("GET", "/download?blocks=50")
            status, _, body = client.answer(quick)
            assert status == 200 and len(body) == 50 * len(BLOCK)
        # What of the 50 MiB the client did not take is not in the waypoint either.
        held = world.waypoint.rss_anon_bytes() - before
        assert is_sanitized() or held < STALLED_BYTES_MAX, held
        client.stalled.clear()
        missing = len(client.body(slow))
        client.h2.acknowledge_received_data(0, slow)
        client.h2.increment_flow_control_window(missing, slow)
        client.flush()
        status, _, body = client.answer(slow)
        assert status == 200 and body == BLOCK * 800


def test_trailers_pass_from_http_1_1_to_http_2(world: World) -> None:
    """A server that ends its chunks with a trailer, and a client of HTTP/2 that gets it."""
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n"

    def serve(stream: socket.socket) -> None:
        while b"\r\n\r\n" not in stream.recv(1 << 16):
            pass
        stream.sendall(answer)

    with TcpServer(world.app.listen(9500), serve), world.h2(90) as client:
        status, fields, body = client.answer(client.request("GET", "/"))
        assert (status, body, fields["x-sum"]) == (200, b"hello", "42")


def test_trailers_of_a_request_pass_in_both_versions(world: World) -> None:
    seen: list[bytes] = []

    def serve(stream: socket.socket) -> None:
        text = b""
        while b"\r\n\r\n" not in text.partition(b"\r\n0\r\n")[2]:
            text += stream.recv(1 << 16)
        seen.append(text)
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with TcpServer(world.app.listen(9500), serve):
        chunks = b"5\r\nhello\r\n0\r\nX-Sum: 43\r\n\r\n"
        with world.connect(90) as stream, stream.makefile("rb") as reader:
            stream.sendall(get("/", "Transfer-Encoding: chunked", "TE: trailers", method="POST") + chunks)
            assert read_answer(reader).body == b"ok"
        with world.h2(90) as client:
            number = client.request("POST", "/", end=False)
            client.send(number, b"hello")
            client.h2.send_headers(number, [("x-sum", "44")], end_stream=True)
            client.flush()
            assert client.answer(number)[2] == b"ok"
    assert b"X-Sum: 43\r\n" in seen[0] or b"x-sum: 43\r\n" in seen[0]
    assert b"x-sum: 44\r\n" in seen[1]


def test_a_stream_that_its_client_resets_ends_at_the_server_too(world: World) -> None:
    ended = threading.Event()

    def serve(stream: socket.socket) -> None:
        stream.recv(1 << 16)
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
        try:
            while stream.recv(1 << 16):
                pass
        except OSError:
            pass
        ended.set()

    with TcpServer(world.app.listen(9500), serve), world.h2(90) as client:
        number = client.request("GET", "/")
        client.wait(lambda event: isinstance(event, h2.events.DataReceived))
        client.h2.reset_stream(number)
        client.flush()
        assert ended.wait(20)


# --- gRPC ------------------------------------------------------------------------------------------

# All cases of grpc-go's own client that need no credentials of a cloud provider (compute_engine_*, service_account_*,
# jwt_token_*, per_rpc_*, oauth2_*, google_default_*), which speak TLS to names that only exist there. And without
# pick_first_unary, which grpc-go's own server (1.76) cannot pass with nothing between: it never tells its server ID.
GRPC_CASES = [
    "empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
    "timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response", "status_code_and_message",
    "special_status_message", "custom_metadata", "unimplemented_method", "unimplemented_service",
    "orca_per_rpc", "orca_oob",
]  # fmt: skip
# What grpc's description of these cases asks for.
ORCA_CONFIG = '{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}'


@pytest.fixture(scope="module")
def interop(world: World) -> World:
    if not shutil.which("grpc-interop-client") or not shutil.which("grpc-interop-server"):
        pytest.skip("grpc-go's interop programs could not be built here")
    server = world.mesh.lab.spawn("grpc-interop", world.app, ["grpc-interop-server", "-port", str(GRPC_PORT)])
    wait_for_port(world.app, GRPC_PORT, server)
    return world


@pytest.mark.parametrize("case", GRPC_CASES)
def test_grpc_interop(interop: World, case: str) -> None:
    command = ["grpc-interop-client", "-server_host", interop.vips["app"], "-server_port", str(GRPC), "-test_case", case]
    if case.startswith("orca"):
        command += ["-service_config_json", ORCA_CONFIG]
    done = interop.mesh.client.run(command, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


# --- WebSockets ------------------------------------------------------------------------------------


def test_a_websocket_carries_messages_both_ways_and_its_close_code(world: World) -> None:
    with world.connect() as stream:
        uri = "ws://app.test/ws"
        with websockets.sync.client.connect(uri, sock=stream, subprotocols=["chat"], compression=None, max_size=None) as client:  # type: ignore[list-item]
            assert client.subprotocol == "chat"
            for message in ("hello", secrets.token_bytes(1_000_000), "x" * 70_000):
                client.send(message)
                assert client.recv(timeout=20) == message
            client.send("bye")
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=20)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4001


def test_many_websockets_at_once_on_both_workers(world: World) -> None:
    """More than one loop keeps for itself however little they do: some are served by the other."""
    before = world.waypoint.metrics().total("aquifer_waypoint_requests_moved_total")
    clients = []
    try:
        for _ in range(90):
            stream = world.connect()
            clients.append(websockets.sync.client.connect("ws://app.test/ws", sock=stream, compression=None))
        for turn in range(3):
            for number, client in enumerate(clients):
                client.send(f"{turn} {number}")
            for number, client in enumerate(clients):
                assert client.recv(timeout=20) == f"{turn} {number}"
        moved = world.waypoint.metrics().total("aquifer_waypoint_requests_moved_total") - before
        assert 10 <= moved <= 45
    finally:
        for client in clients:
            client.close()


def test_a_websocket_over_http_2_reaches_a_server_of_http_1_1(world: World) -> None:
    """RFC 8441: an extended CONNECT on one stream of a connection."""
    with world.h2() as client:
        client.wait(lambda event: isinstance(event, h2.events.RemoteSettingsChanged))
        assert client.h2.remote_settings.enable_connect_protocol == 1
        head = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "app.test"),
                (":path", "/ws"), ("sec-websocket-version", "13")]  # fmt: skip
        number = client.h2.get_next_available_stream_id()
        client.h2.send_headers(number, head)
        client.flush()
        answer = client.wait(lambda event: isinstance(event, h2.events.ResponseReceived) and event.stream_id == number)
        assert dict(answer.headers)[b":status"] == b"200", answer
        frames = wsproto.connection.Connection(wsproto.connection.ConnectionType.CLIENT)
        taken = 0
        for text in ("hello", "y" * 100_000):
            client.send(number, frames.send(wsproto.events.TextMessage(text)))
            got = ""
            while len(got) < len(text):
                body = client.body(number)
                frames.receive_data(body[taken:] or b"")
                taken = len(body)
                got += "".join(event.data for event in frames.events() if isinstance(event, wsproto.events.TextMessage))
                if len(got) < len(text):
                    client.pump()
            assert got == text
        client.h2.reset_stream(number)
        client.flush()


def test_a_server_that_does_not_want_to_upgrade_answers_as_usual(world: World) -> None:
    lines = ["Connection: Upgrade", "Upgrade: chess/4"]
    answer = exchange(world, get("/tell", *lines), "GET")[0]
    assert answer.status == 200 and answer.fields["connection"] == "close"


# --- what is not HTTP ------------------------------------------------------------------------------


def test_redis_through_the_waypoint(world: World) -> None:
    command = ["redis-server", "--port", str(REDIS), "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "",
               "--dir", str(world.mesh.lab.work_dir)]  # fmt: skip
    server = world.mesh.lab.spawn("redis", world.app, command)
    wait_for_port(world.app, REDIS, server)
    client = ["redis-cli", "-h", world.vips["app"], "-p", str(REDIS)]
    value = secrets.token_hex(200_000)
    done = world.mesh.client.run([*client, "-x", "set", "key"], input_text=value)
    assert done.stdout.strip() == "OK"
    assert world.mesh.client.run([*client, "get", "key"]).stdout.strip() == value
    # Commands in one line look a little like a request.
    with world.connect(REDIS) as stream:
        stream.sendall(b"SET other value\r\nGET other\r\n")
        assert read_exactly(stream, 16) == b"+OK\r\n$5\r\nvalue\r\n"
    server.stop()


def test_a_server_that_speaks_first_is_heard(world: World) -> None:
    """A port that says nothing of its protocol: silence of the client means that the server begins."""

    def serve(stream: socket.socket) -> None:
        stream.sendall(BANNER)
        assert stream.recv(100) == b"EHLO client.test\r\n"
        stream.sendall(b"250 mail.test\r\n")
        stream.shutdown(socket.SHUT_WR)
        stream.recv(100)

    with TcpServer(world.app.listen(MAIL_PORT), serve), world.connect(MAIL) as stream:
        assert read_exactly(stream, len(BANNER)) == BANNER
        stream.sendall(b"EHLO client.test\r\n")
        assert read_all(stream) == b"250 mail.test\r\n"


@pytest.mark.parametrize("first", [b"SET key value\r\n", b"\x00\x01\x02", b"EHLO client.test\r\n"])
def test_bytes_of_an_unknown_protocol_pass_as_they_are(world: World, first: bytes) -> None:
    with TcpServer(world.app.listen(MAIL_PORT)), world.connect(MAIL) as stream:
        rest = secrets.token_bytes(300_000)
        sender = threading.Thread(target=send_all, args=(stream, first + rest))
        sender.start()
        assert read_all(stream) == first + rest
        sender.join()


def send_all(stream: socket.socket, data: bytes) -> None:
    stream.sendall(data)
    stream.shutdown(socket.SHUT_WR)


def test_tls_passes_without_being_opened(world: World) -> None:
    folder = world.mesh.lab.work_dir
    key, cert = folder / "server.key", folder / "server.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
         "-out", cert, "-subj", "/CN=secret.test", "-addext", "subjectAltName=DNS:secret.test", "-days", "2"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def serve(raw: socket.socket) -> None:
        with context.wrap_socket(raw, server_side=True) as stream:
            stream.sendall(stream.recv(100).upper())

    trusting = ssl.create_default_context(cafile=str(cert))
    with TcpServer(world.app.listen(TLS_PORT), serve), world.connect(TLS) as raw:
        with trusting.wrap_socket(raw, server_hostname="secret.test") as stream:
            stream.sendall(b"hello")
            assert stream.recv(100) == b"HELLO"


# --- its end ---------------------------------------------------------------------------------------


def test_what_is_under_way_at_sigterm_ends_well(world: World) -> None:
    """A stream of HTTP/2 in the middle, and a slow answer of HTTP/1.1: both are finished, and the program ends with 0."""
    with world.h2(H2C) as client, world.connect() as plain, plain.makefile("rb") as reader:
        number = client.request("POST", "/echo", end=False)
        client.send(number, b"first ")
        while client.body(number) != b"first ":
            client.pump()
        slow = f"/slow/{secrets.token_hex(4)}"
        plain.sendall(get(f"{slow}?ms=1500"))
        wait_until("the slow request to be under way", lambda: world.count(slow) == 1)
        ended = world.waypoint
        ended.signal(signal.SIGTERM)
        client.wait(lambda event: isinstance(event, h2.events.ConnectionTerminated))
        client.send(number, b"second", end=True)
        assert client.answer(number)[2] == b"first second"
        late = read_answer(reader)
        assert (late.status, late.body, late.fields["connection"]) == (200, b"late", "close")
        assert ended.wait(20) == 0, ended.log_tail()
    world.start()
    wait_until("the next run to serve", lambda: world.status("/tell") == 200)


def test_a_second_sigterm_ends_it_at_once(world: World) -> None:
    """An operator who asks twice does not want to wait for the stream that stays open."""
    with world.h2(H2C) as client:
        number = client.request("POST", "/echo", end=False)
        client.send(number, b"first")
        while client.body(number) != b"first":
            client.pump()
        ended = world.waypoint
        ended.signal(signal.SIGTERM)
        client.wait(lambda event: isinstance(event, h2.events.ConnectionTerminated))
        assert ended.alive()
        ended.signal(signal.SIGTERM)
        assert ended.wait(20) == 0, ended.log_tail()
        assert "asked to stop again" in ended.log_tail()
    world.start()
    wait_until("the next run to serve", lambda: world.status("/tell") == 200)
