"""Routes on real traffic: what an HTTPRoute asks for happens, changes take effect at once, and no request is lost by one."""

from __future__ import annotations

import json
import secrets
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.helpers import Mesh, TcpServer
from tests.e2e.waypoint_world import HTTP, RAW, RAW_PORT, World, fields_of, waypoint_world
from tests.lab import wait_until

APP = {"name": "app", "port": HTTP}
LOAD_TIMEOUT_S = 60.0
NAME = "under-test"


@pytest.fixture(scope="module")
def world(mesh: Mesh) -> Iterator[World]:
    with waypoint_world(mesh) as world:
        yield world


@contextmanager
def rules(world: World, *listed: dict[str, Any], service: str = "app", port: int | None = HTTP,
          in_force: Callable[[], bool] | None = None) -> Iterator[None]:  # fmt: skip
    """These rules, in force, and gone afterwards. The last one marks its answers, by which it is known to be there."""
    mark = secrets.token_hex(4)
    probe = {
        "matches": [{"path": {"type": "Exact", "value": f"/probe-{mark}"}}],
        "filters": [{"type": "RequestRedirect", "requestRedirect": {"statusCode": 301, "hostname": "probe.test"}}],
    }
    world.set_routes(NAME, service, [*listed, probe], port=port)
    try:
        wait_until("the routes to be in force", lambda: world.status(f"/probe-{mark}", service=service, port=port or 80) == 301)
        yield
    finally:
        world.delete_routes(NAME)
        # Without routes the probe's path is an ordinary one again.
        wait_until("the routes to go", lambda: world.status(f"/probe-{mark}", service=service, port=port or 80) != 301)


def prefix(value: str) -> list[dict[str, Any]]:
    return [{"path": {"type": "PathPrefix", "value": value}}]


class Load:
    """Requests from inside the client's pod by fortio, while the context lasts."""

    def __init__(self, world: World, url: str, *, seconds: int, connections: int = 8, options: list[str] | None = None) -> None:
        command = ["fortio", "load", "-quiet", "-json", "-", "-qps", "400", "-c", str(connections),
                   "-t", f"{seconds}s", "-allow-initial-errors", *(options or []), url]  # fmt: skip
        self._world, self._command = world, command
        self._thread = threading.Thread(target=self._run)
        self.codes: Counter[str] = Counter()

    def _run(self) -> None:
        done = self._world.mesh.client.run(self._command, timeout=LOAD_TIMEOUT_S)
        self.codes.update(json.loads(done.stdout)["RetCodes"])

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._thread.join()


# --- changes under load ----------------------------------------------------------------------------


def shares(world: World) -> Counter[str]:
    return Counter({"a": len(world.mesh.http_a.requests_seen()), "b": len(world.mesh.http_b.requests_seen())})


def canary(world: World, a: int, b: int) -> None:
    backends = [{"name": "server-a", "port": 80, "weight": a}, {"name": "server-b", "port": 80, "weight": b}]
    world.set_routes("canary", "server", [{"backendRefs": backends}])


def part_of_b(world: World, count: int = 300) -> float:
    """Of that many requests, the share that server-b had."""
    before = shares(world)
    done = world.mesh.client.run(["h2load", "-n", str(count), "-c", "2", "-m", "4", world.url(service="server")])
    assert f"{count} succeeded, 0 failed" in done.stdout and f"status codes: {count} 2xx" in done.stdout, done.stdout
    after: Counter[str] = Counter()

    def all_written() -> bool:
        after.clear()
        after.update(shares(world))
        return after.total() - before.total() >= count

    wait_until("nginx to write its logs", all_written)
    return (after["b"] - before["b"]) / count


def test_a_canary_shifts_under_load_without_a_lost_request(world: World) -> None:
    canary(world, 90, 10)
    wait_until("the first weights", lambda: 0.02 < part_of_b(world) < 0.25)
    with Load(world, world.url(service="server"), seconds=4) as load:
        # Other weights, and other routes beside them, several times while requests are under way.
        for step in range(8):
            canary(world, 90 - 10 * step, 10 + 10 * step)
            world.set_routes("beside", "app", [{"backendRefs": [APP]}] * (1 + step % 3), port=HTTP)
        canary(world, 10, 90)
        wait_until("the last weights", lambda: 0.75 < part_of_b(world) < 0.98)
    world.delete_routes("canary")
    world.delete_routes("beside")
    assert set(load.codes) == {"200"}, load.codes
    assert load.codes["200"] > 100


def test_a_broken_change_keeps_what_was_there_and_says_so(world: World) -> None:
    redirect = {"filters": [{"type": "RequestRedirect", "requestRedirect": {"statusCode": 302, "hostname": "old.test"}}]}
    with rules(world, {"matches": prefix("/old"), **redirect}):
        mark = world.waypoint.log_mark()
        path = world.mesh.lab.mesh.write_raw("broken.yaml", "kind: HTTPRoute\n  metadata: [")

        def said() -> bool:
            with open(world.waypoint.stdout_path) as file:
                file.seek(mark)
                return "broken.yaml" in file.read() or "broken.yaml" in world.waypoint.stderr()

        wait_until("the waypoint to name the broken file", said)
        assert world.status("/old") == 302
        path.unlink()
    world.waypoint.require_alive()


def test_a_policy_under_load_refuses_only_what_it_names(world: World) -> None:
    policy = {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "no-secrets", "namespace": "mesh"},
        "spec": {
            "targetRefs": [{"group": "", "kind": "Service", "name": "server-b"}],
            "action": "DENY",
            "rules": [{"to": [{"operation": {"paths": ["/secret*"]}}]}],
        },
    }
    with Load(world, world.url(service="server-b"), seconds=2) as load:
        for _ in range(3):
            world.mesh.lab.mesh.apply(policy)
            wait_until("the refusal", lambda: world.status("/secret", service="server-b") == 403)
            world.mesh.lab.mesh.delete("AuthorizationPolicy", "mesh", "no-secrets")
            wait_until("its end", lambda: world.status("/secret", service="server-b") == 200)
    assert set(load.codes) == {"200"}, load.codes


# --- filters ---------------------------------------------------------------------------------------


def test_redirects_rewrites_and_header_changes(world: World) -> None:
    redirect = {"scheme": "https", "hostname": "new.test", "port": 8443, "statusCode": 301,
                "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/there"}}  # fmt: skip
    request_changes = {"set": [{"name": "X-Set", "value": "s"}], "add": [{"name": "X-Add", "value": "a"}], "remove": ["X-Gone"]}
    answer_changes = {"set": [{"name": "X-Answer", "value": "yes"}], "remove": ["server"]}
    rewrite = {"hostname": "inner.test", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}}
    with rules(
        world,
        {"matches": prefix("/here"), "filters": [{"type": "RequestRedirect", "requestRedirect": redirect}]},
        {"matches": prefix("/old"), "backendRefs": [APP], "filters": [{"type": "URLRewrite", "urlRewrite": rewrite}]},
        {"matches": prefix("/fields"), "backendRefs": [APP],
         "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": request_changes},
                     {"type": "ResponseHeaderModifier", "responseHeaderModifier": answer_changes}]},
        {"backendRefs": [APP]},
    ):  # fmt: skip
        head = world.curl("/here/a?b=c", "-i")
        assert " 301 " in head and "location: https://new.test:8443/there/a?b=c" in head.lower()
        seen = world.tell("/old/a?b=c")
        assert (seen["path"], seen["query"], fields_of(seen)["host"]) == ("/new/a", "b=c", "inner.test")
        for version in ("--http1.1", "--http2-prior-knowledge"):
            text = world.curl("/fields", "-i", version, "-H", "X-Set: old", "-H", "X-Add: old", "-H", "X-Gone: 1")
            head, _, body = text.replace("\r", "").partition("\n\n")
            fields = json.loads(body)["headers"]
            assert [value for name, value in fields if name == "x-set"] == ["s"]
            added = ",".join(value for name, value in fields if name == "x-add")
            assert added.replace(" ", "") == "old,a"
            assert not any(name == "x-gone" for name, _ in fields)
            assert "x-answer: yes" in head.lower() and "\nserver:" not in head.lower()


def test_matches_on_headers_query_and_method_take_the_most_specific_rule(world: World) -> None:
    def answer(status: int) -> dict[str, Any]:
        return {"filters": [{"type": "RequestRedirect", "requestRedirect": {"statusCode": status, "hostname": "x.test"}}]}

    path = {"type": "PathPrefix", "value": "/pick"}
    with rules(
        world,
        {"matches": [{"path": path}], "backendRefs": [APP]},
        {"matches": [{"path": path, "headers": [{"name": "X-Env", "value": "test"}]}], **answer(301)},
        {"matches": [{"path": path, "queryParams": [{"name": "v", "value": "2"}]}], **answer(302)},
        {"matches": [{"path": {"type": "Exact", "value": "/pick"}, "method": "DELETE"}],
         "backendRefs": [{"name": "missing", "port": 80}]},
        {"backendRefs": [APP]},
    ):  # fmt: skip
        assert world.status("/pick") == 200
        assert world.status("/pick", "-H", "x-env: test") == 301
        assert world.status("/pick/a?v=2") == 302
        assert world.status("/pick", "-X", "DELETE") == 500
        assert world.status("/pick/b", "-X", "DELETE") == 200
        # Segments, not characters.
        assert world.status("/picky", "-H", "x-env: test") == 200


def test_what_no_rule_matches_is_404_and_weights_of_nothing_are_500(world: World) -> None:
    nothing = [{"name": "app", "port": HTTP, "weight": 0}]
    with rules(
        world,
        {"matches": prefix("/nothing"), "backendRefs": nothing},
        {"matches": prefix("/missing"), "backendRefs": [{"name": "missing", "port": 1}]},
        {"matches": prefix("/app"), "backendRefs": [APP]},
    ):  # fmt: skip
        assert [world.status(path) for path in ("/other", "/nothing", "/missing", "/app")] == [404, 500, 500, 200]


def test_a_mirror_gets_a_copy_and_changes_nothing(world: World) -> None:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "server-b", "port": 80}}}
    with rules(world, {"matches": prefix("/copied"), "backendRefs": [APP], "filters": [mirror]}, {"backendRefs": [APP]}):
        path = f"/copied/{secrets.token_hex(4)}"
        seen = world.tell(path, "-d", "hello")
        assert seen["body"] == "hello"
        wait_until("the copy at server-b", lambda: any(path in line for line in world.mesh.http_b.requests_seen()))


def test_cors_answers_a_preflight_and_marks_the_answer(world: World) -> None:
    cors = {"allowOrigins": ["https://good.test"], "allowMethods": ["GET", "PUT"], "allowHeaders": ["x-one"],
            "maxAge": 60, "allowCredentials": True}  # fmt: skip
    with rules(world, {"matches": prefix("/cors"), "backendRefs": [APP], "filters": [{"type": "CORS", "cors": cors}]},
               {"backendRefs": [APP]}):  # fmt: skip
        good = ["-H", "Origin: https://good.test"]
        ask = ["-X", "OPTIONS", "-H", "Access-Control-Request-Method: PUT"]
        head = world.curl("/cors", "-i", *good, *ask).lower()
        assert " 200" in head.splitlines()[0] and "access-control-allow-origin: https://good.test" in head
        assert "put" in head and "access-control-max-age: 60" in head
        assert "access-control-allow-origin: https://good.test" in world.curl("/cors", "-i", *good).lower()
        assert "access-control-allow-origin" not in world.curl("/cors", "-i", "-H", "Origin: https://bad.test").lower()


def test_a_session_stays_with_its_server(world: World) -> None:
    persistence = {"sessionName": "seat", "type": "Cookie"}
    both = {"backendRefs": [{"name": "server", "port": 80}], "sessionPersistence": persistence}
    with rules(world, both, service="server", port=80):
        jar = str(world.mesh.lab.work_dir / "cookies")
        first = world.curl("/", "-c", jar, service="server").split(",")[0]
        assert {world.curl("/", "-b", jar, service="server").split(",")[0] for _ in range(20)} == {first}
        assert len({world.curl("/", service="server").split(",")[0] for _ in range(20)}) == 2


# --- time and failure ------------------------------------------------------------------------------


def test_a_request_that_takes_too_long_is_answered_504(world: World) -> None:
    with rules(
        world,
        {"matches": prefix("/slow"), "backendRefs": [APP], "timeouts": {"request": "200ms"}},
        {"backendRefs": [APP]},
    ):
        assert world.status("/slow/never?ms=20000") == 504
        assert world.status("/slow/soon?ms=1") == 200
        assert world.status("/slow/never?ms=20000", "--http2-prior-knowledge") == 504


def test_a_retry_saves_a_request_and_one_without_leave_is_not_repeated(world: World) -> None:
    retry = {"attempts": 2, "codes": [503], "backoff": "10ms"}
    with rules(
        world,
        {"matches": prefix("/flaky/saved"), "backendRefs": [APP], "retry": retry},
        {"matches": prefix("/flaky"), "backendRefs": [APP]},
        {"backendRefs": [APP]},
    ):
        assert world.curl("/flaky/saved/get?fails=2") == "3"
        # Asked for by the route: so a POST is sent again, with its body.
        assert world.curl("/flaky/saved/post?fails=1", "-d", "x" * 50_000) == "2"
        assert world.status("/flaky/saved/thrice?fails=3") == 503
        assert world.count("/flaky/saved/thrice") == 3
        # More than is kept for a retry: what came is passed on.
        large = world.mesh.lab.work_dir / "large"
        large.write_bytes(b"x" * 200_000)
        assert world.status("/flaky/saved/large?fails=1", "--data-binary", f"@{large}") == 503
        # Nobody asked for retries here: a POST that failed is not repeated.
        assert world.status("/flaky/post?fails=1", "-d", "x") == 503
        assert world.count("/flaky/post") == 1


def test_a_connection_that_the_server_closed_meanwhile_costs_no_request(world: World) -> None:
    """The server ends each kept connection right when the next request comes."""

    def serve(stream: socket.socket) -> None:
        for turn in range(2):
            text = b""
            while b"\r\n\r\n" not in text:
                part = stream.recv(1 << 16)
                if not part:
                    return
                text += part
            if turn == 1:
                return
            stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with TcpServer(world.app.listen(RAW_PORT), serve):
        assert [world.status("/", port=RAW) for _ in range(20)] == [200] * 20
        assert [world.status("/", "-d", "x", port=RAW) for _ in range(20)] == [200] * 20


def virtual_service(world: World, http: list[dict[str, Any]], host: str = "app.mesh.svc.cluster.local") -> None:
    world.mesh.lab.mesh.apply(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": NAME, "namespace": "mesh"},
            "spec": {"hosts": [host], "http": http},
        }
    )


def test_faults_are_injected(world: World) -> None:
    route = [{"destination": {"host": "app.mesh.svc.cluster.local", "port": {"number": HTTP}}}]
    always = {"value": 100}
    virtual_service(
        world,
        [
            {"match": [{"uri": {"prefix": "/abort"}}], "fault": {"abort": {"httpStatus": 418, "percentage": always}}, "route": route},
            {"match": [{"uri": {"prefix": "/delay"}}], "fault": {"delay": {"fixedDelay": "0.6s", "percentage": always}}, "route": route},
            {"match": [{"uri": {"prefix": "/half"}}], "fault": {"abort": {"httpStatus": 418, "percentage": {"value": 50}}}, "route": route},
            {"route": route},
        ],
    )  # fmt: skip
    try:
        wait_until("the fault", lambda: world.status("/abort") == 418)
        took = float(world.curl("/delay", "-o", "/dev/null", "-w", "%{time_total}"))
        assert took >= 0.6
        command = ["fortio", "load", "-quiet", "-json", "-", "-qps", "0", "-c", "4", "-n", "400", "-allow-initial-errors", world.url("/half")]
        done = world.mesh.client.run(command, check=False, timeout=LOAD_TIMEOUT_S)
        codes = json.loads(done.stdout)["RetCodes"]
        assert 120 < codes["418"] < 280 and codes["418"] + codes["200"] == 400, codes
    finally:
        world.mesh.lab.mesh.delete("VirtualService", "mesh", NAME)
    wait_until("the end of the fault", lambda: world.status("/abort") == 200)


def destination_rule(world: World, host: str, policy: dict[str, Any]) -> None:
    world.mesh.lab.mesh.apply(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "DestinationRule",
            "metadata": {"name": NAME, "namespace": "mesh"},
            "spec": {"host": host, "trafficPolicy": policy},
        }
    )


def test_a_full_circuit_refuses_at_once(world: World) -> None:
    """One request at a time to this server: with one under way, another is 503 without being tried."""
    host = "app.mesh.svc.cluster.local"
    destination_rule(world, host, {"connectionPool": {"http": {"http2MaxRequests": 1}, "tcp": {"maxConnections": 1}}})
    try:

        def is_full() -> bool:
            key = f"/slow/{secrets.token_hex(4)}"
            with world.connect() as first:
                first.sendall(f"GET {key}?ms=700 HTTP/1.1\r\nHost: app\r\n\r\n".encode())
                refused = world.status("/tell") == 503
                return refused and first.recv(100).startswith(b"HTTP/1.1 200")

        wait_until("the circuit", is_full, 20)
        assert world.status("/tell") == 200
    finally:
        world.mesh.lab.mesh.delete("DestinationRule", "mesh", NAME)


def test_an_endpoint_that_fails_again_and_again_is_left_out(world: World) -> None:
    """server-a answers 500 to this path: after a few of them everything goes to server-b."""
    outliers = {"consecutive5xxErrors": 3, "interval": "1s", "baseEjectionTime": "30s", "maxEjectionPercent": 100}
    destination_rule(world, "server.mesh.svc.cluster.local", {"outlierDetection": outliers})
    world.mesh.http_a.process.signal(signal.SIGSTOP)
    try:
        route = {"backendRefs": [{"name": "server", "port": 80}], "timeouts": {"request": "300ms"}}
        with rules(world, route, service="server", port=80):

            def only_b() -> bool:
                return all(world.status("/", service="server") == 200 for _ in range(8))

            wait_until("the ejection", only_b, 20)
    finally:
        world.mesh.http_a.process.signal(signal.SIGCONT)
        world.mesh.lab.mesh.delete("DestinationRule", "mesh", NAME)
