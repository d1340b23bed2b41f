"""A pod as tests see it: a place to run programs, open sockets, and look for what was left behind."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from tests.lab.netns import CONNECT_TIMEOUT_S, Namespace
from tests.lab.shell import run

RUN_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class SocketLine:
    """One line of `ss -tanp`."""

    state: str
    local: str
    peer: str
    users: str

    def belongs_to(self, pid: int) -> bool:
        return f"pid={pid}," in self.users

    @property
    def local_ip(self) -> str:
        return _plain_ip(self.local)

    @property
    def local_port(self) -> int:
        return int(self.local.rpartition(":")[2])

    @property
    def peer_port(self) -> int:
        return int(self.peer.rpartition(":")[2])


@dataclass(frozen=True)
class Pod:
    """A pod of the mesh, by "namespace/name"."""

    key: str
    node: str
    ns: Namespace
    ips: list[str]
    # The node's end of its cable.
    node_link: str

    @property
    def ip(self) -> str:
        """Its IPv4 address."""
        return next(ip for ip in self.ips if ":" not in ip)

    @property
    def ip6(self) -> str:
        return next(ip for ip in self.ips if ":" in ip)

    def run(
        self,
        command: Sequence[str],
        *,
        check: bool = True,
        timeout: float = RUN_TIMEOUT_S,
        input_text: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """A program inside the pod, to its end."""
        return run([*self.ns.pod_command(), *command], check=check, timeout=timeout, input_text=input_text)

    def curl(self, url: str, *options: str, check: bool = True, timeout: float = RUN_TIMEOUT_S) -> str:
        """The body of a URL; an HTTP error status is an error."""
        command = ["curl", "-sS", "--fail", "--max-time", f"{timeout:g}", *options, url]
        return self.run(command, check=check, timeout=timeout + 5).stdout

    def connect(self, address: str, port: int, *, timeout: float = CONNECT_TIMEOUT_S, source: str | None = None) -> socket.socket:
        """A TCP connection from inside the pod, for use here."""
        return self.ns.connect(address, port, timeout=timeout, source=source)

    def listen(self, port: int = 0, address: str = "::", backlog: int = 128) -> socket.socket:
        """A TCP listener inside the pod, for use here."""
        return self.ns.listen(address, port, backlog)

    def sockets(self) -> list[SocketLine]:
        """All TCP sockets in the pod, with the programs that hold them."""
        lines = [line.split(maxsplit=5) for line in run(["nsenter", f"--net={self.ns.path}", "--",
                 "ss", "-Htanp"]).stdout.splitlines()]  # fmt: skip
        return [
            SocketLine(parts[0], parts[3], parts[4], parts[5] if len(parts) > 5 else "")
            for parts in lines
            if len(parts) >= 5
        ]

    def iptables_save(self) -> str:
        """All rules in the pod, both families."""
        save = [run([*self.ns.enter_command(), name]).stdout for name in ("iptables-save", "ip6tables-save")]
        return "".join(save)

    def is_captured(self) -> bool:
        """True exactly when new outbound connections are redirected to the node's proxy."""
        return "--to-ports 15001" in self.iptables_save()


def _plain_ip(endpoint: str) -> str:
    """The address of `ss`'s ADDRESS:PORT: without brackets, interface and the prefix of an IPv4 one on an IPv6 socket."""
    return endpoint.rpartition(":")[0].strip("[]").partition("%")[0].removeprefix("::ffff:")
