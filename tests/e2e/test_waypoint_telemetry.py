"""What a waypoint tells: a line for each request, metrics under Istio's names, and pages of what goes on."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.helpers import Mesh, TcpServer
from tests.e2e.waypoint_world import ASGI_PORT, H2C, HTTP, RAW, RAW_PORT, REDIS, World, fields_of, waypoint_world
from tests.lab import wait_until
from tests.lab.mesh import ServicePort
from tests.lab.requestlog import RequestLine, parse_request_log, wait_request
from tests.lab.ztunnel import program

APP_HOST = "app.mesh.svc.cluster.local"
CLIENT = "spiffe://cluster.local/ns/mesh/sa/client"
APP_LABELS = {
    "reporter": "waypoint",
    "source_workload": "client",
    "source_workload_namespace": "mesh",
    "source_principal": CLIENT,
    "destination_workload": "app",
    "destination_principal": "spiffe://cluster.local/ns/mesh/sa/app",
    "destination_service": APP_HOST,
    "destination_service_name": "app",
    "destination_service_namespace": "mesh",
    "connection_security_policy": "mutual_tls",
}
SILENT_PORT = 9600


@pytest.fixture(scope="module")
def world(mesh: Mesh) -> Iterator[World]:
    with waypoint_world(mesh, {"LOG_FORMAT": "json"}) as world:
        yield world


def total(world: World, name: str, **labels: str) -> float:
    return world.waypoint.metrics().total(name, **labels)


def test_a_request_has_its_line_and_counts_under_istios_labels(world: World) -> None:
    labels = {**APP_LABELS, "request_protocol": "http", "response_code": "200", "response_flags": "-"}
    before = total(world, "istio_requests_total", **labels)
    mark = world.waypoint.log_mark()
    seen = world.tell("/told?a=1", "-d", "12345", "-A", "teller/1.0")
    line = wait_request(world.waypoint, mark, path="/told?a=1")
    assert line["method"] == "POST"
    assert line["protocol"] == "HTTP/1.1"
    assert (line["response_code"], line["response_flags"]) == (200, "-")
    assert line["response_code_details"] == "via_upstream"
    assert line["bytes_received"] == 5
    assert line["bytes_sent"] > 100
    assert line["duration"] >= line["upstream_service_time"] >= 0
    assert line["user_agent"] == "teller/1.0"
    assert line["request_id"] == fields_of(seen)["x-request-id"]
    assert line["upstream_host"] == f"{world.app.ip}:{ASGI_PORT}"
    assert line["upstream_cluster"].startswith("inbound-vip|80|")
    assert line["upstream_cluster"].endswith(APP_HOST)
    assert line["downstream_local_address"] == f"{world.vips['app']}:{HTTP}"
    assert line["downstream_remote_address"].startswith(f"{world.mesh.client.ip}:")
    assert line["downstream_peer_identity"] == CLIENT
    for _ in range(3):
        world.tell("/told?a=1")
    assert total(world, "istio_requests_total", **labels) == before + 4
    assert total(world, "istio_request_duration_milliseconds_count", **labels) == before + 4
    assert total(world, "istio_request_duration_milliseconds_bucket", le="+Inf", **labels) == before + 4
    assert total(world, "istio_request_bytes_sum", **labels) >= 5
    assert total(world, "istio_response_bytes_sum", **labels) > 400


def test_the_text_form_is_read_as_envoys(world: World) -> None:
    """The parser that the tests read text lines with, on a line of Istio's documentation."""
    [line] = parse_request_log(
        '[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 4 4 "-" '
        '"curl/7.73.0-DEV" "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "127.0.0.1:80" inbound|8000|| '
        "127.0.0.1:41854 10.44.1.27:80 10.44.1.23:37652 outbound_.8000_._.httpbin.foo.svc.cluster.local default\n"
    )
    assert (line["method"], line["path"], line["response_code"]) == ("GET", "/status/418", 418)
    assert line["route_name"] == "default"


def grpc_frame(payload: bytes) -> bytes:
    return b"\0" + len(payload).to_bytes(4, "big") + payload


def test_messages_of_grpc_are_counted_in_both_directions(world: World) -> None:
    labels = {**APP_LABELS, "request_protocol": "grpc"}
    before = [total(world, f"istio_{way}_messages_total", **labels) for way in ("request", "response")]
    with world.h2(H2C) as client:
        number = client.request("POST", "/echo", ("content-type", "application/grpc"), ("te", "trailers"), end=False)
        client.send(number, grpc_frame(b"one") + grpc_frame(b"")[:2])
        client.send(number, grpc_frame(b"")[2:] + grpc_frame(b"x" * 100_000), end=True)
        status, _, body = client.answer(number)
    assert (status, len(body)) == (200, 100_018)
    assert [total(world, f"istio_{way}_messages_total", **labels) for way in ("request", "response")] == [
        before[0] + 3,
        before[1] + 3,
    ]


def test_a_connection_that_is_passed_through_is_told_when_it_ends_and_counted_before(world: World) -> None:
    labels = {**APP_LABELS, "request_protocol": "tcp"}
    mark = world.waypoint.log_mark()
    with TcpServer(world.app.listen(REDIS)), world.connect(REDIS) as stream:
        stream.sendall(b"x" * 1000)
        received = 0
        while received < 1000:
            received += len(stream.recv(4096))
        wait_until("the bytes to be counted", lambda: total(world, "istio_tcp_received_bytes_total", **labels) >= 1000)
        [flow] = [flow for flow in flows(world) if flow["protocol"] == "tcp"]
        assert (flow["bytesReceived"], flow["bytesSent"], flow["phase"]) == (1000, 1000, "answering")
        assert total(world, "istio_tcp_connections_opened_total", **labels) >= 1
        stream.shutdown(socket.SHUT_WR)
        assert stream.recv(1) == b""
    line = wait_request(world.waypoint, mark, where=lambda line: line["method"] is None)
    assert (line["response_code"], line["response_flags"]) == (0, "-")
    assert (line["bytes_received"], line["bytes_sent"]) == (1000, 1000)
    assert line["downstream_local_address"] == f"{world.vips['app']}:{REDIS}"
    assert total(world, "istio_tcp_sent_bytes_total", **labels) >= 1000
    wait_until("its end to be counted", lambda: total(world, "istio_tcp_connections_closed_total", **labels) >= 1)


def route(path: str, host: str, **more: Any) -> dict[str, Any]:
    return {"match": [{"uri": {"prefix": path}}], "route": [{"destination": {"host": host, "port": {"number": 80}}}], **more}


@pytest.fixture
def failing_routes(world: World) -> Iterator[None]:
    """Paths of service server-a that end in each of the ways in which a request can."""
    manifests = world.mesh.lab.mesh
    manifests.service("mesh", "empty", selector={"app": "nobody"}, ports=[ServicePort(80, 8080, "http")])
    manifests.service("mesh", "closed", selector={"app": "server-b"}, ports=[ServicePort(80, 9, "http")])
    manifests.service("mesh", "silent", selector={"app": "app"}, ports=[ServicePort(80, SILENT_PORT, "http")])
    abort = {"abort": {"httpStatus": 418, "percentage": {"value": 100}}}
    spec = {
        "hosts": ["server-a"],
        "http": [
            route("/empty", "empty"),
            route("/closed", "closed"),
            route("/silent", "silent", timeout="0.3s"),
            route("/fault", "server-a", fault=abort),
            route("/fine", "server-a"),
        ],
    }
    metadata = {"name": "failing", "namespace": "mesh"}
    manifests.apply(
        {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec}
    )
    target = {"group": "", "kind": "Service", "name": "server-a"}
    rules = [{"to": [{"operation": {"paths": ["/fine/secret"]}}]}]
    manifests.apply(
        {
            "apiVersion": "security.istio.io/v1",
            "kind": "AuthorizationPolicy",
            "metadata": {"name": "no-secrets", "namespace": "mesh"},
            "spec": {"targetRefs": [target], "action": "DENY", "rules": rules},
        }
    )
    stop = threading.Event()

    def say_nothing(stream: socket.socket) -> None:
        stop.wait(30)

    wait_until("the routes to be in force", lambda: world.status("/fault", service="server-a") == 418)
    wait_until("the policy to be in force", lambda: world.status("/fine/secret", service="server-a") == 403)
    with TcpServer(world.app.listen(SILENT_PORT), say_nothing):
        yield
        stop.set()
    manifests.delete("VirtualService", "mesh", "failing")
    manifests.delete("AuthorizationPolicy", "mesh", "no-secrets")


def test_every_way_to_fail_has_its_flag_in_the_log_and_in_the_metrics(world: World, failing_routes: None) -> None:
    mark = world.waypoint.log_mark()
    cases = {
        "/empty": (503, "UH", "no_healthy_upstream"),
        "/closed": (503, "UF", "upstream_reset_before_response_started"),
        "/silent": (504, "UT", "response_timeout"),
        "/fault": (418, "FI", "fault_filter_abort"),
        "/unknown": (404, "NR", "route_not_found"),
        "/fine/secret": (403, "-", "rbac_access_denied"),
        "/fine/x": (200, "-", "via_upstream"),
    }
    for path, (status, flag, details) in cases.items():
        assert world.status(path, service="server-a") == status, path
        line: RequestLine = wait_request(world.waypoint, mark, path=path)
        assert line["response_code"] == status, line
        # A connection that was tried again in vain says so, too.
        assert line["response_flags"].split(",")[0] == flag, line
        assert line["response_code_details"].startswith(details), line
        flags = line["response_flags"]
        assert total(world, "istio_requests_total", response_code=str(status), response_flags=flags) >= 1, path
    refused = wait_request(world.waypoint, mark, path="/fine/secret")
    assert "mesh/no-secrets" in refused["policy_refusal"]
    assert wait_request(world.waypoint, mark, path="/closed")["upstream_transport_failure_reason"]
    # Nothing was reached, and the service is known all the same.
    assert total(world, "istio_requests_total", response_flags="NR", destination_workload="unknown",
                 destination_service="server-a.mesh.svc.cluster.local") >= 1  # fmt: skip
    status, body = world.waypoint.get("/refusals")
    assert status == 200
    [refusal] = [seen for seen in json.loads(body)["refusals"] if seen.get("path") == "/fine/secret"][-1:]
    assert refusal["event"] == "refused"
    assert refusal["source"]["identity"] == CLIENT
    assert "mesh/no-secrets" in refusal["reason"]


def flows(world: World) -> list[dict[str, Any]]:
    status, body = world.waypoint.get("/flows")
    assert status == 200
    listed: list[dict[str, Any]] = json.loads(body)["flows"]
    return listed


def command(world: World, *arguments: str) -> str:
    return str(world.pod.run([str(program("waypoint")), "flows", *arguments]).stdout)


def test_a_request_under_way_is_seen_and_followed_to_its_end(world: World) -> None:
    answer = threading.Event()

    def serve(stream: socket.socket) -> None:
        while stream.recv(1 << 16):
            assert answer.wait(30)
            stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    watch = [str(program("waypoint")), "flows", "--follow", "--json"]
    follower = world.mesh.lab.spawn("follower", world.pod, watch)
    try:
        with TcpServer(world.app.listen(RAW_PORT), serve), world.connect(RAW) as stream:
            stream.sendall(b"GET /held?x=1 HTTP/1.1\r\nHost: app.mesh\r\n\r\n")
            held = wait_until("the request to wait for its answer", lambda: next(
                (flow for flow in flows(world) if flow.get("path") == "/held?x=1" and flow["phase"] == "waiting"), None))  # fmt: skip
            assert held is not None
            assert (held["method"], held["authority"], held["service"]) == ("GET", "app.mesh", APP_HOST)
            assert held["source"]["identity"] == CLIENT
            assert held["source"]["workload"] == "client"
            assert held["destination"]["address"] == f"{world.app.ip}:{RAW_PORT}"
            assert held["destination"]["workload"] == "app"
            table = command(world)
            [row] = [line for line in table.splitlines() if "/held?x=1" in line]
            assert "waiting" in row
            assert "cluster.local/ns/mesh/sa/client" in row

            # The follower may come after any one request: until it has seen one of them.
            def followed() -> bool:
                world.status("/quick")
                return "/quick" in follower.stdout()

            wait_until("the follower to see requests end", followed)
            answer.set()
            assert stream.recv(1 << 16).startswith(b"HTTP/1.1 200")
        wait_until("the follower to see it end", lambda: "/held?x=1" in follower.stdout())
        [event] = [json.loads(line) for line in follower.stdout().splitlines() if "/held?x=1" in line]
        assert (event["event"], event["status"], event["bytesSent"]) == ("answered", 200, 2)
        assert not [flow for flow in flows(world) if flow.get("path") == "/held?x=1"]
    finally:
        follower.stop()


def test_the_dump_says_what_the_waypoint_does(world: World) -> None:
    world.set_routes("dumped", "app", [
        {"matches": [{"path": {"type": "PathPrefix", "value": "/dumped"}}],
         "backendRefs": [{"name": "app", "port": HTTP, "weight": 90}, {"name": "server-a", "port": 80, "weight": 10}]},
    ], port=HTTP)  # fmt: skip
    try:
        wait_until("the route to be in force", lambda: any(route["match"].get("path") for route in routes_of(dump(world))))
        told = dump(world)
        assert told["gateway"]["name"] == "infra/waypoint"
        assert told["gateway"]["identity"] == "spiffe://cluster.local/ns/infra/sa/waypoint"
        [shares] = [route["forward"]["clusters"] for route in routes_of(told) if route["match"].get("path")]
        assert [share["weight"] for share in shares] == [90, 10]
        world.status("/dumped")
        clusters = {cluster["key"]: cluster for cluster in dump(world)["clusters"]}
        cluster = clusters[f"mesh/{APP_HOST}:{HTTP}"]
        assert cluster["inUse"]
        [endpoint] = cluster["endpoints"]
        assert (endpoint["address"], endpoint["ready"], endpoint["ejected"]) == (f"{world.app.ip}:{ASGI_PORT}", True, False)
        states = {one["identity"]: one["state"] for one in told["certificates"]}
        assert states["spiffe://cluster.local/ns/infra/sa/waypoint"] == "Available"
        text = world.waypoint.get("/clusters")[1]
        assert f"{world.app.ip}:{ASGI_PORT}::health_flags::healthy" in text
        index = world.waypoint.get("/")[1]
        assert all(page in index for page in ("/flows", "/refusals", "/config_dump", "/clusters"))
    finally:
        world.delete_routes("dumped")


def dump(world: World) -> dict[str, Any]:
    status, body = world.waypoint.get("/config_dump")
    assert status == 200
    told: dict[str, Any] = json.loads(body)
    return told


def routes_of(told: dict[str, Any]) -> list[dict[str, Any]]:
    [chain] = [chain for chain in told["chains"] if chain["service"] == f"mesh/{APP_HOST}" and chain["port"] == HTTP]
    routes: list[dict[str, Any]] = chain["routes"]
    return routes


@pytest.mark.parametrize(
    ("bytes_sent", "status", "details", "why"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "http1.codec_error", "Host"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431, "http1.headers_too_large", ""),
        (b"these are no words of HTTP\r\n\r\n", 400, "http1.codec_error", ""),
    ],
    ids=["two hosts", "a head too large", "no HTTP"],
)
def test_a_request_that_could_not_be_read_has_its_line_and_counts(
    world: World, bytes_sent: bytes, status: int, details: str, why: str
) -> None:
    labels = {"response_code": str(status), "response_flags": "DPE", "source_workload": "client"}
    before = total(world, "istio_requests_total", **labels)
    mark = world.waypoint.log_mark()
    with world.connect() as stream:
        stream.sendall(bytes_sent)
        assert stream.recv(1000).startswith(b"HTTP/1.1 %d " % status)
    line = wait_request(world.waypoint, mark, where=lambda line: line["response_code"] == status)
    assert (line["response_flags"], line["response_code_details"]) == ("DPE", details)
    assert (line["method"], line["path"]) == (None, None)
    assert line["downstream_peer_identity"] == CLIENT
    assert why in line["connection_termination_details"]
    wait_until("the request to be counted", lambda: total(world, "istio_requests_total", **labels) == before + 1)


def test_the_waypoint_counts_what_is_its_own(world: World) -> None:
    metrics = world.waypoint.metrics()
    workers = {sample.labels["worker"] for sample in metrics.select("aquifer_waypoint_exchanges")}
    assert metrics.total("aquifer_worker_cpu_seconds_total") > 0
    assert len(workers) == len(metrics.select("aquifer_waypoint_exchanges")) >= 1
    assert metrics.total("aquifer_waypoint_upstream_connections") >= 1
    for name in ("requests_moved_total", "retries_total", "circuit_overflows_total"):
        assert metrics.select(f"aquifer_waypoint_{name}"), name
    assert metrics.total("aquifer_config_loads_total") >= 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--admin", "http://127.0.0.1:1"], "waypoint: no waypoint answers at http://127.0.0.1:1: Connection refused"),
        (["--event", "odd"], "waypoint: --event odd: write answered, failed or refused"),
        (["--event", "failed"], "waypoint: --event failed is known only when it happens: add --follow"),
        (["--service", "a b"], "waypoint: --service a b: write its host name"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(world: World, arguments: list[str], complaint: str) -> None:
    done = world.pod.run([str(program("waypoint")), "flows", *arguments], check=False)
    assert done.returncode != 0
    assert done.stderr.startswith(complaint)
    assert done.stderr.count("\n") == 1
