"""What a pod may reach, as a table: policies, one connection, and what becomes of it and why.

Each case runs in the two-node mesh of tests/e2e/helpers.py, where `World` says who listens where. `manifests` are
applied, the connection is made from `source` to `to`, and it must end as `verdict` says; a denial's log line must
contain `reason`, and the policies it names stand in `policies`. Texts may hold {names} of the world's addresses.

Reusable on purpose: whoever explains connections must say of each case what the data path does.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.lab.mesh import Manifest

ALLOWED = "allowed"
DENIED_AT_SOURCE = "denied at source"
DENIED_AT_DESTINATION = "denied at destination"

# How the client talks; see clients in test_egress.py.
HTTP = "http"  # sends a request
TLS = "tls"  # opens TLS with `server_name`, sends a request
SILENT = "silent"  # connects and says nothing
BANNER = "banner"  # waits for the server to speak first

TLS_PORT = 8443
BANNER_PORT = 2222


@dataclass(frozen=True)
class EgressCase:
    name: str
    manifests: tuple[Manifest, ...]
    verdict: str
    # "ADDRESS:PORT" with names of the world.
    to: str = "{server_b_service}:80"
    source: str = "mesh/client"
    talk: str = HTTP
    server_name: str | None = None
    # NAMESPACE/NAME of the policies that a denial names; where one decided, the first.
    policies: tuple[str, ...] = ()
    # Part of the `error=` of a denial's log line.
    reason: str = ""

    def filled(self, world: Mapping[str, str]) -> EgressCase:
        """The same case with the world's addresses in place of their names."""
        manifests = tuple(_fill(copy.deepcopy(manifest), world) for manifest in self.manifests)
        return EgressCase(
            self.name, manifests, self.verdict, self.to.format_map(world), self.source, self.talk, self.server_name,
            self.policies, self.reason.format_map(world),
        )  # fmt: skip


def _fill(value: Any, world: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return value.format_map(world)
    if isinstance(value, list):
        return [_fill(item, world) for item in value]
    if isinstance(value, dict):
        return {key: _fill(item, world) for key, item in value.items()}
    return value


def egress(name: str, namespace: str = "mesh", **spec: Any) -> Manifest:
    return {
        "apiVersion": "aquifer.dev/v1alpha1",
        "kind": "EgressPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def network(name: str, namespace: str = "mesh", **spec: Any) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def allow(*to: dict[str, Any]) -> dict[str, Any]:
    return {"action": "ALLOW", "to": list(to)}


def deny(*to: dict[str, Any]) -> dict[str, Any]:
    return {"action": "DENY", "to": list(to)}


BASE = egress("base", default="DENY")
TO_SERVER_B = egress("web", default="DENY", rules=[allow({"services": ["mesh/server-b"]})])
TO_MESH = egress("web", default="DENY", rules=[allow({"services": ["*.mesh.svc.cluster.local"], "ports": [80]})])
TO_OUTSIDE = egress(
    "outside",
    default="DENY",
    rules=[allow({"cidrs": ["{outside}/32"], "notCidrs": ["{outside}/32"]}, {"cidrs": ["{outside_net}"]})],
)
NOT_OUTSIDE = egress(
    "outside", default="DENY", rules=[allow({"cidrs": ["10.0.0.0/8"], "notCidrs": ["{outside}/32"]})]
)
ONLY_8080 = egress("ports", default="DENY", rules=[allow({"ports": ["8000-8099"], "notPorts": [8081]})])
FORBID_OUTSIDE = egress("forbid", rules=[deny({"cidrs": ["{outside}/32"]})])
MESH_WIDE = egress("mesh-wide", "istio-system", rules=[deny({"services": ["mesh/server-b"]})])
OTHERS = egress("others", selector={"matchLabels": {"app": "server-a"}}, default="DENY")
CLIENTS = egress("clients", selector={"matchLabels": {"app": "client"}}, default="DENY")
DRY = egress("dry", default="DENY", dryRun=True)
NAMED = egress(
    "names",
    default="DENY",
    rules=[
        allow({"serverNames": ["api.example.com", "*.good.example.com"], "ports": [TLS_PORT]}, {"ports": [BANNER_PORT]})
    ],
)
BAD_NAMES = egress("bad-names", rules=[deny({"serverNames": ["*.bad.example.com"], "ports": [TLS_PORT]})])

FROM_CLIENT = network(
    "from-client",
    podSelector={"matchLabels": {"app": "server-b"}},
    ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "client"}}}], "ports": [{"port": "http"}]}],
)
FROM_OTHERS = network(
    "from-others",
    podSelector={"matchLabels": {"app": "server-b"}},
    ingress=[{"from": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn",
                                                              "values": ["client"]}]}}]}],
)  # fmt: skip
FROM_BLOCK = network(
    "from-block",
    podSelector={"matchLabels": {"app": "server-b"}},
    ingress=[{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}],
)
FROM_NAMESPACE = network(
    "from-namespace",
    podSelector={"matchLabels": {"app": "server-b"}},
    ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "outside"}}}]}],
)
CLIENT_TO_A = network(
    "client-to-a",
    podSelector={"matchLabels": {"app": "client"}},
    policyTypes=["Egress"],
    egress=[{"to": [{"podSelector": {"matchLabels": {"app": "server-a"}}}], "ports": [{"port": 8080}]}],
)
CLIENT_TO_NAMED = network(
    "client-to-named",
    podSelector={},
    policyTypes=["Egress"],
    egress=[{"ports": [{"port": "http"}]}],
)
CLIENT_TO_BLOCK = network(
    "client-to-block",
    podSelector={"matchLabels": {"app": "client"}},
    policyTypes=["Egress"],
    egress=[{"to": [{"ipBlock": {"cidr": "{node2_net}", "except": ["{node2}/32"]}}]}],
)

CASES: tuple[EgressCase, ...] = (
    EgressCase("without policies everything is reached", (), ALLOWED),
    EgressCase("default deny: a service is refused", (BASE,), DENIED_AT_SOURCE, policies=("mesh/base",),
               reason="egress to {server_b_service}:80 (service server-b.mesh.svc.cluster.local) is allowed by no "
                      "rule, and mesh/base default is DENY"),
    EgressCase("default deny: an address outside the mesh is refused", (BASE,), DENIED_AT_SOURCE,
               to="{outside}:{tls_port}", policies=("mesh/base",)),
    EgressCase("a service that a rule names is reached", (TO_SERVER_B,), ALLOWED),
    EgressCase("so is its endpoint, dialled by address", (TO_SERVER_B,), ALLOWED, to="{server_b}:8080"),
    EgressCase("another service is not", (TO_SERVER_B,), DENIED_AT_SOURCE, to="{server_service}:80",
               policies=("mesh/web",)),
    EgressCase("one policy's rule lifts another's default", (BASE, TO_SERVER_B), ALLOWED),
    EgressCase("a wildcard names every service below it", (TO_MESH,), ALLOWED, to="{server_service}:80"),
    EgressCase("a wildcard of services is no wildcard of addresses", (TO_MESH,), DENIED_AT_SOURCE,
               to="{outside}:{tls_port}", policies=("mesh/web",)),
    EgressCase("an address block is reached", (TO_OUTSIDE,), ALLOWED, to="{outside}:{banner_port}", talk=BANNER),
    EgressCase("an address that is taken out of its block is not", (NOT_OUTSIDE,), DENIED_AT_SOURCE,
               to="{outside}:{banner_port}", talk=BANNER, policies=("mesh/outside",)),
    EgressCase("a port range is reached", (ONLY_8080,), ALLOWED, to="{server_b}:8080"),
    EgressCase("a port outside of it is not: what was dialled counts", (ONLY_8080,), DENIED_AT_SOURCE,
               policies=("mesh/ports",)),
    EgressCase("a rule that forbids wins over one that allows", (TO_OUTSIDE, FORBID_OUTSIDE), DENIED_AT_SOURCE,
               to="{outside}:{banner_port}", talk=BANNER, policies=("mesh/forbid",),
               reason="is denied by mesh/forbid rules[0].to[0]"),
    EgressCase("a policy that only forbids leaves the rest alone", (FORBID_OUTSIDE,), ALLOWED),
    EgressCase("a policy of the root namespace holds everywhere", (MESH_WIDE,), DENIED_AT_SOURCE,
               policies=("istio-system/mesh-wide",)),
    EgressCase("a selector that selects other pods is no matter", (OTHERS,), ALLOWED),
    EgressCase("a selector that selects the pod is", (CLIENTS,), DENIED_AT_SOURCE, policies=("mesh/clients",)),
    EgressCase("a dry run denies nothing", (DRY,), ALLOWED),
    EgressCase("a TLS server name that a rule names is reached", (NAMED,), ALLOWED, to="{outside}:{tls_port}",
               talk=TLS, server_name="api.example.com"),
    EgressCase("so is one below a wildcard", (NAMED,), ALLOWED, to="{outside}:{tls_port}", talk=TLS,
               server_name="a.b.good.example.com"),
    EgressCase("another server name is not", (NAMED,), DENIED_AT_SOURCE, to="{outside}:{tls_port}", talk=TLS,
               server_name="evil.example.com", policies=("mesh/names",),
               reason="{outside}:{tls_port} (TLS server name evil.example.com) is allowed by no rule"),
    EgressCase("TLS without a server name is not", (NAMED,), DENIED_AT_SOURCE, to="{outside}:{tls_port}", talk=TLS,
               policies=("mesh/names",), reason="(no TLS server name)"),
    EgressCase("what is no TLS is not", (NAMED,), DENIED_AT_SOURCE, to="{outside}:{tls_port}", policies=("mesh/names",),
               reason="(no TLS server name)"),
    EgressCase("a client that says nothing is refused in the end", (NAMED,), DENIED_AT_SOURCE,
               to="{outside}:{tls_port}", talk=SILENT, policies=("mesh/names",),
               reason="no TLS ClientHello within 1s, policy mesh/names needs the server name"),
    EgressCase("a server that speaks first is not kept waiting elsewhere", (NAMED,), ALLOWED,
               to="{outside}:{banner_port}", talk=BANNER),
    EgressCase("a forbidden server name is refused", (BAD_NAMES,), DENIED_AT_SOURCE, to="{outside}:{tls_port}",
               talk=TLS, server_name="x.bad.example.com", policies=("mesh/bad-names",)),
    EgressCase("any other is not", (BAD_NAMES,), ALLOWED, to="{outside}:{tls_port}", talk=TLS,
               server_name="api.example.com"),
    EgressCase("ingress: a pod that the selector selects, at the port's name", (FROM_CLIENT,), ALLOWED),
    EgressCase("ingress: a pod that it does not select", (FROM_CLIENT,), DENIED_AT_DESTINATION, source="mesh/server-a",
               policies=("mesh/from-client",), reason="not allowed by the network policy mesh/from-client"),
    EgressCase("ingress: by expression", (FROM_OTHERS,), DENIED_AT_DESTINATION, policies=("mesh/from-others",)),
    EgressCase("ingress: what one of several allows is allowed", (FROM_CLIENT, FROM_OTHERS), ALLOWED),
    EgressCase("ingress: none of several", (FROM_OTHERS, FROM_NAMESPACE), DENIED_AT_DESTINATION,
               policies=("mesh/from-namespace", "mesh/from-others"),
               reason="not allowed by any of the network policies mesh/from-namespace, mesh/from-others"),
    EgressCase("ingress: a block of all addresses holds no pod", (FROM_BLOCK,), DENIED_AT_DESTINATION,
               policies=("mesh/from-block",)),
    EgressCase("ingress: a namespace outside the mesh, in plaintext", (FROM_NAMESPACE,), ALLOWED,
               source="outside/outside", to="{server_b}:8080"),
    EgressCase("ingress: the same client where its namespace is not selected", (FROM_CLIENT,), DENIED_AT_DESTINATION,
               source="outside/outside", to="{server_b}:8080", policies=("mesh/from-client",)),
    EgressCase("egress by selector: the endpoint's own port counts", (CLIENT_TO_A,), ALLOWED, to="{server_a}:8080"),
    EgressCase("egress by selector: another pod", (CLIENT_TO_A,), DENIED_AT_SOURCE, policies=("mesh/client-to-a",),
               reason="not allowed by the network policy mesh/client-to-a"),
    EgressCase("egress by a port's name: behind a service", (CLIENT_TO_NAMED,), ALLOWED),
    EgressCase("egress by a port's name: who has no such name", (CLIENT_TO_NAMED,), DENIED_AT_SOURCE,
               to="{outside}:{banner_port}", talk=BANNER, policies=("mesh/client-to-named",)),
    EgressCase("egress to a block: its exception", (CLIENT_TO_BLOCK,), DENIED_AT_SOURCE, to="{node2}:{banner_port}",
               talk=BANNER, policies=("mesh/client-to-block",)),
)  # fmt: skip
