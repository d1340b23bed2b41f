"""The mesh of the DNS tests: one node, some pods, and a real, signing DNS server (Knot) on the node.

Pods have a resolver that does not exist (RESOLVER): whatever answers them from that address is the proxy. `outside`
is not enrolled and asks Knot itself: what it gets is what a captured pod must get, byte for byte.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.helpers import wait_captured
from tests.lab import Lab, Pod, Process, Ztunnel, run, wait_until

RESOLVER, RESOLVER6 = "10.96.0.10", "fd00:96::53"
UDP, TCP = "udp", "tcp"
A, NS, CNAME, TXT, AAAA, SRV, DNSKEY, HTTPS, ANY, UNKNOWN = 1, 2, 5, 16, 28, 33, 48, 65, 255, 65280
ANSWER_TIMEOUT_S = 10.0
KNOT_TIMEOUT_S = 20.0
END_TIMEOUT_S = 20.0

_KNOT_CONF = """\
server:
    rundir: "{folder}"
    listen: [ "{ip}@53", "{ip6}@53" ]
    user: root:root
database:
    storage: "{folder}"
log:
  - target: stdout
    any: info
policy:
  - id: signed
    algorithm: ecdsap256sha256
template:
  - id: default
    storage: "{folder}"
    file: "%s.zone"
    dnssec-signing: on
    dnssec-policy: signed
zone:
  - domain: example.com
  - domain: cluster.local
"""

_ZONE = """\
$ORIGIN example.com.
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.53
www A 192.0.2.1
www AAAA 2001:db8::1
alias CNAME www
_sip._tcp SRV 10 20 5060 www
@ HTTPS 1 . alpn=h2,h3
odd TYPE65280 \\# 3 010203
*.many A 192.0.2.77
"""

# As in a cluster: names that do not exist there do not exist.
_CLUSTER_ZONE = "@ 60 SOA ns.cluster.local. hostmaster.cluster.local. 1 60 60 60 60\n@ 60 NS ns.example.com.\n"

# A program of another C library, whose resolver is its own.
_MUSL = """\
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
  struct addrinfo hints, *list, *at;
  char text[64];
  memset(&hints, 0, sizeof hints);
  hints.ai_socktype = SOCK_STREAM;
  int failed = getaddrinfo(argv[1], NULL, &hints, &list);
  if (failed) { puts(gai_strerror(failed)); return 1; }
  for (at = list; at; at = at->ai_next) {
    const void *bytes = at->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)at->ai_addr)->sin_addr
                                                 : (void *)&((struct sockaddr_in6 *)at->ai_addr)->sin6_addr;
    puts(inet_ntop(at->ai_family, bytes, text, sizeof text));
  }
  return 0;
}
"""


def query(name: str, kind: int, *, ident: int = 0x4D5A, edns: int = 0, dnssec: bool = False) -> bytes:
    """A query as it is on the wire; `edns` is the size that an answer may have."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label)
    message = struct.pack(">HHHHHH", ident, 0x0100, 1, 0, 0, 1 if edns else 0) + labels + b"\0"
    message += struct.pack(">HH", kind, 1)
    if edns:
        message += b"\0" + struct.pack(">HHBBHH", 41, edns, 0, 0, 0x8000 if dnssec else 0, 0)
    return message


def rcode(answer: bytes) -> int:
    return answer[3] & 15


def is_truncated(answer: bytes) -> bool:
    return bool(answer[2] & 2)


def answer_count(answer: bytes) -> int:
    return struct.unpack(">H", answer[6:8])[0]


def read_message(stream: socket.socket) -> bytes:
    """One message with its length before it; empty at the end of the stream."""

    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = stream.recv(count - len(data))
            if not part:
                return b""
            data += part
        return data

    head = exactly(2)
    return exactly(struct.unpack(">H", head)[0]) if head else b""


def framed(message: bytes) -> bytes:
    return struct.pack(">H", len(message)) + message


def ask(pod: Pod, server: str, message: bytes, transport: str = UDP) -> bytes:
    """The answer, which must come from where it was asked."""
    if transport == TCP:
        with pod.connect(server, 53, timeout=ANSWER_TIMEOUT_S) as stream:
            stream.sendall(framed(message))
            return read_message(stream)
    with udp(pod, server) as datagrams:
        datagrams.sendto(message, (server, 53))
        answer, peer = datagrams.recvfrom(65535)
        assert peer[:2] == (server, 53), f"asked {server}, answered by {peer}"
        return answer


def udp(pod: Pod, server: str, timeout: float = ANSWER_TIMEOUT_S) -> socket.socket:
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    datagrams = pod.ns.open_socket(family, socket.SOCK_DGRAM)
    datagrams.settimeout(timeout)
    return datagrams


@dataclass
class DnsWorld:
    lab: Lab
    backend: str
    env: dict[str, str]
    client: Pod
    outside: Pod
    folder: Path
    knot: Process | None = None
    musl: Path = field(default_factory=Path)

    @property
    def proxy(self) -> Ztunnel:
        return self.lab.node("node1").proxy

    @property
    def knot_ip(self) -> str:
        return self.lab.node("node1").ip

    def start_ztunnel(self, **env: str) -> Ztunnel:
        """One that listens: while an older one runs, that one answers for both when asked whether it is ready."""
        started = self.lab.start_ztunnel("node1", backend=self.backend, env={**self.env, **env})
        # What it makes last in a pod.
        last = ":15001" if env.get("ISTIO_META_DNS_CAPTURE") == "false" else ":1505"

        def listens() -> bool:
            return any(line.belongs_to(started.pid) and last in line.local for line in self.client.sockets())

        wait_until("the proxy to listen", listens, END_TIMEOUT_S)
        wait_captured(self.client)
        return started

    def start_knot(self) -> None:
        node = self.lab.node("node1")
        conf = self.folder / "knot.conf"
        conf.write_text(_KNOT_CONF.format(folder=self.folder, ip=node.ip, ip6=node.ip6))
        zone = self.folder / "example.com.zone"
        if not zone.exists():
            zone.write_text(_ZONE + "".join(f'big TXT "{number:03d}{"x" * 200}"\n' for number in range(40)))
            (self.folder / "cluster.local.zone").write_text(_CLUSTER_ZONE)
        self.knot = self.lab.spawn("knot", node, ["/usr/sbin/knotd", "-c", str(conf)])
        wait_until("Knot to answer", self._knot_answers, KNOT_TIMEOUT_S)

    def stop_knot(self) -> None:
        assert self.knot is not None
        self.knot.kill()

    def _knot_answers(self) -> bool:
        assert self.knot is not None
        self.knot.require_alive()
        try:
            with udp(self.outside, self.knot_ip, timeout=1.0) as datagrams:
                datagrams.connect((self.knot_ip, 53))
                datagrams.send(query("www.example.com", A, edns=1232, dnssec=True))
                return answer_count(datagrams.recv(4096)) == 2  # signed
        except OSError:
            return False

    def dig(self, *words: str, pod: Pod | None = None, server: str = RESOLVER) -> str:
        command = ["dig", f"@{server}", "+time=10", "+tries=1", "+nocookie", *words]
        return (pod or self.client).run(command, check=False).stdout

    def short(self, name: str, *words: str) -> list[str]:
        return sorted(self.dig(name, *words, "+short").split())

    def total(self, metric: str, **labels: str) -> float:
        return self.proxy.metrics().total(metric, **labels)


@contextmanager
def dns_world(backend: str) -> Iterator[DnsWorld]:
    with Lab.new() as lab:
        mesh = lab.mesh
        mesh.mesh_config()
        mesh.namespace("mesh", ambient=True)
        mesh.namespace("outside")
        mesh.namespace("late")
        mesh.namespace("taken")
        mesh.pod("mesh", "client", node="node1", service_account="client")
        mesh.pod("mesh", "db-1", node="node1", labels={"role": "db"})
        mesh.pod("mesh", "db-2", node="node1", labels={"role": "db"})
        mesh.pod("mesh", "db-3", node="node1", labels={"role": "db"}, ready=False)
        mesh.pod("outside", "outside", node="node1")
        mesh.pod("late", "comer", node="node1")
        mesh.pod("taken", "holder", node="node1")
        mesh.service("mesh", "web", selector={"role": "db"}, ports=[(80, 8080)])
        mesh.service("outside", "four", selector={"app": "outside"}, ports=[(80, 8080)], ips=["10.96.0.200"])
        mesh.apply(headless("mesh", "db", {"role": "db"}))
        for name, target in (("outer", "alias.example.com"), ("inner", "web.mesh.svc.cluster.local")):
            mesh.apply(external("mesh", name, target))
        mesh.apply(service_entry("mesh", "api", ["api.example.com"], "STATIC", addresses=["240.1.0.5"]))
        mesh.apply(service_entry("mesh", "wild", ["*.wild.example.com"], "STATIC", addresses=["240.1.0.6"]))
        mesh.apply(service_entry("mesh", "auto", ["auto.example.com"], "DNS"))
        mesh.apply(service_entry("mesh", "none", ["www.example.com"], "NONE"))
        mesh.apply(
            service_entry("outside", "own", ["own.example.com"], "STATIC", addresses=["240.1.0.7"], exportTo=["."])
        )
        lab.up()
        for pod in lab.pods.values():
            namespace = pod.key.split("/")[0]
            search = f"{namespace}.svc.cluster.local svc.cluster.local cluster.local"
            pod.ns.write_etc("resolv.conf", f"nameserver {RESOLVER}\nsearch {search}\noptions ndots:5\n")
            pod.ns.write_etc("hosts", "127.0.0.1 localhost\n")
        node = lab.node("node1")
        env = {"AQUIFER_DNS_UPSTREAM": f"{node.ip},[{node.ip6}]:53", "RUST_LOG": "info,dns=debug"}
        folder = lab.work_dir / "knot"
        folder.mkdir()
        world = DnsWorld(lab, backend, env, lab.pod("mesh/client"), lab.pod("outside/outside"), folder)
        world.musl = build_musl_program(lab.work_dir)
        world.start_knot()
        world.start_ztunnel()
        yield world
        lab.stop_programs()
        reports = lab.sanitizer_reports()
        assert not reports, "a sanitizer found something:\n" + "\n".join(reports)


def headless(namespace: str, name: str, selector: dict[str, str]) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"clusterIP": "None", "clusterIPs": ["None"], "selector": selector, "ports": [{"port": 5432}]},
    }


def external(namespace: str, name: str, target: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"type": "ExternalName", "externalName": target},
    }


def service_entry(namespace: str, name: str, hosts: list[str], resolution: str, **spec: object) -> dict[str, object]:
    endpoints = [{"address": "192.0.2.200"}] if resolution == "STATIC" else []
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "hosts": hosts,
            "resolution": resolution,
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            **({"endpoints": endpoints} if endpoints else {}),
            **spec,
        },
    }


def build_musl_program(folder: Path) -> Path:
    source, program = folder / "resolve.c", folder / "resolve-musl"
    source.write_text(_MUSL)
    run(["musl-gcc", "-static", "-O1", "-o", str(program), str(source)])
    return program


def hold_dns_port(pod: Pod) -> socket.socket:
    held = pod.ns.open_socket(socket.AF_INET, socket.SOCK_DGRAM)
    held.bind(("127.0.0.1", 15053))
    return held


def rules_redirect_dns(pod: Pod) -> bool:
    return "--to-ports 15053" in pod.iptables_save()
