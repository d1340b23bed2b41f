"""The waypoint, run in its pod and observed from outside, with the manifests that make a pod one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.netns import Namespace
from tests.lab.pods import Pod
from tests.lab.ztunnel import Proxy, program

if TYPE_CHECKING:
    from tests.lab.topology import Lab

HBONE_PORT = 15008
USE, USE_NAMESPACE = "istio.io/use-waypoint", "istio.io/use-waypoint-namespace"
GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"


class Waypoint(Proxy):
    """One run of `waypoint proxy` in its pod's namespace."""

    def __init__(
        self,
        name: str,
        gateway: str,
        space: Namespace,
        *,
        mesh_dir: Path,
        ca_dir: Path,
        log_dir: Path,
        backend: str | None = None,
        env: Mapping[str, str] | None = None,
        plain: str = "",
    ) -> None:
        self.backend = backend
        self._space = space
        io = {"AQUIFER_IO": backend} if backend else {}
        command = [*space.enter_command(), str(program("waypoint")), "proxy"]
        arguments = ["--mesh", str(mesh_dir), "--gateway", gateway, "--ca-dir", str(ca_dir)]
        if plain:
            arguments += ["--plain", plain]
        super().__init__(name, command + arguments, log_dir=log_dir, env={**io, **(env or {})})


def add_waypoint(lab: Lab, namespace: str, name: str, *, node: str, purpose: str = "all", pod: str = "") -> Pod:
    """Gateway, Service and Pod of a waypoint, as Istio makes them; nothing uses it yet, and nothing runs in it."""
    if not any(known["metadata"]["name"] == namespace for known in lab.mesh.objects("Namespace")):
        lab.mesh.namespace(namespace)
    listener = {
        "name": "mesh",
        "port": HBONE_PORT,
        "protocol": "HBONE",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    lab.mesh.apply(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": name, "namespace": namespace, "labels": {"istio.io/waypoint-for": purpose}},
            "spec": {"gatewayClassName": "istio-waypoint", "listeners": [listener]},
        }
    )
    lab.mesh.service(namespace, name, selector={GATEWAY_NAME: name}, ports=[(HBONE_PORT, HBONE_PORT)])
    labels = {GATEWAY_NAME: name, "istio.io/dataplane-mode": "none"}
    return lab.add_pod(namespace, pod or name, node=node, service_account=name, labels=labels)


def start_waypoint(
    lab: Lab,
    pod: Pod,
    gateway: str,
    *,
    backend: str | None = None,
    env: Mapping[str, str] | None = None,
    name: str = "",
    plain: str = "",
) -> Waypoint:
    """Runs the program in the pod and waits until it is ready. `plain` is its option --plain."""
    running = Waypoint(
        name or gateway.replace("/", "-"), gateway, pod.ns, mesh_dir=lab.mesh.path, ca_dir=lab.ca_dir, log_dir=lab.log_dir,
        backend=backend, env=env, plain=plain,
    )  # fmt: skip
    lab.adopt(running)
    running.wait_ready()
    return running


def use_waypoint(lab: Lab, kind: str, namespace: str, name: str, gateway: str | None) -> None:
    """Labels a Namespace, Service or Pod to use NAMESPACE/NAME; None takes the labels away."""
    where, _, called = (gateway or "").partition("/")
    lab.mesh.label(kind, namespace, name, USE_NAMESPACE, where or None)
    lab.mesh.label(kind, namespace, name, USE, called or None)


def http_route(namespace: str, name: str, service: str, rules: list[dict[str, Any]], *, port: int | None = None) -> dict[str, Any]:
    """An HTTPRoute for a Service of its namespace."""
    parent: dict[str, Any] = {"group": "", "kind": "Service", "name": service}
    if port is not None:
        parent["port"] = port
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"parentRefs": [parent], "rules": rules},
    }
