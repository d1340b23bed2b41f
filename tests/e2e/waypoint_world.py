"""The waypoint between a client and several services, with the clients that the tests drive by hand.

Service `app` (pod mesh/app on node2) has a port for each thing that is tried; `server`, `server-a` and `server-b` are
nginx. All of them use the waypoint infra/waypoint, whose pod is on node3.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings

from tests.e2e.helpers import Mesh, wait_captured
from tests.lab import LabError, Pod, wait_until
from tests.lab.apps import wait_for_port
from tests.lab.mesh import ServicePort
from tests.lab.waypoint import Waypoint, add_waypoint, http_route, start_waypoint, use_waypoint

ROOT = Path(__file__).resolve().parents[2]
GATEWAY = "infra/waypoint"
# Ports of the service, and of the pod behind it.
HTTP, H2C, GRPC, RAW, REDIS, MAIL, TLS, NGINX_H2C = 80, 81, 82, 90, 6379, 25, 443, 83
ASGI_PORT, GRPC_PORT, RAW_PORT, MAIL_PORT, TLS_PORT, NGINX_H2C_PORT = 9000, 9100, 9500, 2525, 8443, 8081
APP_PORTS = [
    ServicePort(HTTP, ASGI_PORT, "http"),
    ServicePort(H2C, ASGI_PORT, "web", "kubernetes.io/h2c"),
    ServicePort(GRPC, GRPC_PORT, "grpc"),
    ServicePort(RAW, RAW_PORT, "http-raw"),
    ServicePort(REDIS, REDIS, "tcp-redis"),
    ServicePort(MAIL, MAIL_PORT, "mail"),
    ServicePort(TLS, TLS_PORT, "https"),
    ServicePort(NGINX_H2C, NGINX_H2C_PORT, "nginx", "kubernetes.io/h2c"),
]
TIMEOUT_S = 30.0
SET_UP_TIMEOUT_S = 90.0
# A client that breaks off its head must not hold up a test for the default of 30 s.
HEAD_TIMEOUT_S = 3


@dataclass
class World:
    mesh: Mesh
    pod: Pod
    waypoint: Waypoint
    app: Pod
    env: Mapping[str, str]
    vips: dict[str, str] = field(default_factory=dict)
    rss_at_rest: int = 0

    def url(self, path: str = "/", *, service: str = "app", port: int = HTTP) -> str:
        return f"http://{self.vips[service]}:{port}{path}"

    def curl(self, path: str, *options: str, service: str = "app", port: int = HTTP, check: bool = True) -> str:
        return self.mesh.client.curl(self.url(path, service=service, port=port), *options, check=check)

    def tell(self, path: str, *options: str, port: int = HTTP) -> dict[str, Any]:
        """What the application saw of a request."""
        seen: dict[str, Any] = json.loads(self.curl(path, *options, port=port))
        return seen

    def status(self, path: str, *options: str, service: str = "app", port: int = HTTP) -> int:
        """The answer's status; 0: there was no answer."""
        command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", f"{TIMEOUT_S:g}"]
        done = self.mesh.client.run([*command, *options, self.url(path, service=service, port=port)], check=False)
        return int(done.stdout or "0")

    def count(self, path: str) -> int:
        """Requests that the application had for a path."""
        return int(self.curl(f"/count?path={path}"))

    def connect(self, port: int = HTTP, *, service: str = "app") -> socket.socket:
        return self.mesh.client.connect(self.vips[service], port, timeout=TIMEOUT_S)

    def h2(self, port: int = HTTP, *, service: str = "app", settings: Mapping[int, int] | None = None) -> H2Client:
        return H2Client(self.connect(port, service=service), settings)

    def set_routes(self, name: str, service: str, rules: list[dict[str, Any]], *, port: int | None = None) -> None:
        self.mesh.lab.mesh.apply(http_route("mesh", name, service, rules, port=port))

    def delete_routes(self, name: str) -> None:
        self.mesh.lab.mesh.delete("HTTPRoute", "mesh", name)

    def start(self) -> None:
        """Another run of the waypoint in its pod."""
        self.waypoint = start_waypoint(
            self.mesh.lab, self.pod, GATEWAY, backend=self.mesh.backend, env=self.env, name=f"waypoint-{os.urandom(3).hex()}"
        )

    def spawn_python(self, name: str, pod: Pod, arguments: list[str], port: int) -> None:
        process = self.mesh.lab.spawn(name, pod, [sys.executable, *arguments], env={"PYTHONPATH": str(ROOT)}, cwd=ROOT)
        wait_for_port(pod, port, process)


def fields_of(seen: dict[str, Any]) -> dict[str, str]:
    """Header fields that the application saw; of several with a name the last."""
    return dict(seen["headers"])


@contextmanager
def waypoint_world(mesh: Mesh, env: Mapping[str, str] | None = None) -> Iterator[World]:
    lab = mesh.lab
    pod = add_waypoint(lab, "infra", "waypoint", node="node3")
    app = lab.add_pod("mesh", "app", node="node2", service_account="app")
    lab.mesh.service("mesh", "app", selector={"app": "app"}, ports=APP_PORTS)
    lab.mesh.service("mesh", "server-a", selector={"app": "server-a"}, ports=[ServicePort(80, 8080, "http")])
    lab.mesh.service("mesh", "server-b", selector={"app": "server-b"}, ports=[ServicePort(80, 8080, "http")])
    services = ["app", "server", "server-a", "server-b"]
    for service in services:
        use_waypoint(lab, "Service", "mesh", service, GATEWAY)
    all_env = {"AQUIFER_REQUEST_HEAD_TIMEOUT": f"{HEAD_TIMEOUT_S}s", **(env or {})}
    running = start_waypoint(lab, pod, GATEWAY, backend=mesh.backend, env=all_env)
    world = World(mesh, pod, running, app, all_env)
    for service in services:
        world.vips[service] = str(lab.mesh.find("Service", "mesh", service)["spec"]["clusterIP"])
    bind = ["--bind", f"0.0.0.0:{ASGI_PORT}", "--log-level", "warning", "--keep-alive", "60"]
    world.spawn_python("hypercorn", app, ["-m", "hypercorn", *bind, "tests.e2e.asgi_app:app"], ASGI_PORT)
    wait_captured(app)

    def passes() -> bool:
        try:
            return "x-request-id" in fields_of(world.tell("/", "--max-time", "5"))
        except LabError:
            return False

    wait_until("the waypoint to stand between", passes, SET_UP_TIMEOUT_S)
    yield world
    world.waypoint.require_alive()
    world.waypoint.stop()


class H2Client:
    """HTTP/2 with prior knowledge by Python's h2, over a plain socket; windows are given back as the caller wants."""

    def __init__(self, stream: socket.socket, settings: Mapping[int, int] | None = None) -> None:
        self.stream = stream
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False
            )
        )
        # Python's h2 gives up at a GOAWAY; RFC 9113 section 6.8 lets streams that were begun go on.
        machine, still_open = self.h2.state_machine, h2.connection.ConnectionState.CLIENT_OPEN
        after_goaway = {(still_open, h2.connection.ConnectionInputs.RECV_GOAWAY): (None, still_open)}
        machine._transitions = {**machine._transitions, **after_goaway}  # type: ignore[misc]
        self.h2.initiate_connection()
        if settings:
            self.h2.update_settings(dict(settings))
        self.events: list[h2.events.Event] = []
        self.stalled: set[int] = set()
        self.flush()

    def __enter__(self) -> H2Client:
        return self

    def __exit__(self, *unused: object) -> None:
        self.stream.close()

    def flush(self) -> None:
        if data := self.h2.data_to_send():
            self.stream.sendall(data)

    def request(self, method: str, path: str, *extra: tuple[str, str], end: bool = True, authority: str = "app.test") -> int:
        number = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":authority", authority), (":path", path), *extra]
        self.h2.send_headers(number, head, end_stream=end)
        self.flush()
        return number

    def send(self, number: int, data: bytes, *, end: bool = False) -> None:
        """Sends all of it, receiving while there is no room."""
        view = memoryview(data)
        while view:
            room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size, len(view))
            if room <= 0:
                self.pump()
                continue
            self.h2.send_data(number, bytes(view[:room]))
            view = view[room:]
            self.flush()
        if end:
            self.h2.end_stream(number)
            self.flush()

    def pump(self) -> list[h2.events.Event]:
        """Receives once. ConnectionError at the peer's end."""
        data = self.stream.recv(1 << 16)
        if not data:
            raise ConnectionError("the peer closed the connection")
        fresh = self.h2.receive_data(data)
        self.events += fresh
        for event in fresh:
            if not isinstance(event, h2.events.DataReceived) or not event.flow_controlled_length:
                continue
            if event.stream_id in self.stalled:
                # Only the connection's window: the stream's stays as it is.
                self.h2.increment_flow_control_window(event.flow_controlled_length)
            else:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()
        return fresh

    def wait(self, what: Callable[[h2.events.Event], bool]) -> h2.events.Event:
        """The first event that fits, of those that came and those that come."""
        seen = 0
        while True:
            for event in self.events[seen:]:
                if what(event):
                    return event
            seen = len(self.events)
            self.pump()

    def answer(self, number: int) -> tuple[int, dict[str, str], bytes]:
        """Status, fields with trailers, and the whole body; status 0 when the stream was reset."""
        ends = (h2.events.StreamEnded, h2.events.StreamReset)
        self.wait(lambda event: isinstance(event, ends) and event.stream_id == number)
        mine = [event for event in self.events if getattr(event, "stream_id", None) == number]
        if any(isinstance(event, h2.events.StreamReset) for event in mine):
            return 0, {}, self.body(number)
        fields: dict[str, str] = {}
        for event in mine:
            if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                fields.update({_text(name): _text(value) for name, value in event.headers})
        return int(fields[":status"]), fields, self.body(number)

    def body(self, number: int) -> bytes:
        """What came of it so far."""
        return b"".join(
            event.data for event in self.events if isinstance(event, h2.events.DataReceived) and event.stream_id == number
        )


def _text(value: bytes | str) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


@dataclass
class Answer:
    """An HTTP/1.x answer as it came."""

    status: int
    reason: str
    fields: dict[str, str]
    body: bytes
    trailers: dict[str, str] = field(default_factory=dict)


def read_answer(reader: Any, *, method: str = "GET") -> Answer:
    """One answer from a socket's file; EOFError when the connection ended first."""
    line = reader.readline()
    if not line:
        raise EOFError("the connection ended")
    version, status, *reason = line.decode("latin-1").rstrip("\r\n").split(" ", 2)
    assert version in ("HTTP/1.1", "HTTP/1.0"), line
    fields = _read_fields(reader)
    answer = Answer(int(status), reason[0] if reason else "", fields, b"")
    if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
        return answer
    if fields.get("transfer-encoding") == "chunked":
        parts = []
        while size := int(reader.readline().split(b";")[0], 16):
            parts.append(reader.read(size))
            assert reader.readline() == b"\r\n"
        answer.body = b"".join(parts)
        answer.trailers = _read_fields(reader)
    elif "content-length" in fields:
        answer.body = reader.read(int(fields["content-length"]))
    else:
        answer.body = reader.read()
    return answer


def _read_fields(reader: Any) -> dict[str, str]:
    fields = {}
    while (line := reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.strip().lower()] = value.strip()
    return fields
