"""The lab itself: nodes and pods of a mesh directory as namespaces, wired up, with the programs in them.

A pod reaches everything through its node, as on a real one. All that passes between nodes passes one bridge,
where `capture()` listens (wiring.py has the picture).
"""

from __future__ import annotations

import atexit
import secrets
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from tests.lab import kube_proxy, record, wiring
from tests.lab.capture import Capture
from tests.lab.mesh import NETNS_ANNOTATION, Manifest, MeshDir, pod_ips, service_ips
from tests.lab.netns import Namespace
from tests.lab.pods import Pod
from tests.lab.process import STOP_TIMEOUT_S, Process, wait_for_end
from tests.lab.shell import LabError
from tests.lab.ztunnel import Ztunnel

# How the sanitizers begin a report.
SANITIZER_SIGNS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", "runtime error:")


@dataclass
class Node:
    """A node's namespace and the proxy that runs there."""

    name: str
    number: int
    ns: Namespace
    ztunnel: Ztunnel | None = None
    pod_links: Iterator[int] = field(default_factory=lambda: iter(range(1, 1 << 16)))

    @property
    def ip(self) -> str:
        return wiring.node_addresses(self.number)[0]

    @property
    def ip6(self) -> str:
        return wiring.node_addresses(self.number)[1]

    @property
    def proxy(self) -> Ztunnel:
        """Its ztunnel; an error when none was started."""
        if self.ztunnel is None:
            raise LabError(f"no ztunnel runs on {self.name}")
        return self.ztunnel


class Lab:
    """One mesh made real. Use as a context, or end with down(); it also goes at exit and on SIGTERM."""

    def __init__(self, mesh: MeshDir, prefix: str, work_dir: Path, *, with_kube_proxy: bool = True) -> None:
        self.mesh = mesh
        self.prefix = prefix
        self.work_dir = work_dir
        self.log_dir = _made(work_dir / "logs")
        self.ca_dir = _made(work_dir / "ca")
        self.nodes: dict[str, Node] = {}
        self.pods: dict[str, Pod] = {}
        self.wire = Namespace(f"{prefix}-wire")
        self._with_kube_proxy = with_kube_proxy
        self._processes: list[Process] = []
        self._runs = 0
        self._record = record.new_record(prefix, work_dir, mesh.path)
        self._is_down = False
        _end_on_sigterm()
        atexit.register(self._down_at_exit)

    @classmethod
    def new(cls, *, with_kube_proxy: bool = True) -> Lab:
        """A lab with an empty mesh directory of its own: fill `lab.mesh`, then up()."""
        prefix, work_dir = _claim()
        mesh = MeshDir(_made(work_dir / "mesh"), prefix)
        return cls(mesh, prefix, work_dir, with_kube_proxy=with_kube_proxy)

    @classmethod
    def from_directory(cls, path: Path | str, *, with_kube_proxy: bool = True) -> Lab:
        """A lab for manifests that exist; each pod's annotation aquifer.dev/netns names its namespace."""
        mesh = MeshDir.load(path)
        prefix, work_dir = _claim()
        mesh.prefix = prefix
        return cls(mesh, prefix, work_dir, with_kube_proxy=with_kube_proxy)

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    # --- up and down ---------------------------------------------------------------------------

    def up(self, *, nodes: Sequence[str] = ()) -> None:
        """Makes the wire, the nodes (those of the pods, and the given ones) and the pods."""
        self._create(self.wire)
        wiring.set_up_wire(self.wire)
        names = {pod["spec"]["nodeName"] for pod in self._pod_manifests()} | set(nodes)
        for name in sorted(names):
            self.add_node(name)
        self.sync()

    def sync(self) -> None:
        """Makes what the manifests newly name, removes what they name no more. Call after adding a service by hand."""
        wanted = {_pod_key(manifest): manifest for manifest in self._pod_manifests()}
        for key in [key for key in self.pods if key not in wanted]:
            self._remove_pod(self.pods.pop(key))
        for key, manifest in wanted.items():
            if key not in self.pods:
                self._add_pod(key, manifest)
        for node in self.nodes.values():
            if self._with_kube_proxy and self.mesh.objects("Service"):
                kube_proxy.apply_rules(self.mesh, node.ns)
        for pod in self.pods.values():
            pod.ns.write_etc("hosts", self._hosts_for(pod))
        self._save()

    def stop_programs(self) -> None:
        """Ends every program as a node's shutdown would: applications first, then the proxies, which drain."""
        proxies = [process for process in self._processes if isinstance(process, Ztunnel)]
        others = [process for process in self._processes if process not in proxies]
        for group in (others, proxies):
            for process in group:
                process.signal(signal.SIGTERM)
            wait_for_end([process.pid for process in group if process.alive()], STOP_TIMEOUT_S)
            for process in group:
                process.kill()

    def down(self) -> None:
        """Ends everything and removes it; safe to call twice."""
        if self._is_down:
            return
        self._is_down = True
        self.stop_programs()
        record.tear_down(self._record)
        atexit.unregister(self._down_at_exit)

    def sanitizer_reports(self) -> list[str]:
        """What sanitizers wrote to the proxies' standard error; ask after stop_programs() to see leaks too."""
        texts = [process.stderr() for process in self._processes if isinstance(process, Ztunnel)]
        return [text for text in texts if any(sign in text for sign in SANITIZER_SIGNS)]

    def keep(self) -> str:
        """Leaves the lab up when this program ends; gives the prefix to take it down by."""
        self._record.kept = True
        self._save()
        atexit.unregister(self._down_at_exit)
        return self.prefix

    def _down_at_exit(self) -> None:
        if not self._record.kept:
            self.down()

    # --- parts ---------------------------------------------------------------------------------

    def node(self, name: str) -> Node:
        return self.nodes[name]

    def pod(self, key: str) -> Pod:
        """By "namespace/name"."""
        return self.pods[key]

    def add_node(self, name: str) -> Node:
        node = Node(name, len(self.nodes) + 1, Namespace(f"{self.prefix}-{name}"))
        self._create(node.ns)
        wiring.connect_node(node.ns, self.wire, node.number)
        self.nodes[name] = node
        for other in self.nodes.values():
            if other is not node:
                theirs = [pod for pod in self.pods.values() if pod.node == other.name]
                wiring.add_routes(node.ns, theirs, other.number)
        self._record.nodes[name] = node.ns.name
        self._save()
        return node

    def add_pod(self, namespace: str, name: str, *, node: str, **rest: Any) -> Pod:
        """A pod in a running mesh: first its network, then its manifest, as Kubernetes does it."""
        manifest = self.mesh.make_pod(namespace, name, node=node, **rest)
        if node not in self.nodes:
            self.add_node(node)
        pod = self._add_pod(f"{namespace}/{name}", manifest)
        self.mesh.apply(manifest)
        self.sync()
        return pod

    def remove_pod(self, key: str) -> None:
        """First its manifest, then its network."""
        namespace, name = key.split("/")
        self.mesh.delete("Pod", namespace, name)
        self.sync()

    # --- programs ------------------------------------------------------------------------------

    def start_ztunnel(
        self,
        node: str,
        *,
        backend: str | None = None,
        env: Mapping[str, str] | None = None,
        wait_ready: bool = True,
    ) -> Ztunnel:
        """Starts one, and makes it the node's current one. An older one is left running: two may overlap."""
        self._runs += 1
        started = Ztunnel(
            f"ztunnel-{node}-{self._runs}",
            node,
            self.nodes[node].ns,
            mesh_dir=self.mesh.path,
            ca_dir=self.ca_dir,
            log_dir=self.log_dir,
            backend=backend,
            env=env,
        )
        self._processes.append(started)
        self.nodes[node].ztunnel = started
        if wait_ready:
            started.wait_ready()
        return started

    def start_ztunnels(self, *, backend: str | None = None, env: Mapping[str, str] | None = None) -> list[Ztunnel]:
        """One on every node, ready."""
        started = [self.start_ztunnel(name, backend=backend, env=env, wait_ready=False) for name in self.nodes]
        for ztunnel in started:
            ztunnel.wait_ready()
        return started

    def spawn(self, name: str, where: Pod | Node, command: Sequence[str], **options: Any) -> Process:
        """A program in a pod or on a node, with logs; it ends with the lab at the latest."""
        self._runs += 1
        enter = where.ns.pod_command() if isinstance(where, Pod) else where.ns.enter_command()
        full = [*enter, *command]
        process = Process(f"{name}-{self._runs}", full, log_dir=self.log_dir, **options)
        self._processes.append(process)
        return process

    def adopt(self, process: Process) -> None:
        """A program that somebody else started: it ends with the lab at the latest."""
        self._processes.append(process)

    @contextmanager
    def capture(self, name: str = "wire") -> Iterator[Capture]:
        """Everything on the wire between the nodes while inside."""
        self._runs += 1
        first, second = list(self.nodes.values())[:2]
        path = self.log_dir / f"{name}-{self._runs}.pcap"
        with Capture(self.wire, wiring.WIRE_BRIDGE, first.ns, second.ip, path) as running:
            yield running

    # --- inside --------------------------------------------------------------------------------

    def _pod_manifests(self) -> list[Manifest]:
        pods = self.mesh.objects("Pod")
        return [pod for pod in pods if not pod["spec"].get("hostNetwork") and pod["spec"].get("nodeName")]

    def _create(self, space: Namespace) -> None:
        # Noted before it is made: a crash between the two leaves nothing unknown behind.
        if space.exists():
            raise LabError(f"network namespace {space.name} exists already and is not this lab's")
        self._record.namespaces.append(space.name)
        self._save()
        space.create()

    def _add_pod(self, key: str, manifest: Manifest) -> Pod:
        if key in self.pods:
            return self.pods[key]
        node = self.nodes.get(manifest["spec"]["nodeName"])
        if node is None:
            node = self.add_node(manifest["spec"]["nodeName"])
        pod = Pod(key, node.name, _netns_of(manifest, key), pod_ips(manifest), f"p{next(node.pod_links)}")
        self._create(pod.ns)
        wiring.connect_pod(pod, node.ns)
        self.pods[key] = pod
        for other in self.nodes.values():
            if other is not node:
                wiring.add_routes(other.ns, [pod], node.number)
        pod.ns.write_etc("resolv.conf", "# a lab has no DNS; names of services are in /etc/hosts\n")
        pod.ns.write_etc("hosts", self._hosts_for(pod))
        self._record.pods[key] = pod.ns.name
        self._save()
        return pod

    def _remove_pod(self, pod: Pod) -> None:
        self.nodes[pod.node].ns.ip_batch([f"link del {pod.node_link}"])
        for other in self.nodes.values():
            if other.name != pod.node:
                wiring.remove_routes(other.ns, pod)
        inside = pod.ns.pids()
        for process in self._processes:
            if process.pid in inside:
                process.kill()
        pod.ns.delete()
        self._record.namespaces.remove(pod.ns.name)
        self._record.pods.pop(pod.key, None)

    def _hosts_for(self, pod: Pod) -> str:
        """Service names as cluster DNS has them, each with the service's first address."""
        lines = ["127.0.0.1 localhost", "::1 localhost", f"{pod.ips[0]} {pod.key.split('/')[1]}"]
        for service in self.mesh.objects("Service"):
            addresses = service_ips(service)
            if not addresses:
                continue
            name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
            names = [f"{name}.{namespace}.svc.cluster.local", f"{name}.{namespace}.svc", f"{name}.{namespace}"]
            if namespace == pod.key.split("/")[0]:
                names.append(name)
            lines.append(f"{addresses[0]} {' '.join(names)}")
        return "\n".join(lines) + "\n"

    def _save(self) -> None:
        self._record.save()


def _pod_key(manifest: Manifest) -> str:
    return f"{manifest['metadata'].get('namespace', 'default')}/{manifest['metadata']['name']}"


def _netns_of(manifest: Manifest, key: str) -> Namespace:
    path = (manifest["metadata"].get("annotations") or {}).get(NETNS_ANNOTATION)
    if path is None:
        raise LabError(f"Pod {key} does not say where it lives: add the annotation {NETNS_ANNOTATION}: /run/netns/NAME")
    if Path(path).parent not in (Path("/run/netns"), Path("/var/run/netns")):
        raise LabError(f"Pod {key}: {NETNS_ANNOTATION} is {path}; a lab can only make /run/netns/NAME")
    return Namespace(Path(path).name)


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _claim() -> tuple[str, Path]:
    """A prefix nobody has and a work directory; first clears up after labs whose makers were killed."""
    record.sweep_abandoned()
    prefix = f"aq{secrets.token_hex(2)}"
    return prefix, Path(tempfile.mkdtemp(prefix=f"aquifer-lab-{prefix}-"))


def _end_on_sigterm() -> None:
    """SIGTERM and SIGHUP end the program by SystemExit, so that `finally` and atexit take the lab down."""
    if threading.current_thread() is not threading.main_thread():
        return

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, leave)
