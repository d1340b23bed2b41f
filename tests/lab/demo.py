#!/usr/bin/env python3
"""The demo: two nodes, a mesh, real programs, and a proof for each thing said. Run it as `./dev demo`.

demo.py          brings it up, shows it, takes it down; exit code 0 only if every claim held
demo.py --keep   leaves it up and says how to play with it
demo.py down     takes down what --keep left
"""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

# Run as a script, it finds the package it belongs to from the root of the repository.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.lab import record  # noqa: E402
from tests.lab.apps import HttpServer, Iperf3Server  # noqa: E402
from tests.lab.capture import Capture  # noqa: E402
from tests.lab.demo_policy import PolicyChapters  # noqa: E402
from tests.lab.demo_report import Report  # noqa: E402
from tests.lab.demo_waypoint import WaypointChapters  # noqa: E402
from tests.lab.measure import Latency, connection_latency, read_response, request_latency  # noqa: E402
from tests.lab.netns import NETNS_DIR  # noqa: E402
from tests.lab.pods import Pod  # noqa: E402
from tests.lab.shell import LabError, wait_until  # noqa: E402
from tests.lab.topology import Lab  # noqa: E402

HBONE_PORT, APP_PORT = 15008, 8080
# A service with two endpoints picks one a time: twelve requests miss one of them once in two thousand runs.
REQUESTS = 12
ENROL_LIMIT_S = 1.0
# A busy machine may take the processor away for longer than that: then it is measured again, and said so.
ENROL_TRIES = 4
IPERF3_SECONDS = 3
LATENCY_REQUESTS = 2000
LATENCY_CONNECTIONS = 300
MARK_FILE = "aquifer-demo"


@dataclass(frozen=True)
class Figures:
    """What a path costs."""

    gbit_s: float
    request: Latency
    connection: Latency


class Demo:
    """The story in order; each chapter leaves the mesh as the next one expects it."""

    def __init__(self, lab: Lab, report: Report) -> None:
        self.lab, self.report = lab, report
        self._build()
        self.client, self.visitor = lab.pod("shop/client"), lab.pod("legacy/visitor")
        self.near, self.far = lab.pod("shop/web-1"), lab.pod("shop/web-2")
        self.servers = [HttpServer(lab, pod, APP_PORT) for pod in (self.near, self.far)]
        self.iperf3 = Iperf3Server(lab, self.far)

    def _build(self) -> None:
        mesh = self.lab.mesh
        mesh.mesh_config()
        mesh.namespace("shop")
        mesh.namespace("legacy")
        mesh.pod("shop", "client", node="node1", service_account="client")
        self._server("web-1", "node1", "v1")
        self._server("web-2", "node2", "v2")
        mesh.pod("legacy", "visitor", node="node2", service_account="visitor")
        mesh.service("shop", "web", selector={"app": "web"}, ports=[(80, "http")])
        (self.lab.work_dir / MARK_FILE).touch()
        self.lab.up()
        self.lab.start_ztunnels()

    def _server(self, name: str, node: str, version: str) -> None:
        labels = {"app": "web", "version": version}
        self.lab.mesh.pod("shop", name, node=node, service_account="web", labels=labels, ports={"http": APP_PORT})

    def play(self) -> None:
        self.introduce()
        direct = self.without_mesh()
        with self.client.connect(self.far.ip, APP_PORT) as early:
            self._ask(early)
            self.label_and_watch()
            self.early_connection(early)
        self.identities()
        self.source_address()
        self.from_outside()
        PolicyChapters(self.lab, self.report, self.client, self.visitor, self.far, APP_PORT).play()
        WaypointChapters(self.lab, self.report, self.client, self.servers).play()
        self.figures(direct)
        self.fails_closed()

    # --- chapters ------------------------------------------------------------------------------

    def introduce(self) -> None:
        self.report.step("Two nodes and four pods, each a network namespace; nothing is in the mesh yet")
        for key, pod in self.lab.pods.items():
            self.report.say(f"{key:15} on {pod.node}   {pod.ip:12} {pod.ip6}")
        self.report.say(
            "web-1 and web-2 are nginx behind the Service web (port 80); client asks with curl. A ztunnel runs on each "
            "node and waits. All packets between the nodes are recorded with tcpdump."
        )

    def without_mesh(self) -> Figures:
        self.report.step("The request without the mesh")
        secret = _new_secret()
        with self.lab.capture("before") as capture:
            self._show_requests(secret)
        self.report.claim(
            "Without the mesh, anyone on the wire reads the request",
            f"{_sight(capture, secret)}; connections opened over it: {_ports(capture)}",
            capture.shows(secret.encode()) and not _only_tunnels(capture),
        )
        return self._measure()

    def label_and_watch(self) -> None:
        self.report.step("kubectl label namespace shop istio.io/dataplane-mode=ambient")
        programs = [*(server.process for server in self.servers), *(node.proxy for node in self.lab.nodes.values())]
        secret = _new_secret()
        with self.lab.capture("after") as capture:
            took = [self._enrol()]
            answers = self._show_requests(secret)
        while min(took) > ENROL_LIMIT_S and len(took) < ENROL_TRIES:
            self.lab.mesh.release("shop")
            wait_until("the pods of shop to be released", lambda: not any(map(Pod.is_captured, self._members())))
            took.append(self._enrol())
        tries = f" at the {len(took)}th label, others took {max(took):.1f} s" if len(took) > 1 else " after the label"
        self.report.claim(
            "Labelling captures running pods within a second",
            f"all {len(self._members())} pods were captured {min(took) * 1000:.0f} ms{tries}; of nginx and ztunnel "
            f"{sum(program.alive() for program in programs)} of {len(programs)} processes are still the same",
            min(took) <= ENROL_LIMIT_S and all(program.alive() for program in programs),
        )
        self.report.claim(
            "The same request is answered as before",
            f"{len(answers)} of {REQUESTS} answered, by {' and '.join(sorted(_who(answers)))}",
            len(answers) == REQUESTS and _who(answers) == {"web-1", "web-2"},
        )
        self.report.claim(
            "Between the nodes there are only tunnels",
            f"connections opened over the wire: {_ports(capture)}",
            _only_tunnels(capture),
        )
        self.report.claim(
            "Nobody on the wire reads the request",
            f"{_sight(capture, secret)}; {capture.dropped} packets lost by the capture",
            not capture.shows(secret.encode()),
        )

    def _members(self) -> list[Pod]:
        return [pod for key, pod in self.lab.pods.items() if key.startswith("shop/")]

    def _enrol(self) -> float:
        """Labels the namespace; gives the seconds until its pods are captured."""
        start = time.monotonic()
        self.lab.mesh.enrol("shop")
        wait_until("the pods of shop to be captured", lambda: all(map(Pod.is_captured, self._members())))
        return time.monotonic() - start

    def early_connection(self, early: socket.socket) -> None:
        self.report.step("A connection that was open before the label")
        body = self._ask(early)
        self.report.claim(
            "Connections from before live on", f"the old connection still answers: {body.strip()}", "hello" in body
        )

    def identities(self) -> None:
        self.report.step("Who talked to whom: the access logs of both nodes")
        first, second = (self.lab.node(name).proxy for name in ("node1", "node2"))
        marks = first.log_mark(), second.log_mark()
        self.client.curl(f"http://{self.far.ip}:{APP_PORT}/")
        out = first.wait_access(marks[0], direction="outbound")
        into = second.wait_access(marks[1], direction="inbound")
        for line in (out, into):
            self.report.show(line.raw.replace("\t", " "))
        wanted = ("spiffe://cluster.local/ns/shop/sa/client", "spiffe://cluster.local/ns/shop/sa/web")
        seen = [(line.get("src.identity"), line.get("dst.identity")) for line in (out, into)]
        self.report.claim(
            "Both sides know the other's identity",
            "; ".join(
                f"{side} says {one} to {other}" for side, (one, other) in zip(("node1", "node2"), seen, strict=True)
            ),
            seen == [wanted, wanted],
        )

    def source_address(self) -> None:
        answers = [self.client.curl(f"http://{server.pod.ip}:{APP_PORT}/").strip() for server in self.servers]
        self.report.claim(
            "The application sees the client's own address",
            f"client is {self.client.ip}; nginx says: {', '.join(answers)}",
            all(answer.endswith(f"you are {self.client.ip}") for answer in answers),
        )

    def from_outside(self) -> None:
        self.report.step("A pod outside the mesh asks a pod inside (permissive, as by default)")
        proxy = self.lab.node("node1").proxy
        mark = proxy.log_mark()
        body = self.visitor.curl(f"http://{self.near.ip}:{APP_PORT}/").strip()
        line = proxy.wait_access(mark, direction="inbound", src_workload=self.visitor.key.partition("/")[2])
        self.report.show(line.raw.replace("\t", " "))
        self.report.claim(
            "Plaintext from outside is still served",
            f"{body}; the log names {line.get('src.identity') or 'no identity'} for {self.visitor.ip}",
            body.endswith(self.visitor.ip) and "src.identity" not in line.fields,
        )

    def figures(self, direct: Figures) -> None:
        self.report.step("What it costs")
        meshed = self._measure()
        rows = [
            ("throughput, one stream", f"{direct.gbit_s:.2f} Gbit/s", f"{meshed.gbit_s:.2f} Gbit/s"),
            ("request, connection kept open (p50 / p99)", _times(direct.request), _times(meshed.request)),
            ("new connection and request (p50 / p99)", _times(direct.connection), _times(meshed.connection)),
        ]
        self.report.show("\n".join([f"{'':42} {'direct':>18} {'in the mesh':>18}"]
                                   + [f"{name:42} {one:>18} {two:>18}" for name, one, two in rows]))  # fmt: skip
        self.report.claim(
            "Traffic in the mesh was measured and whole",
            f"{meshed.gbit_s:.2f} Gbit/s against {direct.gbit_s:.2f} direct; a request takes "
            f"{meshed.request.p50_us:.0f} us against {direct.request.p50_us:.0f}",
            meshed.gbit_s > 0 and meshed.request.count == LATENCY_REQUESTS,
        )

    def fails_closed(self) -> None:
        self.report.step("The node's ztunnel is killed (SIGKILL)")
        secret = _new_secret()
        with self.lab.capture("killed") as capture:
            self.lab.node("node1").proxy.kill()
            url = f"http://{self.far.ip}:{APP_PORT}/{secret}"
            refused = self.client.run(["curl", "-sS", "--max-time", "3", url], check=False)
        self.report.show(refused.stderr)
        self.report.claim(
            "Without its proxy a captured pod fails closed",
            f"curl ended with {refused.returncode}; {_sight(capture, secret)}; connections opened: {_ports(capture)}",
            refused.returncode != 0
            and not capture.shows(secret.encode())
            and _only_tunnels(capture, none_is_fine=True),
        )
        self.lab.start_ztunnel("node1")
        body = self.client.curl(f"http://{self.far.ip}:{APP_PORT}/").strip()
        self.report.claim("A new ztunnel takes over", f"started again, the request works: {body}", "hello" in body)

    # --- tools ---------------------------------------------------------------------------------

    def _show_requests(self, secret: str) -> list[str]:
        url = f"http://web.shop/{secret}"
        answers = [self.client.curl(url).strip() for _ in range(REQUESTS)]
        self.report.show("\n".join([f"$ curl {url}   ({REQUESTS} times)", *sorted(set(answers))]))
        return answers

    def _ask(self, stream: socket.socket) -> str:
        """One request on a connection that stays open."""
        stream.sendall(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        return read_response(stream.recv).decode()

    def _measure(self) -> Figures:
        self.report.say(f"(measuring between the nodes, about {IPERF3_SECONDS + 3} s)")
        return Figures(
            self.iperf3.measure(self.client, seconds=IPERF3_SECONDS),
            request_latency(self.client, self.far.ip, APP_PORT, LATENCY_REQUESTS),
            connection_latency(self.client, self.far.ip, APP_PORT, LATENCY_CONNECTIONS),
        )


def run_demo(keep: bool) -> int:
    report = Report()
    lab = Lab.new()
    try:
        Demo(lab, report).play()
        if keep:
            lab.keep()
    finally:
        if not keep:
            lab.down()
    if keep:
        report.table()
        _how_to_play(lab)
    else:
        left = [path.name for path in NETNS_DIR.iterdir() if path.name.startswith(lab.prefix)]
        report.claim("Nothing is left behind", f"{len(left)} namespaces and no files of the demo remain",
                     not left and not lab.work_dir.exists())  # fmt: skip
        report.table()
    return 0 if report.all_held else 1


def take_down() -> int:
    """Only demos: another lab that is up stays."""
    kept = [known for known in record.all_records() if known.kept and (Path(known.work_dir) / MARK_FILE).exists()]
    for known in kept:
        record.tear_down(known)
    print(f"took down {len(kept)} demo{'' if len(kept) == 1 else 's'}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev demo", description="A small mesh, shown working.")
    parser.add_argument("--keep", action="store_true", help="leave it up and print how to play with it")
    parser.add_argument("verb", nargs="?", choices=["down"], help="take down what --keep left up")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        print("demo: network namespaces need root", file=sys.stderr)
        return 1
    try:
        return take_down() if arguments.verb == "down" else run_demo(arguments.keep)
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


def _how_to_play(lab: Lab) -> None:
    # With the interpreter that runs now: the system's own need not have what the lab imports.
    tool = f"{sys.executable} {Path(__file__).resolve().parent / 'lab.py'}"
    print(f"""
It is still up. Things to try:
  {tool} exec shop/client -- curl -s http://web.shop/
  {tool} exec legacy/visitor -- curl -s http://web.shop/
  {tool} exec {next(iter(lab.nodes))} -- curl -s http://127.0.0.1:15020/metrics
  tail -f {lab.log_dir}/ztunnel-*.out                     (the access logs)
  ls {lab.mesh.path}      (the manifests: edit one and it takes effect; take the ambient label
                           out of namespace-shop.yaml and the pods leave the mesh)
  ./dev demo down                                         (when done)""")


def _new_secret() -> str:
    return f"my-card-number-{secrets.token_hex(6)}"


def _sight(capture: Capture, secret: str) -> str:
    return f"'{secret}' is {'in clear text' if capture.shows(secret.encode()) else 'nowhere'} on the wire"


def _ports(capture: Capture) -> str:
    counts = capture.syn_ports()
    return ", ".join(f"port {port} ({count})" for port, count in sorted(counts.items())) or "none"


def _only_tunnels(capture: Capture, *, none_is_fine: bool = False) -> bool:
    """No TCP SYN but to the tunnel's port; and one at least, for an empty capture shows nothing."""
    ports = capture.syn_ports()
    return set(ports) <= {HBONE_PORT} and (none_is_fine or ports[HBONE_PORT] > 0)


def _who(answers: list[str]) -> set[str]:
    return {answer.split(",")[0].removeprefix("hello from ") for answer in answers}


def _times(latency: Latency) -> str:
    return f"{latency.p50_us:.0f} / {latency.p99_us:.0f} us"


if __name__ == "__main__":
    sys.exit(main())
