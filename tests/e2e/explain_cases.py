"""Situations of which `ztunnel explain` must say what a real connection finds out.

Services, waypoints and what policies do together; more stand in authorization_cases.py and egress_cases.py. `{names}` are addresses of the world in
test_explain_agrees.py. What is to come out does not stand here: the connection itself says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.e2e.authorization_cases import Case
from tests.e2e.egress_cases import BANNER, HTTP, EgressCase
from tests.lab.mesh import Manifest

CLIENT = "cluster.local/ns/mesh/sa/client"
SERVER_A = "cluster.local/ns/mesh/sa/server-a"
OUTSIDE = "outside/outside"
SERVER_B_PODS = {"matchLabels": {"app": "server-b"}}


@dataclass(frozen=True)
class Situation:
    name: str
    manifests: tuple[Manifest, ...] = ()
    to: str = "{server_b_service}:80"
    source: str = "mesh/client"
    talk: str = HTTP
    server_name: str | None = None
    # What explain is asked, where that is not the address: a host name.
    ask: str = ""


def from_egress(case: EgressCase) -> Situation:
    return Situation(f"egress: {case.name}", case.manifests, case.to, case.source, case.talk, case.server_name)


def from_authorization(case: Case) -> Situation:
    """`to` is a name of the world: see pod_name()."""
    to = f"{{{pod_name(case.to, case.family)}}}:{case.port}"
    return Situation(f"authorization: {case.name}", tuple(case.manifests), to, case.source)


def pod_name(key: str, family: int) -> str:
    """What the world calls an address of a pod."""
    return f"{key.replace('/', '_').replace('-', '_')}_{family}"


def authorization(name: str, namespace: str = "mesh", **spec: Any) -> Manifest:
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def peer_authentication(name: str, namespace: str = "mesh", **spec: Any) -> Manifest:
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def rule(source: dict[str, Any] | None = None, operation: dict[str, Any] | None = None) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    if source is not None:
        parts["from"] = [{"source": source}]
    if operation is not None:
        parts["to"] = [{"operation": operation}]
    return parts


ALLOW_CLIENT = authorization("allow-client", selector=SERVER_B_PODS, rules=[rule({"principals": [CLIENT]})])
ALLOW_A = authorization("allow-a", selector=SERVER_B_PODS, rules=[rule({"principals": [SERVER_A]})])
ALLOW_NOTHING = authorization("allow-nothing", selector=SERVER_B_PODS)
ALLOW_OTHER_PORT = authorization("other-port", selector=SERVER_B_PODS, rules=[rule(None, {"ports": ["80"]})])
ALLOW_IP = authorization("ip", selector=SERVER_B_PODS, rules=[rule({"ipBlocks": ["{client}/32"]})])
DENY_CLIENT = authorization("deny-client", action="DENY", rules=[rule({"principals": [CLIENT]})])
DENY_ALL = authorization("deny-all", action="DENY", selector=SERVER_B_PODS, rules=[{}])
DENY_MESH_WIDE = authorization("everywhere", "istio-system", action="DENY", rules=[rule({"namespaces": ["outside"]})])
DENY_OTHERS = authorization(
    "others", action="DENY", selector={"matchLabels": {"app": "server-a"}}, rules=[rule({"principals": [CLIENT]})]
)
STRICT_B = peer_authentication("strict-b", selector=SERVER_B_PODS, mtls={"mode": "STRICT"})
DRY_DENY: Manifest = {
    **DENY_ALL,
    "metadata": {"name": "dry", "namespace": "mesh", "annotations": {"istio.io/dry-run": "true"}},
}


def service(name: str, **spec: Any) -> Manifest:
    full = {"clusterIP": "10.96.99.1", "ports": [{"port": 80, "targetPort": 8080}], "selector": {"app": "server-b"}}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "mesh"},
        "spec": {**full, **spec},
    }


def labelled(manifest: Manifest, **labels: str) -> Manifest:
    names = {"use_waypoint": "istio.io/use-waypoint"}
    all_labels = {names[name]: value for name, value in labels.items()}
    return {**manifest, "metadata": {**manifest["metadata"], "labels": all_labels}}


NEW = "10.96.99.1:80"
NOBODY = service("nobody", selector={"app": "nobody"})
WRONG_PORT = service("wrong", ports=[{"port": 80, "targetPort": "no-such-name"}])
NAMED_PORT = service("named", ports=[{"port": 80, "targetPort": "http"}])
LOCAL_ONLY = service("local", selector={"role": "server"}, internalTrafficPolicy="Local")
NEAR_FIRST = service("near", selector={"role": "server"}, trafficDistribution="PreferSameNode")
NO_WAYPOINT = labelled(service("lost"), use_waypoint="nowhere")

SITUATIONS: tuple[Situation, ...] = (
    Situation("nothing forbids anything"),
    Situation("by host name", ask="server-b.mesh:80"),
    Situation("by full host name", ask="server-b.mesh.svc.cluster.local:80"),
    Situation("a service with two endpoints", to="{server_service}:80", ask="server:80"),
    Situation("a pod of the same node", to="{server_a}:8080"),
    Situation("a pod by its IPv6 address", to="[{server_b6}]:8080"),
    Situation("a pod that is not in the mesh", to="{outside}:{banner_port}", talk=BANNER),
    Situation("an address that nobody knows", to="{node2}:{banner_port}", talk=BANNER),
    Situation("a port of a service that is not there", to="{server_b_service}:81"),
    Situation("from outside, to a pod", source=OUTSIDE, to="{server_b}:8080"),
    Situation("from outside, to a service", source=OUTSIDE),
    Situation("ALLOW: another is named", (ALLOW_A,)),
    Situation("ALLOW: two policies, one names it", (ALLOW_A, ALLOW_CLIENT)),
    Situation("ALLOW without rules", (ALLOW_NOTHING,)),
    Situation("ALLOW at the service's port, which is not the pod's", (ALLOW_OTHER_PORT,)),
    Situation("ALLOW by address, of another", (ALLOW_IP,), source="mesh/server-a"),
    Situation("DENY by principal, of another", (DENY_CLIENT,), source="mesh/server-a"),
    Situation("DENY wins over ALLOW", (ALLOW_CLIENT, DENY_ALL)),
    Situation("DENY in the root namespace", (DENY_MESH_WIDE,)),
    Situation("DENY for other pods", (DENY_OTHERS,)),
    Situation("DENY on trial", (DRY_DENY,)),
    Situation("STRICT by selector, in plaintext", (STRICT_B,), source=OUTSIDE, to="{server_b}:8080"),
    Situation("STRICT by selector, another pod", (STRICT_B,), source=OUTSIDE, to="{server_a}:8080"),
    Situation("a service that nobody serves", (NOBODY,), to=NEW),
    Situation("a service whose port nobody serves", (WRONG_PORT,), to=NEW),
    Situation("a target port by name", (NAMED_PORT,), to=NEW, ask="named.mesh:80"),
    Situation("endpoints of the own node only", (LOCAL_ONLY,), to=NEW),
    Situation("endpoints of the own node first", (NEAR_FIRST,), to=NEW),
    Situation("endpoints of the own node only, from another", (LOCAL_ONLY,), to=NEW, source="mesh/server-b"),
    Situation("a waypoint that is not there", (NO_WAYPOINT,), to=NEW),
)  # fmt: skip
