"""Authorization cases as a table, for real traffic and for `ztunnel explain`: both must say the same.

The mesh is that of tests/e2e/helpers.py: mesh/client and mesh/server-a on node1, mesh/server-b on node2, all
enrolled, each with a service account of its own name; outside/outside on node2 is not enrolled and so comes as
plaintext. One case at a time: its manifests are added to that mesh, then `source` connects to an address of `to`
at `port`.

Case.name      what it is about, a sentence; also the test's id
Case.manifests Kubernetes objects, as dictionaries
Case.source    NAMESPACE/POD that connects
Case.to        NAMESPACE/POD that is connected to
Case.port      APP_PORT or OTHER_PORT: both answer
Case.family    4 or 6: which address of `to`
Case.verdict   "allow" or "deny"
Case.policy    NAMESPACE/NAME of the policy that decided; "" when none did ("no ALLOW policy", "none allowed")
Case.dry_run   policies on trial that matched, as NAMESPACE/NAME
Case.detail    a part of what a refusal says of the clause or the nearest miss; "" when it does not matter
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.lab.mesh import Manifest

APP_PORT = 8080
OTHER_PORT = 9090
ROOT = "istio-system"
STATIC_STRICT = f"{ROOT}/istio_converted_static_strict"
CLIENT = "cluster.local/ns/mesh/sa/client"


@dataclass(frozen=True)
class Case:
    name: str
    manifests: list[Manifest]
    verdict: str
    policy: str = ""
    source: str = "mesh/client"
    to: str = "mesh/server-b"
    port: int = APP_PORT
    family: int = 4
    dry_run: list[str] = field(default_factory=list)
    detail: str = ""


def policy(
    action: str,
    rules: list[Any] | None,
    *,
    name: str = "p",
    namespace: str = "mesh",
    app: str | None = None,
    dry_run: bool = False,
) -> Manifest:
    """An AuthorizationPolicy; `app` is the label that it selects by."""
    spec: Manifest = {"action": action}
    if rules is not None:
        spec["rules"] = rules
    if app is not None:
        spec["selector"] = {"matchLabels": {"app": app}}
    metadata: Manifest = {"name": name, "namespace": namespace}
    if dry_run:
        metadata["annotations"] = {"istio.io/dry-run": "true"}
    return {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": metadata, "spec": spec}


def peer(
    mode: str | None,
    *,
    name: str = "peer",
    namespace: str = "mesh",
    app: str | None = None,
    ports: dict[int, str] | None = None,
) -> Manifest:
    """A PeerAuthentication."""
    spec: Manifest = {}
    if mode is not None:
        spec["mtls"] = {"mode": mode}
    if app is not None:
        spec["selector"] = {"matchLabels": {"app": app}}
    if ports is not None:
        spec["portLevelMtls"] = {port: {"mode": port_mode} for port, port_mode in ports.items()}
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def source(**fields: list[str]) -> Manifest:
    """A rule about where a connection comes from."""
    return {"from": [{"source": fields}]}


def ports(*numbers: int) -> Manifest:
    """A rule about the port."""
    return {"to": [{"operation": {"ports": [str(number) for number in numbers]}}]}


def when(key: str, *values: str) -> Manifest:
    return {"when": [{"key": key, "values": list(values)}]}


OUTSIDE = "outside/outside"
GET = {"to": [{"operation": {"methods": ["GET"]}}]}

CASES = [
    Case("nothing is forbidden without a policy", [], "allow"),
    Case("plaintext is allowed without a policy", [], "allow", source=OUTSIDE),
    Case("an ALLOW names the principal", [policy("ALLOW", [source(principals=[CLIENT])])], "allow", "mesh/p"),
    Case(
        "an ALLOW names another principal",
        [policy("ALLOW", [source(principals=["cluster.local/ns/mesh/sa/other"])])],
        "deny",
        detail="would pass if the principal were cluster.local/ns/mesh/sa/other",
    ),
    Case("an ALLOW by prefix", [policy("ALLOW", [source(principals=["cluster.local/ns/mesh/*"])])], "allow", "mesh/p"),
    Case("an ALLOW by suffix", [policy("ALLOW", [source(principals=["*/sa/client"])])], "allow", "mesh/p"),
    Case("an ALLOW of whoever has an identity", [policy("ALLOW", [source(principals=["*"])])], "allow", "mesh/p"),
    Case(
        "which plaintext has not",
        [policy("ALLOW", [source(principals=["*"])])],
        "deny",
        source=OUTSIDE,
        detail="would pass if the client proved an identity",
    ),
    Case("an ALLOW by service account", [policy("ALLOW", [source(serviceAccounts=["client"])])], "allow", "mesh/p"),
    Case("an ALLOW without rules closes everything", [policy("ALLOW", None)], "deny"),
    Case("an ALLOW with an empty rule opens everything", [policy("ALLOW", [{}])], "allow", "mesh/p", source=OUTSIDE),
    Case(
        "a DENY by namespace",
        [policy("DENY", [source(namespaces=["mesh"])])],
        "deny",
        "mesh/p",
        detail="rules[0].from matches namespaces mesh",
    ),
    Case("a DENY of another namespace", [policy("DENY", [source(namespaces=["other"])])], "allow"),
    Case(
        "a DENY of all namespaces but one lets that one through",
        [policy("DENY", [source(notNamespaces=["mesh"])])],
        "allow",
    ),
    Case(
        "and no plaintext",
        [policy("DENY", [source(notNamespaces=["mesh"])])],
        "deny",
        "mesh/p",
        source=OUTSIDE,
        detail="would pass if the source namespace were mesh",
    ),
    Case("a DENY wins", [policy("ALLOW", [{}]), policy("DENY", [ports(APP_PORT)], name="d")], "deny", "mesh/d"),
    Case("a DENY of another port", [policy("DENY", [ports(OTHER_PORT)])], "allow"),
    Case(
        "an ALLOW of the port",
        [policy("ALLOW", [ports(APP_PORT)])],
        "deny",
        port=OTHER_PORT,
        detail=f"would pass if the port were {APP_PORT}",
    ),
    Case("an ALLOW of the other port", [policy("ALLOW", [ports(OTHER_PORT)])], "allow", "mesh/p", port=OTHER_PORT),
    Case("the tunnel's port is not what policies see", [policy("DENY", [ports(15008)])], "allow"),
    Case(
        "a DENY by the source's network",
        [policy("DENY", [source(ipBlocks=["10.77.0.0/16"])])],
        "deny",
        "mesh/p",
        source=OUTSIDE,
    ),
    Case(
        "which is of one family",
        [policy("DENY", [source(ipBlocks=["10.77.0.0/16"])])],
        "allow",
        source=OUTSIDE,
        family=6,
    ),
    Case(
        "an ALLOW by network of the other family",
        [policy("ALLOW", [source(ipBlocks=["fd00:77::/32"])])],
        "allow",
        "mesh/p",
        source=OUTSIDE,
        family=6,
    ),
    Case("a condition on the port", [policy("DENY", [when("destination.port", str(APP_PORT))])], "deny", "mesh/p"),
    Case("a condition on the principal", [policy("DENY", [when("source.principal", CLIENT)])], "deny", "mesh/p"),
    Case("a condition on the destination", [policy("ALLOW", [when("destination.ip", "10.77.0.0/16")])],
         "allow", "mesh/p"),  # fmt: skip
    Case("a selector that selects the server", [policy("DENY", [{}], app="server-b")], "deny", "mesh/p"),
    Case("a selector that selects another", [policy("DENY", [{}], app="server-a")], "allow"),
    Case("the mesh's policy", [policy("DENY", [source(namespaces=["mesh"])], namespace=ROOT)], "deny", f"{ROOT}/p"),
    Case("the client's namespace does not count", [policy("DENY", [{}], namespace="outside")], "allow"),
    Case("a policy on trial denies nothing", [policy("DENY", [{}], dry_run=True)], "allow", dry_run=["mesh/p"]),
    Case(
        "an ALLOW rule about HTTP matches nothing",
        [policy("ALLOW", [{**source(principals=[CLIENT]), **GET}])],
        "deny",
    ),
    Case(
        "a DENY rule about HTTP and a client denies the client",
        [policy("DENY", [{**source(principals=[CLIENT]), **GET}])],
        "deny",
        "mesh/p",
    ),
    Case("a DENY rule about HTTP alone denies nothing", [policy("DENY", [GET])], "allow"),
    Case(
        "STRICT in the namespace refuses plaintext",
        [peer("STRICT")],
        "deny",
        STATIC_STRICT,
        source=OUTSIDE,
        detail="would pass if the client proved an identity",
    ),
    Case("STRICT in the namespace takes mutual TLS", [peer("STRICT")], "allow"),
    Case("STRICT in the mesh", [peer("STRICT", namespace=ROOT)], "deny", STATIC_STRICT, source=OUTSIDE),
    Case(
        "PERMISSIVE in the namespace of a STRICT mesh",
        [peer("STRICT", namespace=ROOT), peer("PERMISSIVE", name="q")],
        "allow",
        source=OUTSIDE,
    ),
    Case(
        "one STRICT port",
        [peer("PERMISSIVE", app="server-b", ports={APP_PORT: "STRICT"})],
        "deny",
        "mesh/converted_peer_authentication_peer",
        source=OUTSIDE,
    ),
    Case(
        "and the other",
        [peer("PERMISSIVE", app="server-b", ports={APP_PORT: "STRICT"})],
        "allow",
        source=OUTSIDE,
        port=OTHER_PORT,
    ),
    Case(
        "one port exempt from STRICT",
        [peer("STRICT", app="server-b", ports={APP_PORT: "PERMISSIVE"})],
        "allow",
        source=OUTSIDE,
    ),
    Case(
        "and the others not",
        [peer("STRICT", app="server-b", ports={APP_PORT: "PERMISSIVE"})],
        "deny",
        "mesh/converted_peer_authentication_peer",
        source=OUTSIDE,
        port=OTHER_PORT,
    ),
    Case("pods of one node as well", [policy("DENY", [source(principals=[CLIENT])])], "deny", "mesh/p",
         to="mesh/server-a"),  # fmt: skip
]
