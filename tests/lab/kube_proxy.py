"""Service addresses for pods that are not captured: what kube-proxy does on a real node, as iptables rules.

A captured pod never needs them: its ztunnel knows the services itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.mesh import Manifest, MeshDir, pod_ips, pod_is_ready, service_ips
from tests.lab.netns import Namespace
from tests.lab.shell import run

CHAIN = "AQUIFER-LAB-SVC"

Address = tuple[str, int]


def endpoints(mesh: MeshDir, service: Manifest, port: Manifest) -> list[Address]:
    """Ready endpoints of one service port: from its EndpointSlices if it has any, else from its selector."""
    slices = [entry for entry in mesh.objects("EndpointSlice") if _belongs_to(entry, service)]
    if slices:
        return [address for entry in slices for address in _slice_addresses(entry, port)]
    return list(_selected_addresses(mesh, service, port))


def nat_rules(mesh: MeshDir, version: int) -> str:
    """Input for iptables-restore --noflush: fills our own chain anew and touches no other."""
    lines = ["*nat", f":{CHAIN} - [0:0]"]
    for service in mesh.objects("Service"):
        for port in service["spec"].get("ports") or []:
            if port.get("protocol", "TCP") != "TCP":
                continue
            backends = [entry for entry in endpoints(mesh, service, port) if _version_of(entry[0]) == version]
            for vip in service_ips(service):
                if _version_of(vip) == version:
                    lines += _spread(vip, int(port["port"]), backends)
    return "\n".join([*lines, "COMMIT", ""])


def apply_rules(mesh: MeshDir, node: Namespace) -> None:
    """Brings a node's rules up to what the manifests say."""
    for version, restore, iptables in (
        (4, "iptables-restore", "iptables"),
        (6, "ip6tables-restore", "ip6tables"),
    ):
        run([*node.enter_command(), restore, "--noflush", "--wait"], input_text=nat_rules(mesh, version))
        jump = ["PREROUTING", "-j", CHAIN]
        known = run([*node.enter_command(), iptables, "-w", "-t", "nat", "-C", *jump], check=False)
        if known.returncode != 0:
            run([*node.enter_command(), iptables, "-w", "-t", "nat", "-A", *jump])


def _spread(vip: str, port: int, backends: list[Address]) -> Iterator[str]:
    match = f"-A {CHAIN} -d {vip} -p tcp -m tcp --dport {port}"
    if not backends:
        return
    for index, (address, target) in enumerate(backends):
        left = len(backends) - index
        # Each rule takes one in as many as are left: 1/3, then 1/2 of the rest, then all of it.
        turn = f" -m statistic --mode nth --every {left} --packet 0" if left > 1 else ""
        host = f"[{address}]" if ":" in address else address
        yield f"{match}{turn} -j DNAT --to-destination {host}:{target}"


def _selected_addresses(mesh: MeshDir, service: Manifest, port: Manifest) -> Iterator[Address]:
    selector = service["spec"].get("selector") or {}
    if not selector:
        return
    for pod in mesh.objects("Pod"):
        metadata = pod["metadata"]
        labels = metadata.get("labels") or {}
        same_namespace = metadata.get("namespace") == service["metadata"].get("namespace")
        if same_namespace and pod_is_ready(pod) and selector.items() <= labels.items():
            target = _target_port(pod, port)
            if target is not None:
                yield from ((address, target) for address in pod_ips(pod))


def _target_port(pod: Manifest, port: Manifest) -> int | None:
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for container in pod["spec"].get("containers") or []:
        for entry in container.get("ports") or []:
            if entry.get("name") == target:
                return int(entry["containerPort"])
    return None


def _belongs_to(entry: Manifest, service: Manifest) -> bool:
    metadata, owner = entry["metadata"], service["metadata"]
    name = (metadata.get("labels") or {}).get("kubernetes.io/service-name")
    return bool(name == owner["name"] and metadata.get("namespace") == owner.get("namespace"))


def _slice_addresses(entry: Manifest, port: Manifest) -> Iterator[Address]:
    for slice_port in entry.get("ports") or []:
        if (slice_port.get("name") or "") != (port.get("name") or ""):
            continue
        for endpoint in entry.get("endpoints") or []:
            if (endpoint.get("conditions") or {}).get("ready", True):
                yield from ((str(address), int(slice_port["port"])) for address in endpoint["addresses"])


def _version_of(address: str) -> int:
    return 6 if ":" in address else 4
