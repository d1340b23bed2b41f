"""The mesh of the benchmark and what is compared on it: no proxy, Aquifer on both backends, HAProxy, Envoy.

node1: plain/client, mesh/client-uring     node2: plain/server, mesh/server-uring
node3: mesh/client-epoll                   node4: mesh/server-epoll
node5: mesh/client-near, mesh/server-near
node6: mesh/client-debian13                node7: mesh/server-debian13
Namespace `mesh` is enrolled: each backend has a pair of nodes of its own, and "aquifer near" one node for both pods. In
`plain` nothing is captured: there HAProxy and Envoy have a hop in the client's pod, which the client dials, and a hop in
the server's. All proxies have two threads, check each other's certificate (both from the mesh's CA) and keep their
default logs: ours has a line for each connection. HAProxy makes a TLS connection for each of the client's; Envoy and
Aquifer share one among many.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.helpers import io_uring_allowed, wait_captured
from tests.e2e.peer_certs import Mint, PeerCert
from tests.lab import HttpServer, Iperf3Server, Lab, LabError, Pod, Process
from tests.lab.apps import wait_for_port
from tests.lab.envoy import HBONE_PORT, hbone_client, hbone_server, start_envoy

HTTP_PORT, BULK_PORT = 8080, 5201
THREADS = 2
# Where the hops listen: in the client's pod, and HAProxy's in the server's.
HAPROXY_NEAR, HAPROXY_FAR = {HTTP_PORT: 18080, BULK_PORT: 15201}, {HTTP_PORT: 28080, BULK_PORT: 25201}
ENVOY_NEAR = {HTTP_PORT: 19080, BULK_PORT: 19201}

_HAPROXY = """\
global
  nbthread {threads}
  maxconn 4096
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
"""


@dataclass(frozen=True)
class Peer:
    """One column of the table: where a client sends its traffic, and the proxies that it passes."""

    name: str
    client: Pod
    address: str
    http_port: int
    bulk_port: int
    proxies: list[Process]

    def cpu_seconds(self) -> float:
        """Of all its proxies so far."""
        return sum(proxy.cpu_seconds() for proxy in self.proxies)


def plan(lab: Lab) -> None:
    """Fills the mesh directory and makes the pods."""
    mesh = lab.mesh
    mesh.mesh_config()
    mesh.namespace("mesh", ambient=True)
    mesh.namespace("plain")
    places = [("plain", "", 1, 2), ("mesh", "-uring", 1, 2), ("mesh", "-epoll", 3, 4), ("mesh", "-near", 5, 5),
              ("mesh", "-debian13", 6, 7)]  # fmt: skip
    for namespace, suffix, *nodes in places:
        for role, node in zip(("client", "server"), nodes):
            name = role + suffix
            mesh.pod(namespace, name, node=f"node{node}", service_account=name)
    lab.up()
    for namespace, suffix, *_ in places:
        server = lab.pod(f"{namespace}/server{suffix}")
        HttpServer(lab, server, HTTP_PORT, log_requests=False)
        Iperf3Server(lab, server, BULK_PORT)


def start_all(lab: Lab, wanted: Sequence[str], debian13: Path | None, say: Callable[[str], None]) -> list[Peer]:
    """The wanted peers that this machine can run, ready; for the others it says why not."""
    client, server = lab.pod("plain/client"), lab.pod("plain/server")
    peers = [Peer("direct", client, server.ip, HTTP_PORT, BULK_PORT, [])]
    backends = ["uring", "epoll"] if io_uring_allowed() else ["epoll"]
    if "uring" not in backends:
        say("io_uring is not allowed on this machine: no figures for it")
    peers += [aquifer(lab, backend) for backend in backends if backend in wanted]
    if "near" in wanted:
        peers.append(near(lab))
    if debian13 is not None:
        peers.append(aquifer(lab, backends[0], place="debian13", name="aquifer 3.5", build=debian13))
    if "others" not in wanted:
        return peers
    mint = Mint(lab.ca_dir, lab.work_dir / "peer-certs")
    client_cert, server_cert = (mint.leaf(f"spiffe://cluster.local/ns/plain/sa/{role}", valid_to_h=2) for role in ("client", "server"))
    for start in (_haproxy, _envoy):
        try:
            peers.append(start(lab, client_cert, server_cert))
        except LabError as error:
            say(f"{start.__name__.strip('_')} is left out: {error}")
    return peers


def aquifer(lab: Lab, backend: str, *, place: str = "", name: str = "", build: Path | None = None) -> Peer:
    """Two ztunnels on this backend, ready."""
    place = place or backend
    client, server = lab.pod(f"mesh/client-{place}"), lab.pod(f"mesh/server-{place}")
    with programs_of(build):
        proxies = [lab.start_ztunnel(pod.node, backend=backend, wait_ready=False) for pod in (client, server)]
    for proxy in proxies:
        proxy.wait_ready()
    wait_captured(client, server)
    return Peer(name or f"aquifer {backend}", client, server.ip, HTTP_PORT, BULK_PORT, list(proxies))


def near(lab: Lab) -> Peer:
    """One ztunnel, on the node of both pods: connections stay inside it."""
    client, server = lab.pod("mesh/client-near"), lab.pod("mesh/server-near")
    proxy = lab.start_ztunnel(client.node)
    wait_captured(client, server)
    return Peer("aquifer near", client, server.ip, HTTP_PORT, BULK_PORT, [proxy])


@contextmanager
def programs_of(directory: Path | None) -> Iterator[None]:
    """Programs started meanwhile are those of another build directory."""
    before = os.environ.get("AQUIFER_BUILD")
    if directory is not None:
        os.environ["AQUIFER_BUILD"] = str(directory)
    try:
        yield
    finally:
        if directory is not None:
            os.environ.pop("AQUIFER_BUILD")
            if before is not None:
                os.environ["AQUIFER_BUILD"] = before


def _haproxy(lab: Lab, near: PeerCert, far: PeerCert) -> Peer:
    client, server = lab.pod("plain/client"), lab.pod("plain/server")
    tls = "ssl verify required ca-file {0.roots} crt {0.chain} ssl-min-ver TLSv1.3"
    ports = (HTTP_PORT, BULK_PORT)
    dialling = [(f":{HAPROXY_NEAR[port]}", f"{server.ip}:{HAPROXY_FAR[port]} {tls.format(near)}") for port in ports]
    serving = [(f":{HAPROXY_FAR[port]} {tls.format(far)}", f"127.0.0.1:{port}") for port in ports]
    proxies = [
        _start_haproxy(lab, server, "haproxy-server", serving, HAPROXY_FAR[HTTP_PORT]),
        _start_haproxy(lab, client, "haproxy-client", dialling, HAPROXY_NEAR[HTTP_PORT]),
    ]
    return Peer("haproxy", client, client.ip, HAPROXY_NEAR[HTTP_PORT], HAPROXY_NEAR[BULK_PORT], proxies)


def _start_haproxy(lab: Lab, pod: Pod, name: str, hops: list[tuple[str, str]], port: int) -> Process:
    sections = [f"listen hop{i}\n  bind {bind}\n  server next {to}\n" for i, (bind, to) in enumerate(hops)]
    config: Path = lab.work_dir / f"{name}.cfg"
    config.write_text(_HAPROXY.format(threads=THREADS) + "".join(sections))
    process = lab.spawn(name, pod, ["haproxy", "-db", "-f", str(config)])
    wait_for_port(pod, port, process)
    return process


def _envoy(lab: Lab, near: PeerCert, far: PeerCert) -> Peer:
    client, server = lab.pod("plain/client"), lab.pod("plain/server")
    serving = hbone_server(far, {f"{server.ip}:{port}": port for port in ENVOY_NEAR})
    dialling = hbone_client(near, server.ip, {near_port: port for port, near_port in ENVOY_NEAR.items()})
    proxies = [
        start_envoy(lab, server, serving, "envoy-server", HBONE_PORT, threads=THREADS),
        start_envoy(lab, client, dialling, "envoy-client", ENVOY_NEAR[HTTP_PORT], threads=THREADS),
    ]
    return Peer("envoy", client, client.ip, ENVOY_NEAR[HTTP_PORT], ENVOY_NEAR[BULK_PORT], proxies)
