"""Connections that pass a waypoint: a real one (Envoy, which ends our tunnel and opens one to the destination).

The waypoint's pod is on node3, so that everything between client, waypoint and server crosses the wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.helpers import APP_PORT, Mesh
from tests.e2e.peer_certs import Mint
from tests.lab import Pod, wait_until
from tests.lab.envoy import hbone_client, hbone_server, start_envoy
from tests.lab.pcap import Packet

REQUEST = b"GET / HTTP/1.0\r\n\r\n"
HBONE_PORT = 15008
WAYPOINT_ID = "spiffe://cluster.local/ns/infra/sa/waypoint"
# Inside the waypoint's pod: where a CONNECT's bytes go over into the tunnel to the server.
RELAY_PORT = 9100
USE, USE_NAMESPACE = "istio.io/use-waypoint", "istio.io/use-waypoint-namespace"


@dataclass
class World:
    mesh: Mesh
    waypoint: Pod
    vip: str

    def set_gateway(self, *, purpose: str = "all", address: dict[str, str] | None = None) -> None:
        status = {"addresses": [address]} if address else {}
        listener = {
            "name": "mesh",
            "port": HBONE_PORT,
            "protocol": "HBONE",
            "allowedRoutes": {"namespaces": {"from": "All"}},
        }
        self.mesh.lab.mesh.apply(
            {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "Gateway",
                "metadata": {"name": "waypoint", "namespace": "infra", "labels": {"istio.io/waypoint-for": purpose}},
                "spec": {"gatewayClassName": "istio-waypoint", "listeners": [listener]},
                "status": status,
            }
        )

    def use(self, kind: str, name: str, waypoint: str | None, namespace: str | None = "infra") -> None:
        """Labels the object; None takes the labels away."""
        where = "" if kind == "Namespace" else "mesh"
        self.mesh.lab.mesh.label(kind, where, name, USE_NAMESPACE, namespace if waypoint else None)
        self.mesh.lab.mesh.label(kind, where, name, USE, waypoint)

    def fetch(self, address: str, port: int) -> str:
        """The answer. Envoy ends a CONNECT's stream by a reset once the server has closed: that is no failure here."""
        answer = b""
        with self.mesh.client.connect(address, port) as stream:
            stream.sendall(REQUEST)
            with suppress(ConnectionResetError):
                while part := stream.recv(1 << 16):
                    answer += part
        return answer.decode(errors="replace")

    def path_of(self, address: str, port: int) -> dict[str, str]:
        """The access log's fields of one connection that is served; what was refused has an error."""
        proxy = self.mesh.proxy_of(self.mesh.client)
        mark = proxy.log_mark()
        try:
            answer = self.fetch(address, port)
        except OSError:
            answer = ""
        line = proxy.wait_access(mark, direction="outbound", where=lambda line: f"{address}:{port}" in line.raw
                                 or line.get("src.workload") == "client")  # fmt: skip
        return {**line.fields, "answer": answer}

    def passes(self, address: str, port: int) -> bool:
        """One connection went through the waypoint and was served."""
        fields = self.path_of(address, port)
        return "hello from server-b" in fields["answer"] and fields.get("dst.workload") == "waypoint"

    def is_refused(self, address: str, port: int, reason: str) -> bool:
        fields = self.path_of(address, port)
        return not fields["answer"] and fields.get("error") == reason


@pytest.fixture(scope="module")
def world(mesh: Mesh) -> Iterator[World]:
    mesh.lab.mesh.namespace("infra")
    waypoint = mesh.lab.add_pod(
        "infra",
        "waypoint",
        node="node3",
        service_account="waypoint",
        labels={"gateway.networking.k8s.io/gateway-name": "waypoint", "istio.io/dataplane-mode": "none"},
    )
    mesh.lab.mesh.service(
        "infra",
        "waypoint",
        selector={"gateway.networking.k8s.io/gateway-name": "waypoint"},
        ports=[(HBONE_PORT, HBONE_PORT)],
    )
    vip = str(mesh.lab.mesh.find("Service", "mesh", "server-b")["spec"]["clusterIP"])
    mint = Mint(mesh.lab.ca_dir, mesh.lab.work_dir / "peer-certs")
    running = World(mesh, waypoint, vip)
    running.set_gateway()
    config = waypoint_config(mint, mesh.server_b, [f"{vip}:80", f"{mesh.server_b.ip}:{APP_PORT}"])
    envoy = start_envoy(mesh.lab, waypoint, config, "waypoint", HBONE_PORT)
    yield running
    envoy.stop()


def waypoint_config(mint: Mint, server: Pod, authorities: list[str]) -> dict[str, Any]:
    """HBONE in for the authorities, HBONE out to the server's own proxy, both with the waypoint's identity."""
    cert = mint.leaf(WAYPOINT_ID)
    ending = hbone_server(cert, {authority: RELAY_PORT for authority in authorities})["static_resources"]
    opening = hbone_client(cert, server.ip, {RELAY_PORT: APP_PORT})["static_resources"]
    return {"static_resources": {part: ending[part] + opening[part] for part in ("listeners", "clusters")}}


@pytest.fixture(autouse=True)
def unlabelled(world: World) -> Iterator[None]:
    """Every test starts, and leaves, with nothing behind the waypoint."""
    yield
    world.use("Service", "server-b", None)
    world.use("Pod", "server-b", None)
    world.use("Namespace", "mesh", None)
    world.set_gateway()
    world.mesh.lab.mesh.set_ready("infra", "waypoint", True)


def opened_directly(world: World, packets: Iterable[Packet]) -> list[Packet]:
    """Connections on the wire from the client's pod to anywhere but the waypoint's tunnel port."""
    mesh = world.mesh
    return [
        packet
        for packet in packets
        if packet.opens_connection
        and packet.src in mesh.client.ips
        and (packet.dst, packet.dst_port) != (world.waypoint.ip, HBONE_PORT)
    ]


def test_a_services_waypoint_is_told_the_services_address_and_nothing_bypasses_it(world: World) -> None:
    mesh = world.mesh
    world.use("Service", "server-b", "waypoint")
    wait_until("the waypoint to stand between", lambda: world.passes(world.vip, 80), 20)
    server_mark = mesh.proxy_of(mesh.server_b).log_mark()
    with mesh.lab.capture() as capture:
        fields = world.path_of(world.vip, 80)
    assert "hello from server-b" in fields["answer"]
    assert fields["dst.addr"] == f"{world.waypoint.ip}:{HBONE_PORT}"
    assert fields["dst.hbone_addr"] == f"{world.vip}:80"
    assert fields["dst.service"] == "server-b.mesh.svc.cluster.local"
    assert fields["dst.workload"] == "waypoint"
    assert fields["dst.identity"] == WAYPOINT_ID
    arrived = mesh.proxy_of(mesh.server_b).wait_access(server_mark, direction="inbound", src_identity=WAYPOINT_ID)
    assert arrived["dst.workload"] == "server-b"
    packets = list(capture.packets())
    assert not opened_directly(world, packets)
    assert not any(b"hello from" in packet.payload for packet in packets), "in the clear"


def test_a_waypoint_is_found_by_its_services_or_its_pods_address_and_by_host_name(world: World) -> None:
    world.use("Service", "server-b", "waypoint")
    service_ip = str(world.mesh.lab.mesh.find("Service", "infra", "waypoint")["spec"]["clusterIP"])
    dump = lambda: world.mesh.proxy_of(world.mesh.client).get("/config_dump")[1]  # noqa: E731
    for kind, value, shown in (
        ("IPAddress", service_ip, f"/{service_ip}"),
        ("IPAddress", world.waypoint.ip, f"/{world.waypoint.ip}"),
        ("Hostname", "waypoint.infra.svc.cluster.local", "infra/waypoint.infra.svc.cluster.local"),
    ):
        world.set_gateway(address={"type": kind, "value": value})
        wait_until(f"the waypoint to be found by {value}", lambda: f'"destination": "{shown}"' in dump()
                   or f'"destination":"{shown}"' in dump(), 20)  # fmt: skip
        assert world.passes(world.vip, 80), value


def test_a_workloads_waypoint_is_told_the_pods_address_and_serves_no_service(world: World) -> None:
    mesh = world.mesh
    world.use("Pod", "server-b", "waypoint")
    wait_until("the waypoint to stand between", lambda: world.passes(mesh.server_b.ip, APP_PORT), 20)
    fields = world.path_of(mesh.server_b.ip, APP_PORT)
    assert fields["dst.hbone_addr"] == f"{mesh.server_b.ip}:{APP_PORT}"
    assert "dst.service" not in fields
    assert world.path_of(world.vip, 80)["dst.workload"] == "server-b"
    # The label stays; the waypoint says that it is not for workloads.
    world.set_gateway(purpose="service")
    wait_until(
        "the waypoint to step aside",
        lambda: world.path_of(mesh.server_b.ip, APP_PORT).get("dst.workload") == "server-b",
        20,
    )


def test_a_namespaces_label_stands_for_all_its_services(world: World) -> None:
    world.use("Namespace", "mesh", "waypoint")
    wait_until("the waypoint to stand between", lambda: world.passes(world.vip, 80), 20)
    world.use("Service", "server-b", "none", None)
    wait_until("the service's own word to count", lambda: world.path_of(world.vip, 80)["dst.workload"] == "server-b", 20)


def test_a_waypoint_that_is_missing_or_not_ready_fails_the_connection_closed(world: World) -> None:
    world.use("Service", "server-b", "gone")
    reason = "unknown waypoint: infra/gone does not exist"
    wait_until("connections to be refused", lambda: world.is_refused(world.vip, 80, reason), 20)
    with world.mesh.lab.capture() as capture:
        for _ in range(5):
            assert world.is_refused(world.vip, 80, reason)
    assert not opened_directly(world, capture.packets())

    world.use("Service", "server-b", "waypoint")
    wait_until("the waypoint to stand between", lambda: world.passes(world.vip, 80), 20)
    world.mesh.lab.mesh.set_ready("infra", "waypoint", False)
    reason = "unknown waypoint: infra/waypoint has no ready endpoint"
    wait_until("connections to be refused", lambda: world.is_refused(world.vip, 80, reason), 20)
    with world.mesh.lab.capture() as capture:
        assert world.is_refused(world.vip, 80, reason)
    assert not opened_directly(world, capture.packets())
