"""What `ztunnel explain` says is what happens: verdict, the policy named, the reason in the log, the endpoint chosen.

Every situation is made real: its manifests are applied to the running mesh, a connection is opened, and the access log
says how it ended. Then explain is asked on the same mesh directory.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.e2e.authorization_cases import CASES as AUTHORIZATION_CASES
from tests.e2e.authorization_cases import OTHER_PORT
from tests.e2e.egress_cases import BANNER, BANNER_PORT, CASES, HTTP, SILENT, TLS, TLS_PORT
from tests.e2e.explain_cases import SITUATIONS, Situation, from_authorization, from_egress, pod_name
from tests.e2e.helpers import Mesh, TcpServer, read_all, source_of
from tests.e2e.peer_certs import Mint
from tests.e2e.policies import Policies
from tests.lab import AccessLine
from tests.lab.ztunnel import ztunnel_binary

REQUEST = b"GET / HTTP/1.0\r\n\r\n"
ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes"
GREETING = b"220 speak, friend\r\n"
# Silence is refused after a second of waiting; explain is not asked about time.
ALL = [
    *SITUATIONS,
    *(from_authorization(case) for case in AUTHORIZATION_CASES),
    *(from_egress(case) for case in CASES if case.talk != SILENT),
]


@dataclass(frozen=True)
class Found:
    """How a real connection ended: by the access lines of both proxies."""

    served: bool
    outbound: AccessLine | None
    inbound: AccessLine | None

    @property
    def denied(self) -> AccessLine | None:
        """The line of the proxy that said no."""
        lines = [line for line in (self.inbound, self.outbound) if line is not None and line.get("error")]
        return lines[0] if lines else None


def answer_once(stream: socket.socket) -> None:
    seen = b""
    while not seen.endswith(b"\r\n\r\n"):
        part = stream.recv(1 << 16)
        if not part:
            return
        seen += part
    stream.sendall(ANSWER)


@pytest.fixture(scope="module")
def world(mesh: Mesh) -> Iterator[dict[str, str]]:
    """Who listens where: TLS and a server that speaks first, outside the mesh."""
    leaf = Mint(mesh.lab.ca_dir, mesh.lab.work_dir / "tls-server", stranger=True).leaf(None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.chain)

    def tls(stream: socket.socket) -> None:
        with context.wrap_socket(stream, server_side=True) as secured:
            answer_once(secured)

    def banner(stream: socket.socket) -> None:
        stream.sendall(GREETING)
        stream.recv(1)

    node2 = mesh.lab.node("node2")
    pods = {}
    for key, pod in mesh.lab.pods.items():
        pods |= {pod_name(key, 4): pod.ip, pod_name(key, 6): f"[{pod.ip6}]"}
    services = {s["metadata"]["name"]: s["spec"]["clusterIP"] for s in mesh.lab.mesh.objects("Service")}
    with (
        TcpServer(mesh.outside.listen(TLS_PORT), tls),
        TcpServer(mesh.outside.listen(BANNER_PORT), banner),
        TcpServer(node2.ns.listen("::", BANNER_PORT), banner),
        TcpServer(mesh.server_a.listen(OTHER_PORT), answer_once),
        TcpServer(mesh.server_b.listen(OTHER_PORT), answer_once),
    ):
        yield {
            **pods,
            "client": mesh.client.ip,
            "server_a": mesh.server_a.ip,
            "server_b": mesh.server_b.ip,
            "server_b6": mesh.server_b.ip6,
            "server_service": services["server"],
            "server_b_service": services["server-b"],
            "outside": mesh.outside.ip,
            "outside_net": f"{mesh.outside.ip.rsplit('.', 1)[0]}.0/24",
            "node2": node2.ip,
            "node2_net": f"{node2.ip.rsplit('.', 1)[0]}.0/24",
            "tls_port": str(TLS_PORT),
            "banner_port": str(BANNER_PORT),
        }


def fill(value: Any, world: dict[str, str]) -> Any:
    if isinstance(value, str):
        return value.format_map(world)
    if isinstance(value, (list, tuple)):
        return type(value)(fill(item, world) for item in value)
    if isinstance(value, dict):
        return {key: fill(item, world) for key, item in value.items()}
    return value


def converse(stream: socket.socket, situation: Situation) -> bool:
    if situation.talk == BANNER:
        return stream.recv(len(GREETING)) == GREETING
    if situation.talk == TLS:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with context.wrap_socket(stream, server_hostname=situation.server_name) as secured:
            secured.sendall(REQUEST)
            return read_all(secured) == ANSWER
    stream.sendall(REQUEST)
    return b" 200 OK" in read_all(stream)


def connect(mesh: Mesh, situation: Situation) -> Found:
    """Opens the connection, and reads in both proxies' logs how it ended."""
    marks = mesh.marks()
    pod = mesh.lab.pod(situation.source)
    host, port = situation.to.rsplit(":", 1)
    served, fields = False, {}
    try:
        with pod.connect(host.strip("[]"), int(port)) as stream:
            fields = {"src_addr": source_of(stream)}
            served = converse(stream, situation)
    except (OSError, ssl.SSLError):
        pass  # a refusal may come as quickly as the connection itself
    outbound = None
    if situation.source.startswith("mesh/"):
        proxy = mesh.lab.node(pod.node).proxy
        outbound = proxy.wait_access(marks[pod.node], direction="outbound", **fields)
    return Found(served, outbound, inbound_line(mesh, marks, situation, outbound, served))


def inbound_line(
    mesh: Mesh, marks: dict[str, int], situation: Situation, outbound: AccessLine | None, served: bool
) -> AccessLine | None:
    """Where the connection came to a captured pod: its line there."""
    if outbound is not None and not application_of(outbound):
        return None
    if outbound is not None and outbound.get("error") and "401" not in outbound["error"]:
        return None  # refused before it left
    names = {pod.ip: pod for pod in mesh.lab.pods.values()} | {pod.ip6: pod for pod in mesh.lab.pods.values()}
    target = application_of(outbound) if outbound is not None else situation.to
    pod = names.get(target.rsplit(":", 1)[0].strip("[]"))
    if pod is None:  # from outside, by a service's address
        pod = mesh.server_b
    return mesh.proxy_of(pod).wait_access(marks[pod.node], direction="inbound")


def application_of(outbound: AccessLine) -> str:
    """Whom the destination's proxy was asked for, in a tunnel or inside the node; empty: no proxy was asked."""
    if outbound.get("transport") == "same-node":
        return outbound["dst.addr"]
    return outbound.get("dst.hbone_addr") or ""


def explain(mesh: Mesh, situation: Situation, *options: str) -> dict[str, Any]:
    arguments = ["--mesh", str(mesh.lab.mesh.path), "--from", situation.source, "--to", situation.ask or situation.to]
    if situation.talk == TLS and situation.server_name:
        arguments += ["--server-name", situation.server_name]
    done = subprocess.run(
        [ztunnel_binary(), "explain", "--json", *arguments, *options], capture_output=True, text=True, timeout=30,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def check(mesh: Mesh, situation: Situation) -> str:
    """Compares, and gives the verdict that both agree on."""
    found = connect(mesh, situation)
    answer = explain(mesh, situation)
    [connection] = answer["connections"]
    assert connection["destination"] == situation.to
    verdict = verdict_at_source(connection)
    if verdict == "undecided":
        check_undecided(situation, found, connection)
        return verdict
    assert (verdict == "allowed") == found.served, f"explain: {verdict}, served: {found.served}"
    if verdict == "fails":
        assert found.denied is not None and found.denied["error"] == connection["failure"], found.denied
        return verdict
    endpoint = check_endpoint(found, connection)
    if verdict == "denied":
        check_denial(found, endpoint)
    return verdict


def verdict_at_source(connection: dict[str, Any]) -> str:
    """What the source's log can tell: through a waypoint, no more than that the waypoint was reached."""
    if not connection.get("behindWaypoint"):
        return str(connection["verdict"])
    verdicts = {str(endpoint["verdict"]) for endpoint in connection["endpoints"] if endpoint["eligible"]}
    return verdicts.pop() if len(verdicts) == 1 else "undecided"


def check_endpoint(found: Found, connection: dict[str, Any]) -> dict[str, Any]:
    """The endpoint that was really taken is one that explain says may be."""
    eligible = {endpoint["address"]: endpoint for endpoint in connection["endpoints"] if endpoint["eligible"]}
    line = found.outbound or found.inbound
    assert line is not None
    taken = line.get("dst.hbone_addr") or line["dst.addr"]
    if found.outbound is None:  # plaintext: the log has the application's address
        taken = line["dst.addr"]
    assert taken in eligible, f"{taken} is none of {list(eligible)}"
    endpoint: dict[str, Any] = eligible[taken]
    if line.get("dst.workload"):
        assert endpoint.get("workload", "").endswith("/" + line["dst.workload"]), endpoint
    if found.outbound is not None and endpoint["path"] == "hbone":
        stays = line.get("transport") == "same-node"
        assert stays == endpoint["sameNode"]
        assert line["dst.addr"] == endpoint["address" if stays else "tunnel"]
        assert line["dst.identity"] in endpoint["expectedIdentities"]
    return endpoint


def check_denial(found: Found, endpoint: dict[str, Any]) -> None:
    """The proxy that said no, its words, and the policy it named."""
    at_destination = found.inbound is not None and bool(found.inbound.get("error"))
    judgement = endpoint["inbound" if at_destination else "egress"]
    line = found.denied
    assert line is not None
    assert judgement["verdict"] == "denied", judgement
    assert judgement["reason"] == line["error"]
    if judgement.get("policy"):
        assert judgement["policy"] in line["error"]
        names = [policy["name"] for policy in judgement["policies"]]
        assert judgement["policy"] in names or "istio_converted" in judgement["policy"], names


def check_undecided(situation: Situation, found: Found, connection: dict[str, Any]) -> None:
    """Only where the client's own words decide: it did not say a TLS server name that could be given."""
    judgements = [endpoint["egress"] for endpoint in connection["endpoints"]]
    assert all("--server-name" in judgement["reason"] for judgement in judgements), connection
    assert situation.server_name is None and situation.talk in (HTTP, TLS)
    assert found.denied is not None and judgements[0]["reason"].split()[0] in found.denied["error"]


def test_explain_says_of_every_situation_what_a_real_connection_finds(mesh: Mesh, world: dict[str, str]) -> None:
    policies = Policies(mesh)
    situations = sorted((fill_situation(one, world) for one in ALL), key=lambda one: repr(one.manifests))
    failures = []
    verdicts: Counter[str] = Counter()
    for situation in situations:
        try:
            policies.apply(*situation.manifests)
            verdicts[check(mesh, situation)] += 1
        except Exception as error:  # every situation is to be seen, whatever goes wrong in one
            failures.append(f"{situation.name}: {error!r}")
    policies.apply()
    assert not failures, f"{len(failures)} of {len(situations)}:\n" + "\n".join(failures)
    # A table in which nothing is ever denied would agree with anything.
    assert verdicts["allowed"] >= 20 and verdicts["denied"] >= 20 and verdicts["fails"] >= 3, verdicts


def fill_situation(situation: Situation, world: dict[str, str]) -> Situation:
    return replace(
        situation, manifests=fill(situation.manifests, world), to=situation.to.format_map(world),
        ask=situation.ask.format_map(world),
    )  # fmt: skip


def test_there_are_enough_situations_of_every_kind() -> None:
    assert len(ALL) >= 40
    assert len({situation.name for situation in ALL}) == len(ALL)


def test_a_denial_is_told_with_its_nearest_miss_and_remembered_by_the_running_proxy(
    mesh: Mesh, world: dict[str, str]
) -> None:
    policies = Policies(mesh)
    situation = fill_situation(next(one for one in SITUATIONS if one.name == "ALLOW: another is named"), world)
    policies.apply(*situation.manifests)
    assert not connect(mesh, situation).served
    answer = explain(mesh, situation)
    inbound = answer["connections"][0]["endpoints"][0]["inbound"]
    assert inbound["nearestMiss"] == "would pass if the principal were cluster.local/ns/mesh/sa/server-a"
    # And so it is: the one that is named passes.
    other = replace(situation, source="mesh/server-a")
    assert explain(mesh, other)["verdict"] == "allowed"
    assert connect(mesh, other).served
    policies.apply()
