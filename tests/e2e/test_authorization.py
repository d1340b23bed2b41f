"""Who may reach a pod, with real traffic: the table of authorization_cases.py, and policies that change."""

from __future__ import annotations

import itertools
import json
import re
import socket
from collections.abc import Iterator

import pytest
import yaml

from tests.e2e.authorization_cases import APP_PORT, CASES, CLIENT, OTHER_PORT, Case, peer, policy, ports, source
from tests.e2e.helpers import Mesh, TcpServer, read_exactly, source_of, two_node_mesh
from tests.lab import Pod, wait_until
from tests.lab.mesh import Manifest

# Its name sorts nowhere special; it holds the policies of the test that runs.
FILE = "policies-under-test.yaml"
LOADS = "aquifer_config_loads_total"
DECISIONS = "aquifer_policy_decisions_total"
NONE_ALLOWED = "connection closed due to policy rejection: allow policies exist, but none allowed"
EXPLICIT = "connection closed due to policy rejection: explicitly denied by: "
POLICY_CHANGE = "connection closed due to policy change"
# Makes every version of the file a change, even to what it was.
VERSIONS = itertools.count()


@pytest.fixture(scope="module")
def mesh(backend: str) -> Iterator[Mesh]:
    """The two-node mesh, which logs what policies decide, with a second port in both servers."""
    with (
        two_node_mesh(backend, env={"AUTHZ_POLICY_INFO_LOGGING": "true"}) as running,
        TcpServer(running.server_a.listen(OTHER_PORT)),
        TcpServer(running.server_b.listen(OTHER_PORT)),
    ):
        yield running


@pytest.fixture(autouse=True)
def no_policies_left(mesh: Mesh) -> Iterator[None]:
    yield
    (mesh.lab.mesh.path / FILE).unlink(missing_ok=True)


def enforce(mesh: Mesh, manifests: list[Manifest]) -> None:
    """Writes these policies instead of the last ones, and waits until both proxies have read them."""
    before = {proxy.node: proxy.metrics().total(LOADS) for proxy in mesh.proxies}
    mesh.lab.mesh.write_raw(FILE, f"# {next(VERSIONS)}\n" + yaml.safe_dump_all(manifests))
    for proxy in mesh.proxies:
        wait_until(f"{proxy.name} to read the policies", lambda p=proxy: p.metrics().total(LOADS) > before[p.node])


def address_of(pod: Pod, family: int) -> str:
    return pod.ip6 if family == 6 else pod.ip


def talk(mesh: Mesh, case: Case) -> bool:
    """Does a byte come back?"""
    client, server = mesh.lab.pod(case.source), mesh.lab.pod(case.to)
    try:
        with client.connect(address_of(server, case.family), case.port) as stream:
            stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return stream.recv(1) != b""
    except ConnectionError:
        return False


def decisions_logged(mesh: Mesh, case: Case, since: int) -> list[str]:
    """The lines of the destination's proxy about this case's connection."""
    proxy = mesh.proxy_of(mesh.lab.pod(case.to))
    text = proxy.stdout_path.read_bytes()[since:].decode(errors="replace")
    return [line for line in text.splitlines() if "ztunnel::rbac" in line]


def check_log(mesh: Mesh, case: Case, since: int) -> None:
    """What the destination's proxy says of the connection: its access log, and the decision's line."""
    proxy = mesh.proxy_of(mesh.lab.pod(case.to))
    line = proxy.wait_access(since, where=lambda one: one.get("direction") == "inbound")
    if case.verdict == "allow":
        assert "error" not in line.fields, line.raw
    elif case.policy:
        assert line["error"] == EXPLICIT + case.policy
    else:
        assert line["error"] == NONE_ALLOWED
    said = decisions_logged(mesh, case, since)
    enforced = [one for one in said if "policy decision" in one]
    trials = [one for one in said if "dry-run policy matched" in one]
    assert [re.findall(r'policy="([^"]*)"', one) for one in trials] == [[name] for name in case.dry_run]
    if case.policy:
        assert len(enforced) == 1 and f'policy="{case.policy}"' in enforced[0], said
        assert f'result="{"allowed" if case.verdict == "allow" else "denied"}"' in enforced[0]
    elif case.verdict == "deny":
        assert len(enforced) == 1 and "policy=" not in enforced[0] and 'result="denied"' in enforced[0], said
    else:
        assert not enforced, said


def check_refusal(mesh: Mesh, case: Case) -> None:
    """What the destination's proxy remembers of a connection that it did not allow."""
    proxy = mesh.proxy_of(mesh.lab.pod(case.to))
    status, body = proxy.get(f"/refusals?pod={case.to}")
    assert status == 200
    newest = max(json.loads(body)["refusals"], key=lambda refusal: str(refusal["time"]))
    assert newest.get("policy", "") == case.policy, newest
    assert case.detail in newest.get("detail", ""), newest


@pytest.mark.sanitizer
def test_real_connections_meet_the_verdicts_of_the_table(mesh: Mesh) -> None:
    for case in CASES:
        print(case.name)  # the last one is that of a failure
        enforce(mesh, case.manifests)
        since = mesh.proxy_of(mesh.lab.pod(case.to)).log_mark()
        assert talk(mesh, case) == (case.verdict == "allow"), case.name
        check_log(mesh, case, since)
        if case.verdict == "deny":
            check_refusal(mesh, case)


def test_metrics_name_the_policy_that_decided(mesh: Mesh) -> None:
    proxy = mesh.proxy_of(mesh.server_b)

    def count(**labels: str) -> float:
        return proxy.metrics().total(DECISIONS, **labels)

    denied = {"policy": "mesh/d", "action": "DENY", "dry_run": "false", "result": "denied"}
    allowed = {"policy": "mesh/a", "action": "ALLOW", "dry_run": "false", "result": "allowed"}
    nobody = {"policy": "", "action": "ALLOW", "dry_run": "false", "result": "denied"}
    trial = {"policy": "mesh/t", "action": "DENY", "dry_run": "true", "result": "would_deny"}
    before = [count(**labels) for labels in (denied, allowed, nobody, trial)]
    enforce(
        mesh,
        [
            policy("DENY", [ports(OTHER_PORT)], name="d"),
            policy("ALLOW", [source(principals=[CLIENT])], name="a"),
            policy("DENY", [{}], name="t", dry_run=True),
        ],
    )
    for case in (
        Case("denied", [], "deny", port=OTHER_PORT),
        Case("allowed", [], "allow"),
        Case("nobody allows it", [], "deny", source="outside/outside"),
    ):
        assert talk(mesh, case) == (case.verdict == "allow"), case.name
    wanted = [before[0] + 1, before[1] + 1, before[2] + 1, before[3] + 3]
    wait_until(
        "the decisions to be counted",
        lambda: [count(**labels) for labels in (denied, allowed, nobody, trial)] == wanted,
    )


def test_a_denied_tunnel_is_told_401_at_the_source(mesh: Mesh) -> None:
    enforce(mesh, [policy("DENY", [source(principals=[CLIENT])])])
    proxy = mesh.proxy_of(mesh.client)
    since = proxy.log_mark()
    assert not talk(mesh, Case("denied", [], "deny"))
    line = proxy.wait_access(since, direction="outbound")
    assert line["error"] == "http status: 401 Unauthorized"


@pytest.mark.sanitizer
def test_a_policy_that_changes_cuts_what_it_forbids_and_nothing_else(mesh: Mesh) -> None:
    enforce(mesh, [])
    proxy = mesh.proxy_of(mesh.server_b)
    with (
        mesh.client.connect(mesh.server_b.ip, OTHER_PORT) as forbidden,
        mesh.outside.connect(mesh.server_b.ip, OTHER_PORT) as plaintext,
        mesh.server_a.connect(mesh.server_b.ip, OTHER_PORT) as other,
    ):
        for stream in (forbidden, plaintext, other):
            stream.sendall(b"alive")
            assert read_exactly(stream, 5) == b"alive"
        plaintext_source = source_of(plaintext)
        since = proxy.log_mark()
        enforce(mesh, [policy("DENY", [source(principals=[CLIENT])])])
        assert ends(forbidden)
        line = proxy.wait_access(since, src_workload="client")
        assert (line["error"], line["direction"]) == (POLICY_CHANGE, "inbound")
        for stream in (plaintext, other):
            stream.sendall(b"still")
            assert read_exactly(stream, 5) == b"still"
        # A selector's policy reaches it by the workload's record.
        enforce(mesh, [peer("STRICT", app="server-b")])
        assert ends(plaintext)
        line = proxy.wait_access(since, src_addr=plaintext_source)
        assert line["error"] == POLICY_CHANGE
        other.sendall(b"still")
        assert read_exactly(other, 5) == b"still"


def test_a_broken_policy_is_refused_whole_and_the_last_ones_stay_in_force(mesh: Mesh) -> None:
    enforce(mesh, [policy("DENY", [source(principals=[CLIENT])])])
    proxy = mesh.proxy_of(mesh.server_b)
    assert not talk(mesh, Case("denied", [], "deny"))
    refused = proxy.metrics().total("aquifer_config_refusals_total")
    broken = policy("DENY", [source(ipBlocks=["10.0.0.0/99"])])
    mesh.lab.mesh.write_raw(FILE, yaml.safe_dump(broken))
    wait_until(
        "the broken policy to be refused", lambda: proxy.metrics().total("aquifer_config_refusals_total") > refused
    )
    # Lines come from a thread of their own, after the metric.
    wait_until("the reason to be said", lambda: "is neither an address nor a network" in proxy.stdout())
    assert not talk(mesh, Case("denied", [], "deny"))


def ends(stream: socket.socket) -> bool:
    """The stream ends or breaks, within its own timeout."""
    try:
        return stream.recv(1) == b""
    except ConnectionError:
        return True


def test_the_port_the_application_has_is_the_one_that_counts_for_a_service(mesh: Mesh) -> None:
    """Service `server-b` has port 80, its pods 8080: the policy is about the pods' port."""
    enforce(mesh, [policy("ALLOW", [ports(APP_PORT)])])
    vip = mesh.lab.mesh.find("Service", "mesh", "server-b")["spec"]["clusterIP"]
    assert mesh.client.curl(f"http://{vip}/").startswith("hello from server-b")
