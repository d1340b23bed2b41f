"""A mesh directory: Kubernetes manifests as files, written so that a watching program never sees half of one."""

from __future__ import annotations

import copy
import ipaddress
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.lab.shell import LabError

Manifest = dict[str, Any]

AMBIENT_LABEL = "istio.io/dataplane-mode"
NETNS_ANNOTATION = "aquifer.dev/netns"

# Pods of the Nth node live in 10.77.N.0/24 and fd00:77:N::/64, service addresses in these two.
POD_NET_V4 = "10.77.{node}.{host}"
POD_NET_V6 = "fd00:77:{node}::{host:x}"
SERVICE_NET_V4 = ipaddress.ip_network("10.96.0.0/16")
SERVICE_NET_V6 = ipaddress.ip_network("fd00:96::/112")
# .1 is left free, as the place where people expect a gateway.
FIRST_HOST = 2


@dataclass(frozen=True)
class ServicePort:
    """`target` is a number, or the name of a container port."""

    port: int
    target: int | str
    name: str = ""
    app_protocol: str | None = None


@dataclass
class MeshDir:
    """The manifests of one mesh, in memory and on disk.

    Every change is written at once: to a temporary name first, then renamed into place.
    """

    path: Path
    # Goes in front of the names of the pods' network namespaces, so that two labs never meet.
    prefix: str = "aq"
    _files: dict[Path, list[Manifest]] = field(default_factory=dict)

    # --- reading and writing -------------------------------------------------------------------

    @classmethod
    def load(cls, path: Path | str, prefix: str = "aq") -> MeshDir:
        """Reads a mesh directory that exists, or a single file."""
        root = Path(path)
        if not root.exists():
            raise LabError(f"mesh directory {root} does not exist")
        mesh = cls(root if root.is_dir() else root.parent, prefix)
        files = [root] if root.is_file() else sorted(root.iterdir())
        for file in files:
            if file.suffix in (".yaml", ".yml"):
                mesh._files[file] = list(_read_documents(file))
        return mesh

    def apply(self, manifest: Manifest) -> Manifest:
        """Adds the object, or replaces the one with the same kind, namespace and name."""
        manifest = copy.deepcopy(manifest)
        key = _key(manifest)
        for file, documents in self._files.items():
            for index, known in enumerate(documents):
                if _key(known) == key:
                    documents[index] = manifest
                    self._write(file)
                    return manifest
        name = "-".join(part for part in key if part).lower()
        file = self.path / f"{name}.yaml"
        self._files[file] = [manifest]
        self._write(file)
        return manifest

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Takes the object out; the file goes when it was the last one in it."""
        key = (kind, namespace, name)
        for file, documents in list(self._files.items()):
            kept = [known for known in documents if _key(known) != key]
            if len(kept) == len(documents):
                continue
            if kept:
                self._files[file] = kept
                self._write(file)
            else:
                del self._files[file]
                file.unlink(missing_ok=True)
            return
        raise LabError(f"{kind} {namespace}/{name} is not in {self.path}")

    def find(self, kind: str, namespace: str, name: str) -> Manifest:
        for known in self.objects(kind):
            if _key(known) == (kind, namespace, name):
                return known
        raise LabError(f"{kind} {namespace}/{name} is not in {self.path}")

    def objects(self, kind: str | None = None) -> list[Manifest]:
        everything = [known for documents in self._files.values() for known in documents]
        return [known for known in everything if kind is None or known.get("kind") == kind]

    def write_raw(self, file_name: str, text: str) -> Path:
        """Any text as a file of the directory, renamed into place: broken YAML for a test, say."""
        return write_atomically(self.path / file_name, text)

    def _write(self, file: Path) -> None:
        write_atomically(file, yaml.safe_dump_all(self._files[file], sort_keys=False))

    # --- what a mesh is made of ----------------------------------------------------------------

    def namespace(self, name: str, *, ambient: bool = False, labels: Mapping[str, str] | None = None) -> Manifest:
        all_labels = {"kubernetes.io/metadata.name": name, **(labels or {})}
        if ambient:
            all_labels[AMBIENT_LABEL] = "ambient"
        return self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": all_labels}})

    def label(self, kind: str, namespace: str, name: str, key: str, value: str | None) -> Manifest:
        """Sets a label, or takes it away with None."""
        manifest = copy.deepcopy(self.find(kind, namespace, name))
        labels = manifest["metadata"].setdefault("labels", {})
        if value is None:
            labels.pop(key, None)
        else:
            labels[key] = value
        return self.apply(manifest)

    def enrol(self, namespace: str) -> None:
        """`kubectl label namespace NAME istio.io/dataplane-mode=ambient`"""
        self.label("Namespace", "", namespace, AMBIENT_LABEL, "ambient")

    def release(self, namespace: str) -> None:
        """`kubectl label namespace NAME istio.io/dataplane-mode-`"""
        self.label("Namespace", "", namespace, AMBIENT_LABEL, None)

    def pod(self, namespace: str, name: str, *, node: str, **rest: Any) -> Manifest:
        """Adds a pod; arguments as for make_pod."""
        return self.apply(self.make_pod(namespace, name, node=node, **rest))

    def make_pod(
        self,
        namespace: str,
        name: str,
        *,
        node: str,
        service_account: str = "default",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        ports: Mapping[str, int] | None = None,
        ips: Sequence[str] | None = None,
        ready: bool = True,
    ) -> Manifest:
        """A pod's manifest, not yet part of the mesh, with the next free addresses of its node.

        `ports` are named container ports.
        """
        addresses = list(ips) if ips is not None else self._next_pod_ips(node)
        netns = {NETNS_ANNOTATION: f"/run/netns/{self.prefix}-{namespace}-{name}"}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": f"{namespace}-{name}-uid",
                "labels": {"app": name, **(labels or {})},
                "annotations": {**netns, **(annotations or {})},
            },
            "spec": {
                "nodeName": node,
                "serviceAccountName": service_account,
                "containers": [_container_manifest(ports or {})],
            },
            "status": {
                "phase": "Running",
                "podIP": addresses[0],
                "podIPs": [{"ip": address} for address in addresses],
                "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            },
        }

    def set_ready(self, namespace: str, name: str, ready: bool) -> None:
        manifest = copy.deepcopy(self.find("Pod", namespace, name))
        manifest["status"]["conditions"] = [{"type": "Ready", "status": "True" if ready else "False"}]
        self.apply(manifest)

    def service(
        self,
        namespace: str,
        name: str,
        *,
        selector: Mapping[str, str],
        ports: Iterable[ServicePort | tuple[int, int | str]],
        ips: Sequence[str] | None = None,
    ) -> Manifest:
        """A service with the next free addresses, one of each family."""
        entries = [port if isinstance(port, ServicePort) else ServicePort(*port) for port in ports]
        addresses = list(ips) if ips is not None else self._next_service_ips()
        return self.apply(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {
                    "clusterIP": addresses[0],
                    "clusterIPs": addresses,
                    "ipFamilies": ["IPv6" if ":" in address else "IPv4" for address in addresses],
                    "ipFamilyPolicy": "PreferDualStack",
                    "selector": dict(selector),
                    "ports": [_port_manifest(entry, len(entries)) for entry in entries],
                },
            }
        )

    def mesh_config(
        self, trust_domain: str = "cluster.local", root_namespace: str = "istio-system", **fields: object
    ) -> Manifest:
        text = yaml.safe_dump({"trustDomain": trust_domain, "rootNamespace": root_namespace, **fields})
        return self.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "istio", "namespace": "istio-system"},
                "data": {"mesh": text},
            }
        )

    # --- addresses -----------------------------------------------------------------------------

    def _next_pod_ips(self, node: str) -> list[str]:
        pods = self.objects("Pod")
        nodes = list(dict.fromkeys(pod["spec"]["nodeName"] for pod in pods))
        number = _node_number(node, nodes)
        taken = {address for pod in pods for address in pod_ips(pod)}
        for host in range(FIRST_HOST, 255):
            pair = [POD_NET_V4.format(node=number, host=host), POD_NET_V6.format(node=number, host=host)]
            if not taken.intersection(pair):
                return pair
        raise LabError(f"node {node} has no free pod address left")

    def _next_service_ips(self) -> list[str]:
        taken = {address for service in self.objects("Service") for address in service_ips(service)}
        for host in range(FIRST_HOST, 65535):
            pair = [str(SERVICE_NET_V4[host]), str(SERVICE_NET_V6[host])]
            if not taken.intersection(pair):
                return pair
        raise LabError("no free service address left")


def pod_ips(pod: Manifest) -> list[str]:
    """All addresses of a pod, the primary one first."""
    status = pod.get("status") or {}
    listed = [str(entry["ip"]) for entry in status.get("podIPs") or []]
    primary = status.get("podIP")
    if primary and primary not in listed:
        listed.insert(0, str(primary))
    return listed


def service_ips(service: Manifest) -> list[str]:
    """All addresses of a service; none when it is headless."""
    spec = service.get("spec") or {}
    listed = [str(entry) for entry in spec.get("clusterIPs") or [] if entry != "None"]
    primary = spec.get("clusterIP")
    if primary and primary != "None" and primary not in listed:
        listed.insert(0, str(primary))
    return listed


def pod_is_ready(pod: Manifest) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(entry.get("type") == "Ready" and entry.get("status") == "True" for entry in conditions)


def write_atomically(file: Path, text: str) -> Path:
    """A reader sees the old file or the new one. The temporary name is none that a mesh reads."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    temporary.write_text(text)
    temporary.rename(file)
    return file


def _read_documents(file: Path) -> Iterator[Manifest]:
    try:
        documents = list(yaml.safe_load_all(file.read_text()))
    except yaml.YAMLError as error:
        raise LabError(f"{file}: {error}") from None
    for document in documents:
        if not isinstance(document, dict):
            continue
        if document.get("kind") == "List":
            yield from (item for item in document.get("items") or [] if isinstance(item, dict))
        else:
            yield document


def _key(manifest: Manifest) -> tuple[str, str, str]:
    metadata = manifest.get("metadata") or {}
    return (str(manifest.get("kind")), str(metadata.get("namespace") or ""), str(metadata.get("name")))


def _node_number(node: str, known: list[str]) -> int:
    """node7 -> 7; other names count in the order they appear, from 100 so as not to meet numbered ones."""
    digits = node.removeprefix("node")
    if digits.isdigit() and 1 <= int(digits) < 100:
        return int(digits)
    return 100 + (known.index(node) if node in known else len(known))


def _container_manifest(ports: Mapping[str, int]) -> Manifest:
    container: Manifest = {"name": "app"}
    if ports:
        container["ports"] = [
            {"name": name, "containerPort": number, "protocol": "TCP"} for name, number in ports.items()
        ]
    return container


def _port_manifest(entry: ServicePort, count: int) -> Manifest:
    manifest: Manifest = {"port": entry.port, "targetPort": entry.target, "protocol": "TCP"}
    # Kubernetes wants names as soon as there are two ports.
    if entry.name or count > 1:
        manifest["name"] = entry.name or f"port-{entry.port}"
    if entry.app_protocol:
        manifest["appProtocol"] = entry.app_protocol
    return manifest
