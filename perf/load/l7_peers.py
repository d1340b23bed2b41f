"""The mesh of the L7 benchmark and what is compared on it.

node1: mesh/client, plain/client      node2: mesh/server, plain/server      node3: the waypoints, and the plain proxies
Services of the mesh have the same server: one stands behind our waypoint, another behind Envoy as a waypoint, and with
--debian13 a third behind our waypoint with OpenSSL 3.5; everything else on their way (client, both ztunnels, server) is
the same. In `plain` nothing is captured: there our plain listener, Envoy, HAProxy and nginx are reverse proxies between
client and server. All have two threads. Only the process in the middle is counted as the proxy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from perf.load.peers import programs_of
from tests.e2e.helpers import io_uring_allowed, wait_captured
from tests.e2e.peer_certs import Mint
from tests.lab import Lab, LabError, Pod, Process
from tests.lab.apps import wait_for_port
from tests.lab.envoy import HBONE_PORT, start_envoy
from tests.lab.envoy_waypoint import reverse_proxy, waypoint
from tests.lab.mesh import ServicePort
from tests.lab.waypoint import add_waypoint, http_route, start_waypoint, use_waypoint

SERVER_PORT, GRPC_PORT = 8080, 8079
# Of the services: HTTP, and gRPC.
GRPC_SERVICE_PORT = 81
PLAIN_PORT = 18080
THREADS = 2
# The peers that add_routes() is for.
WITH_MANY_ROUTES = ("aquifer", "aquifer plain")
CLUSTER_DOMAIN = "svc.cluster.local"

_NGINX = """\
user root;
worker_processes {threads};
daemon off;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {body}
}}
"""
_SERVER = """
  server {{
    listen {port} reuseport backlog=4096;
    location /small {{ return 200 "hello, this is an answer of some sixty bytes, as small as they come\\n"; }}
    location / {{ root {folder}; }}
  }}"""
_PROXY = """
  upstream server {{ server {server}:{server_port}; keepalive 256; }}
  server {{
    listen {port} reuseport backlog=4096;
    location / {{ proxy_pass http://server; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}"""
_HAPROXY = """\
global
  nbthread {threads}
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  http-reuse always
listen proxy
  bind :{port}
  server next {server}:{server_port}
"""


@dataclass(frozen=True)
class Peer:
    """One column: where the client sends its requests, and the proxy in the middle (none for direct)."""

    name: str
    client: Pod
    address: str
    port: int
    proxy: Process | None
    http2: bool = True
    # Where it takes gRPC; 0: nowhere.
    grpc_port: int = 0

    def url(self, path: str) -> str:
        return f"http://{self.address}:{self.port}{path}"


def plan(lab: Lab) -> None:
    mesh = lab.mesh
    mesh.mesh_config()
    mesh.namespace("mesh", ambient=True)
    mesh.namespace("plain")
    for namespace in ("mesh", "plain"):
        for number, role in ((1, "client"), (2, "server")):
            mesh.pod(namespace, role, node=f"node{number}", service_account=role)
    mesh.pod("plain", "middle", node="node3", service_account="middle")
    ports = [ServicePort(80, SERVER_PORT, "http"), ServicePort(GRPC_SERVICE_PORT, GRPC_PORT, "grpc")]
    for name in ("ours", "debian13", "envoys"):
        mesh.service("mesh", name, selector={"app": "server"}, ports=ports)
    mesh.service("plain", "server", selector={"app": "server"}, ports=[ServicePort(80, SERVER_PORT, "http")])
    lab.up()
    for namespace in ("mesh", "plain"):
        _start_server(lab, lab.pod(f"{namespace}/server"))


def add_routes(lab: Lab, count: int) -> None:
    """So many routes in front of the one that all requests take; 0 takes them away."""
    for namespace, service in (("mesh", "ours"), ("plain", "server")):
        name = f"many-{service}"
        if count == 0:
            lab.mesh.delete("HTTPRoute", namespace, name)
            continue
        matches = [{"path": {"type": "PathPrefix", "value": f"/route-{number}"}} for number in range(count)]
        # The Gateway API allows 16 rules with 64 matches each.
        rules = [
            {"matches": matches[at : at + 64], "backendRefs": [{"name": service, "port": 80}]}
            for at in range(0, count, 64)
        ]
        route = http_route(namespace, name, service, rules)
        route["spec"]["rules"].append({"backendRefs": [{"name": service, "port": 80}]})
        lab.mesh.apply(route)


def start_all(lab: Lab, debian13: Path | None, say: Callable[[str], None]) -> list[Peer]:
    """All that this machine can run; for the others it says why not. `debian13`: the build directory of another column."""
    backend = "uring" if io_uring_allowed() else "epoll"
    proxies = [lab.start_ztunnel(node, backend=backend, wait_ready=False) for node in ("node1", "node2")]
    for proxy in proxies:
        proxy.wait_ready()
    client, plain_client = lab.pod("mesh/client"), lab.pod("plain/client")
    plain_server = lab.pod("plain/server")
    wait_captured(client, lab.pod("mesh/server"))
    peers = [Peer("direct", plain_client, plain_server.ip, SERVER_PORT, None, http2=False, grpc_port=GRPC_PORT)]
    if debian13 is not None:
        with programs_of(debian13):
            peers.append(_our_waypoint(lab, backend, "debian13", "aquifer 3.5"))
    for start in (_our_waypoint, _envoy_waypoint, _our_plain, _envoy_plain, _haproxy, _nginx):
        try:
            peers.append(start(lab, backend))
        except LabError as error:
            say(f"{start.__name__.strip('_')} is left out: {error}")
    return peers


def _vip(lab: Lab, namespace: str, name: str) -> str:
    return str(lab.mesh.find("Service", namespace, name)["spec"]["clusterIP"])


def _our_waypoint(lab: Lab, backend: str, service: str = "ours", name: str = "aquifer") -> Peer:
    pod = add_waypoint(lab, "infra", service, node="node3")
    running = start_waypoint(lab, pod, f"infra/{service}", backend=backend)
    use_waypoint(lab, "Service", "mesh", service, f"infra/{service}")
    vip = _vip(lab, "mesh", service)
    return Peer(name, lab.pod("mesh/client"), vip, 80, running, grpc_port=GRPC_SERVICE_PORT)


def _envoy_waypoint(lab: Lab, _: str) -> Peer:
    pod = add_waypoint(lab, "infra", "envoys", node="node3")
    mint = Mint(lab.ca_dir, lab.work_dir / "waypoint-certs")
    cert = mint.leaf("spiffe://cluster.local/ns/infra/sa/envoys", valid_to_h=2)
    vip = _vip(lab, "mesh", "envoys")
    config = waypoint(cert, vip, lab.pod("mesh/server").ip, SERVER_PORT, GRPC_PORT, log=True)
    running = start_envoy(lab, pod, config, "envoy-waypoint", HBONE_PORT, threads=THREADS)
    use_waypoint(lab, "Service", "mesh", "envoys", "infra/envoys")
    return Peer("envoy", lab.pod("mesh/client"), vip, 80, running, grpc_port=GRPC_SERVICE_PORT)


def _our_plain(lab: Lab, backend: str) -> Peer:
    pod = add_waypoint(lab, "infra", "plain", node="node3")
    service = f"{PLAIN_PORT}=plain/server.plain.{CLUSTER_DOMAIN}:80"
    running = start_waypoint(lab, pod, "infra/plain", backend=backend, plain=service)
    return Peer("aquifer plain", lab.pod("plain/client"), pod.ip, PLAIN_PORT, running)


def _envoy_plain(lab: Lab, _: str) -> Peer:
    pod = lab.pod("plain/middle")
    config = reverse_proxy(PLAIN_PORT, lab.pod("plain/server").ip, SERVER_PORT, log=True)
    running = start_envoy(lab, pod, config, "envoy-plain", PLAIN_PORT, threads=THREADS)
    return Peer("envoy plain", lab.pod("plain/client"), pod.ip, PLAIN_PORT, running)


def _haproxy(lab: Lab, _: str) -> Peer:
    pod, port = lab.pod("plain/middle"), PLAIN_PORT + 1
    config: Path = lab.work_dir / "haproxy-l7.cfg"
    server = lab.pod("plain/server").ip
    config.write_text(_HAPROXY.format(threads=THREADS, port=port, server=server, server_port=SERVER_PORT))
    running = lab.spawn("haproxy-l7", pod, ["haproxy", "-db", "-f", str(config)])
    wait_for_port(pod, port, running)
    return Peer("haproxy", lab.pod("plain/client"), pod.ip, port, running, http2=False)


def _nginx(lab: Lab, _: str) -> Peer:
    pod, port = lab.pod("plain/middle"), PLAIN_PORT + 2
    body = _PROXY.format(port=port, server=lab.pod("plain/server").ip, server_port=SERVER_PORT)
    running = _run_nginx(lab, pod, "nginx-l7", body, port)
    return Peer("nginx", lab.pod("plain/client"), pod.ip, port, running, http2=False)


def _start_server(lab: Lab, pod: Pod) -> None:
    folder = lab.work_dir / f"www-{pod.key.replace('/', '-')}"
    folder.mkdir()
    (folder / "large").write_bytes(b"x" * 65536)
    folder.chmod(0o755)
    grpc = ["fortio", "server", "-grpc-port", str(GRPC_PORT), "-http-port", "disabled", "-redirect-port", "disabled",
            "-tcp-port", "disabled", "-udp-port", "disabled"]  # fmt: skip
    wait_for_port(pod, GRPC_PORT, lab.spawn(f"grpc-{pod.key.replace('/', '-')}", pod, grpc))
    _run_nginx(lab, pod, f"server-{pod.key.replace('/', '-')}", _SERVER.format(port=SERVER_PORT, folder=folder), SERVER_PORT)


def _run_nginx(lab: Lab, pod: Pod, name: str, body: str, port: int) -> Process:
    folder = lab.work_dir / name
    folder.mkdir(exist_ok=True)
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(threads=THREADS, folder=folder, body=body))
    running = lab.spawn(name, pod, ["nginx", "-e", str(folder / "error.log"), "-c", str(config), "-p", str(folder)])
    wait_for_port(pod, port, running)
    return running
