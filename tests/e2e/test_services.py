"""Services on real traffic: which endpoint serves, and what happens when it does not."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.hbone_peer import HBONE_PORT, HboneServer
from tests.e2e.helpers import APP_PORT, Mesh, TcpServer, read_all, read_exactly, source_of, two_node_mesh
from tests.e2e.peer_certs import Mint
from tests.lab import AccessLine, Pod, wait_until
from tests.lab.wiring import node_addresses

REQUEST = b"GET / HTTP/1.0\r\n\r\n"
# Where nothing listens in server-a and an echo in server-b.
ECHO_PORT = 7070
DEAD_PORT = 7071
VM_PORT = 7072
FAILED = "istio_tcp_connections_failed_total"


_KNOT_CONF = """\
server:
    rundir: "{folder}"
    listen: "{ip}@53"
    user: root:root
database:
    storage: "{folder}"
zone:
  - domain: example.com
    storage: "{folder}"
    file: zone
"""
_ZONE = """\
$ORIGIN example.com.
@ 60 SOA ns hostmaster 1 3600 600 86400 60
@ 60 NS ns
ns 60 A 192.0.2.53
vm 60 A {ip}
"""

# --- the world --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mesh(backend: str) -> Iterator[Mesh]:
    """As everywhere, and the proxies ask the DNS server that runs on the client's node."""
    with two_node_mesh(backend, env={"AQUIFER_DNS_UPSTREAM": node_addresses(1)[0]}) as running:
        yield running


@pytest.fixture(scope="module")
def world(mesh: Mesh) -> Iterator[Mesh]:
    """Services of every sort over the two servers, an echo in server-b alone, and one outside the mesh."""
    add_service(mesh, "headless", ip="None")
    add_service(mesh, "near", annotations={"networking.istio.io/traffic-distribution": "PreferSameNode"})
    add_service(mesh, "not-ready", more={"publishNotReadyAddresses": True})
    add_service(mesh, "flaky", target=ECHO_PORT)
    add_service(mesh, "dead", target=DEAD_PORT)
    add_service(mesh, "only-v6", ip="fd00:96::7e", more={"ipFamilies": ["IPv6"]})
    local = add_service(mesh, "local", selector={"app": "server-b"}, more={"internalTrafficPolicy": "Local"})
    assert local["spec"]["clusterIP"]
    ports = [{"number": 80, "name": "http", "protocol": "TCP", "targetPort": APP_PORT}]
    add_entry(
        mesh,
        "range",
        hosts=["range.example.com"],
        addresses=["172.31.0.0/24", "fd00:31::/64"],
        ports=ports,
        resolution="STATIC",
        workloadSelector={"labels": {"role": "server"}},
    )
    add_entry(
        mesh,
        "static",
        hosts=["static.example.com"],
        addresses=["172.30.0.1"],
        ports=[{"number": 80, "name": "app", "protocol": "TCP"}],
        resolution="STATIC",
        endpoints=[{"address": mesh.outside.ip, "ports": {"app": VM_PORT}}],
    )
    add_entry(
        mesh,
        "through",
        hosts=["*.through.example.com"],
        addresses=[f"{mesh.outside.ip}/32"],
        ports=[{"number": VM_PORT, "name": "app", "protocol": "TCP"}],
        location="MESH_EXTERNAL",
        resolution="NONE",
    )
    mesh.lab.mesh.apply(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "WorkloadEntry",
            "metadata": {"name": "vm", "namespace": "mesh"},
            "spec": {"address": mesh.outside.ip, "labels": {"app": "vm"}, "ports": {"app": VM_PORT}},
        }
    )
    add_service(mesh, "vm", selector={"app": "vm"}, target="app")
    with TcpServer(mesh.server_b.listen(ECHO_PORT)), TcpServer(mesh.outside.listen(VM_PORT)):
        wait_until("the services to be known", lambda: "fd00:96::7e" in config(mesh) and "mesh/vm" in config(mesh))
        yield mesh


def add_service(
    mesh: Mesh,
    name: str,
    *,
    selector: dict[str, str] | None = None,
    target: int | str = APP_PORT,
    ip: str | None = None,
    annotations: dict[str, str] | None = None,
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    manifest = mesh.lab.mesh.service(
        "mesh", name, selector=selector or {"role": "server"}, ports=[(80, target)], ips=[ip] if ip else None
    )
    manifest["metadata"]["annotations"] = annotations or {}
    manifest["spec"].pop("ipFamilies")
    manifest["spec"].update(more or {})
    return mesh.lab.mesh.apply(manifest)


def add_entry(mesh: Mesh, name: str, **spec: Any) -> None:
    mesh.lab.mesh.apply(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "ServiceEntry",
            "metadata": {"name": name, "namespace": "mesh"},
            "spec": spec,
        }
    )


def config(mesh: Mesh) -> str:
    return mesh.proxy_of(mesh.client).get("/config_dump")[1]


def vip(mesh: Mesh, name: str, family: int = 0) -> str:
    return str(mesh.lab.mesh.find("Service", "mesh", name)["spec"]["clusterIPs"][family])


def fetch(mesh: Mesh, address: str, port: int = 80) -> str:
    """Which server answered; an error of the connection is an OSError."""
    with mesh.client.connect(address, port) as stream:
        stream.sendall(REQUEST)
        answer = read_all(stream)
    if b"hello from " not in answer:
        raise ConnectionError(f"no answer: {answer!r}")
    return answer.rsplit(b"hello from ", 1)[1].split(b",")[0].split()[0].decode()


def servers_of(mesh: Mesh, address: str, port: int = 80, connections: int = 12) -> Counter[str]:
    return Counter(fetch(mesh, address, port) for _ in range(connections))


def outbound_line(mesh: Mesh, mark: int, **fields: str) -> AccessLine:
    return mesh.proxy_of(mesh.client).wait_access(mark, direction="outbound", src_workload="client", **fields)


# --- who serves -------------------------------------------------------------------------------------


def test_a_named_port_is_reached_by_either_family_at_both_servers(world: Mesh) -> None:
    for family in (0, 1):
        assert set(servers_of(world, vip(world, "server", family), connections=16)) == {"server-a", "server-b"}


def test_a_headless_service_is_reached_at_its_pods_own_addresses(world: Mesh) -> None:
    mark = world.proxy_of(world.client).log_mark()
    assert fetch(world, world.server_b.ip, APP_PORT) == "server-b"
    line = outbound_line(world, mark, dst_workload="server-b")
    assert line["dst.hbone_addr"] == f"{world.server_b.ip}:{APP_PORT}"


def test_every_address_of_a_range_is_the_service(world: Mesh) -> None:
    mark = world.proxy_of(world.client).log_mark()
    for address in ("172.31.0.1", "172.31.0.255", "fd00:31::abcd"):
        assert fetch(world, address) in ("server-a", "server-b")
    line = outbound_line(world, mark, dst_service="range.example.com")
    assert (line.get("dst.hbone_addr") or line["dst.addr"]).endswith(f":{APP_PORT}")


def test_a_service_of_one_family_is_served_by_addresses_of_it(world: Mesh) -> None:
    mark = world.proxy_of(world.client).log_mark()
    assert fetch(world, "fd00:96::7e") in ("server-a", "server-b")
    line = outbound_line(world, mark, dst_service="only-v6.mesh.svc.cluster.local")
    # Without a tunnel, because it ends on the client's node, the next hop is the application itself.
    assert (line.get("dst.hbone_addr") or line["dst.addr"]).startswith("[fd00:77:")


def test_a_static_entry_and_a_vm_are_reached_as_plain_tcp_on_their_own_ports(world: Mesh) -> None:
    for address, service in (
        ("172.30.0.1", "static.example.com"),
        (vip(world, "vm"), "vm.mesh.svc.cluster.local"),
    ):
        mark = world.proxy_of(world.client).log_mark()
        with world.client.connect(address, 80) as stream:
            stream.sendall(b"plain")
            assert read_exactly(stream, 5) == b"plain"
        line = outbound_line(world, mark, dst_service=service)
        assert line["dst.addr"] == f"{world.outside.ip}:{VM_PORT}"
        assert "dst.hbone_addr" not in line.fields


def start_knot(mesh: Mesh) -> None:
    folder = mesh.lab.work_dir / "knot"
    folder.mkdir()
    node = mesh.lab.node("node1")
    (folder / "zone").write_text(_ZONE.format(ip=mesh.outside.ip))
    conf = folder / "knot.conf"
    conf.write_text(_KNOT_CONF.format(folder=folder, ip=node.ip))
    mesh.lab.spawn("knot", node, ["/usr/sbin/knotd", "-c", str(conf)])

    def answers_by_name() -> bool:
        dig = ["dig", f"@{node.ip}", "+short", "+time=1", "+tries=1", "vm.example.com"]
        return mesh.outside.run(dig, check=False).stdout.split() == [mesh.outside.ip]

    wait_until("Knot to answer", answers_by_name, 20)


def test_a_dns_entry_goes_where_its_name_leads_and_nowhere_when_it_leads_nowhere(world: Mesh) -> None:
    start_knot(world)
    port = {"number": 80, "name": "app", "protocol": "TCP", "targetPort": VM_PORT}
    for name, address in (("vm", "172.30.0.2"), ("missing", "172.30.0.3")):
        add_entry(
            world, name, hosts=[f"{name}.example.com"], addresses=[address], ports=[port], resolution="DNS"
        )
    wait_until("the entries to be known", lambda: "missing.example.com" in config(world))
    mark = world.proxy_of(world.client).log_mark()
    with world.client.connect("172.30.0.2", 80) as stream:
        stream.sendall(b"by name")
        assert read_exactly(stream, 7) == b"by name"
    line = outbound_line(world, mark, dst_service="vm.example.com")
    assert line["dst.addr"] == f"{world.outside.ip}:{VM_PORT}"
    counted = world.proxy_of(world.client).metrics()
    assert counted.total("istio_on_demand_dns_total", source_workload="client", hostname="vm.example.com") == 1
    with pytest.raises(OSError):
        fetch(world, "172.30.0.3")
    line = outbound_line(world, mark, dst_service="missing.example.com")
    assert line["error"]


def test_without_resolution_the_address_that_the_client_chose_counts(world: Mesh) -> None:
    mark = world.proxy_of(world.client).log_mark()
    with world.client.connect(world.outside.ip, VM_PORT) as stream:
        stream.sendall(b"chosen")
        assert read_exactly(stream, 6) == b"chosen"
    line = outbound_line(world, mark, dst_service="*.through.example.com")
    assert line["dst.addr"] == f"{world.outside.ip}:{VM_PORT}"


def test_hosts_without_addresses_have_the_same_on_both_nodes(world: Mesh) -> None:
    add_entry(
        world,
        "unaddressed",
        hosts=["auto.example.com"],
        ports=[{"number": 80, "name": "http", "protocol": "TCP", "targetPort": APP_PORT}],
        resolution="STATIC",
        workloadSelector={"labels": {"role": "server"}},
    )

    def given(proxy: Any) -> list[str]:
        services = json.loads(proxy.get("/config_dump")[1])["services"]
        found = [service for service in services if service["hostname"] == "auto.example.com"]
        return [str(address).removeprefix("/") for service in found for address in service["vips"]]

    near, far = world.proxy_of(world.client), world.proxy_of(world.server_b)
    wait_until("the entry to be known on both nodes", lambda: bool(given(near)) and given(near) == given(far))
    v4, v6 = given(near)
    assert v4.startswith("240.240.")
    assert v6.startswith("2001:2::")
    assert fetch(world, v4) in ("server-a", "server-b")


# --- who is preferred -------------------------------------------------------------------------------


def test_the_same_node_is_preferred_and_left_when_its_server_is_not_ready(world: Mesh) -> None:
    address = vip(world, "near")
    assert servers_of(world, address) == {"server-a": 12}
    world.lab.mesh.set_ready("mesh", "server-a", False)
    try:
        wait_until("the other node to serve", lambda: fetch(world, address) == "server-b")
        assert servers_of(world, address) == {"server-b": 12}
        # An unready pod gets nothing, unless its service says that it should.
        assert servers_of(world, vip(world, "server")) == {"server-b": 12}
        assert set(servers_of(world, vip(world, "not-ready"), connections=20)) == {"server-a", "server-b"}
    finally:
        world.lab.mesh.set_ready("mesh", "server-a", True)
    wait_until("the near one to serve again", lambda: fetch(world, address) == "server-a")


def test_a_local_policy_never_leaves_the_node(world: Mesh) -> None:
    mark = world.proxy_of(world.client).log_mark()
    address = vip(world, "local")
    with pytest.raises(OSError):
        fetch(world, address)
    lines = world.proxy_of(world.client)
    line = lines.wait_access(mark, direction="outbound", dst_addr=f"{address}:80")
    assert line["error"] == f"no healthy upstream: {address}:80"


# --- another endpoint -------------------------------------------------------------------------------


def failures(mesh: Mesh, server: str, port_owner: str) -> float:
    metrics = mesh.proxy_of(mesh.client).metrics()
    return metrics.total(FAILED, reporter="source", destination_workload=server, destination_service_name=port_owner)


def test_an_endpoint_that_refuses_is_left_for_another_and_then_avoided(world: Mesh) -> None:
    """Early bytes reach the endpoint that answers, whole; the log has one line and names it."""
    address = vip(world, "flaky")
    early = bytes(range(256)) * 256
    connections = 30
    mark = world.proxy_of(world.client).log_mark()
    sources = []
    for _ in range(connections):
        with world.client.connect(address, 80) as stream:
            sources.append(source_of(stream))
            stream.sendall(early)
            stream.shutdown(socket.SHUT_WR)
            assert read_all(stream) == early
    for source in sources:
        line = world.proxy_of(world.client).wait_access(mark, direction="outbound", src_addr=source)
        assert line["dst.workload"] == "server-b"
        assert "error" not in line.fields
    lines = world.proxy_of(world.client).access_lines(mark)
    assert Counter(line.get("src.addr") for line in lines if line["direction"] == "outbound")[sources[0]] == 1
    # Tried in vain at least twice, or there would be nothing to avoid; then left alone for a while.
    failed = failures(world, "server-a", "flaky")
    assert 2 <= failed <= connections // 2


def test_when_all_endpoints_refuse_the_connection_fails_with_the_last_ones_word(world: Mesh) -> None:
    mark = world.proxy_of(world.client).log_mark()
    with pytest.raises(OSError):
        fetch(world, vip(world, "dead"))
    line = outbound_line(world, mark, dst_service="dead.mesh.svc.cluster.local")
    assert line["error"] == "http status: 503 Service Unavailable"
    assert failures(world, "server-a", "dead") == failures(world, "server-b", "dead") == 1


# --- foreign endpoints ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mint(mesh: Mesh) -> Mint:
    return Mint(mesh.lab.ca_dir, mesh.lab.work_dir / "peer-certs")


@pytest.fixture(scope="module")
def foreign(world: Mesh) -> Pod:
    """On a node without a ztunnel: what answers there is this test's own."""
    return world.lab.add_pod("mesh", "foreign", node="node3", service_account="foreign", labels={"role": "foreign"})


def test_a_refusal_by_policy_is_final(world: Mesh, mint: Mint, foreign: Pod) -> None:
    """Another endpoint would have served, but 401 is an answer and not a failure."""
    add_service(world, "guarded", selector={"app": "foreign"})
    manifest = world.lab.mesh.find("Pod", "mesh", "server-b")
    address = vip(world, "guarded")
    world.lab.mesh.label("Pod", "mesh", "server-b", "app", "foreign")
    server = HboneServer(
        foreign.listen(HBONE_PORT), mint.leaf("spiffe://cluster.local/ns/mesh/sa/foreign").server_context(), status="401"
    )
    try:
        wait_until("server-b to serve", lambda: answers(world, address) == "server-b", 20)
        mark = world.proxy_of(world.client).log_mark()
        outcomes = Counter(answers(world, address) for _ in range(16))
        assert outcomes["refused"] > 0, "the refusing endpoint was never chosen: 1 in 65,536"
        lines = [line for line in world.proxy_of(world.client).access_lines(mark) if line.get("dst.workload") == "foreign"]
        assert {line.get("error") for line in lines} == {"http status: 401 Unauthorized"}
    finally:
        server.close()
        world.lab.mesh.apply(manifest)


def answers(mesh: Mesh, address: str) -> str:
    try:
        return fetch(mesh, address)
    except OSError:
        return "refused"


def test_bytes_sent_early_wait_in_the_clients_socket_alone(world: Mesh) -> None:
    """An endpoint that never answers costs no memory of ours, however much the client has to say."""
    proxy = world.proxy_of(world.client)
    silent = world.lab.add_pod("mesh", "silent", node="node3", service_account="silent")
    listener = silent.listen(HBONE_PORT)
    listener.settimeout(10)
    wait_until("the pod to be known", lambda: "Pod/mesh/silent" in config(world))
    before = proxy.rss_anon_bytes()
    try:
        with world.client.connect(silent.ip, APP_PORT) as stream:
            accepted, _ = listener.accept()
            stream.setblocking(False)
            sent = 0
            with pytest.raises(BlockingIOError):
                while sent < 64 << 20:
                    sent += stream.send(bytes(1 << 16))
            assert 0 < sent < 16 << 20
            assert proxy.rss_anon_bytes() < before + (4 << 20)
            accepted.close()
    finally:
        listener.close()


def test_a_mesh_that_is_broken_by_an_entry_says_where(world: Mesh) -> None:
    """The last good mesh stays in force."""
    path = world.lab.mesh.write_raw(
        "broken.yaml",
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: x, namespace: mesh}\n"
        "spec:\n  hosts: [x.example.com]\n  addresses: [10.0.0.0/33]\n  ports: [{number: 80}]\n",
    )
    proxy = world.proxy_of(world.client)
    try:
        wait_until("the complaint", lambda: "10.0.0.0/33" in proxy.stdout_path.read_text() + proxy.stderr())
    finally:
        path.unlink()
    assert fetch(world, vip(world, "server")) in ("server-a", "server-b")
