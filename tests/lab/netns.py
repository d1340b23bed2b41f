"""Network namespaces: made, entered, wired together, and removed.

Only namespaces that a lab created through this file are ever entered for changes or deleted.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import shutil
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.lab.shell import LabError, run

T = TypeVar("T")

NETNS_DIR = Path("/run/netns")
# `ip netns exec NAME` shows the files below here to the program in place of those in /etc.
NETNS_ETC_DIR = Path("/etc/netns")
# The kernel names interfaces by at most 15 characters.
INTERFACE_NAME_CHARS_MAX = 15
# Also the limit of what is then done with the connection. Only a failure waits so long.
CONNECT_TIMEOUT_S = 30.0

# Source ports of the connections made here: below those that kernels choose, and taken in turn.
FRESH_PORTS = range(20_000, 32_000)
# Servers in the way, and connections of the last turn that are still open.
PORT_TRIES_MAX = 2_000
_fresh_ports: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.cycle(FRESH_PORTS))

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Namespace:
    """One named network namespace. The value is only a name: creating and deleting are explicit."""

    name: str

    @property
    def path(self) -> Path:
        return NETNS_DIR / self.name

    def create(self) -> None:
        """Creates it; a name that is taken is refused, for it is not ours."""
        if self.path.exists():
            raise LabError(f"network namespace {self.name} exists already and is not this lab's")
        run(["ip", "netns", "add", self.name])

    def delete(self) -> None:
        """Removes the name and its /etc files; the namespace itself goes with its last socket."""
        if self.path.exists():
            run(["ip", "netns", "del", self.name])
        shutil.rmtree(NETNS_ETC_DIR / self.name, ignore_errors=True)

    def exists(self) -> bool:
        return self.path.exists()

    def call(self, function: Callable[[], T]) -> T:
        """Runs `function` on a thread inside the namespace; sockets it makes stay there for life."""
        outcome: list[T] = []
        failure: list[BaseException] = []

        def body() -> None:
            try:
                _enter(self.path)
                outcome.append(function())
            except BaseException as error:  # handed to the caller below, whatever it is
                failure.append(error)

        thread = threading.Thread(target=body, name=f"netns-{self.name}")
        thread.start()
        thread.join()
        if failure:
            raise failure[0]
        return outcome[0]

    def open_socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A socket that lives in this namespace, for use from any thread."""
        return self.call(lambda: socket.socket(family, kind))

    def connect(self, address: str, port: int, *, timeout: float = CONNECT_TIMEOUT_S, source: str | None = None) -> socket.socket:
        """A TCP connection opened from inside the namespace."""
        stream = self.open_socket(family_of(address))
        stream.settimeout(timeout)
        try:
            self._bind_to_fresh_port(stream, source)
            stream.connect((address, port))
        except BaseException:
            stream.close()
            raise
        return stream

    def _bind_to_fresh_port(self, stream: socket.socket, source: str | None) -> None:
        """To a port that no connection from here had before.

        The kernel may choose one port for two connections to different destinations. Redirected to one port they would
        have the same addresses, so the second one's source port is translated, and a log names a port nobody knows.
        """
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        address = source or ("::" if stream.family == socket.AF_INET6 else "0.0.0.0")
        for _ in range(PORT_TRIES_MAX):
            try:
                stream.bind((address, next(_fresh_ports[self.name])))
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        raise LabError(f"no port is free in {self.name}")

    def listen(self, address: str = "::", port: int = 0, backlog: int = 128) -> socket.socket:
        """A TCP listener inside the namespace; '::' serves IPv4 too. Port 0: the kernel chooses."""
        family = family_of(address)
        listener = self.open_socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((address, port))
        listener.listen(backlog)
        return listener

    def enter_command(self) -> list[str]:
        """The words before a command that put it into this namespace and change nothing else."""
        return ["nsenter", f"--net={self.path}", "--"]

    def pod_command(self) -> list[str]:
        """As enter_command, and the program also sees this namespace's own /etc/hosts."""
        return ["ip", "netns", "exec", self.name]

    def ip_batch(self, lines: Iterable[str]) -> None:
        """Several `ip` commands in one process, all inside the namespace."""
        run(["ip", "-n", self.name, "-batch", "-"], input_text="\n".join(lines) + "\n")

    def set_sysctls(self, values: dict[str, str]) -> None:
        """Writes below /proc/sys, whose network part shows the namespace of the writing thread."""

        def write() -> None:
            for key, value in values.items():
                Path("/proc/sys", key).write_text(value)

        self.call(write)

    def pids(self) -> list[int]:
        """Processes whose main thread lives here."""
        if not self.path.exists():
            return []
        return [int(pid) for pid in run(["ip", "netns", "pids", self.name]).stdout.split()]

    def write_etc(self, name: str, text: str) -> None:
        """A file that programs started by pod_command see as /etc/`name`.

        Written in place: a bind mount made by a running program keeps showing the same file.
        """
        folder = NETNS_ETC_DIR / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def family_of(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def add_veth(left: Namespace, left_name: str, right: Namespace, right_name: str) -> None:
    """A cable between two namespaces."""
    for name in (left_name, right_name):
        if len(name) > INTERFACE_NAME_CHARS_MAX:
            raise LabError(f"interface name {name} is longer than {INTERFACE_NAME_CHARS_MAX} characters")
    run(["ip", "-n", left.name, "link", "add", left_name, "type", "veth",
         "peer", "name", right_name, "netns", right.name])  # fmt: skip


def _enter(path: Path) -> None:
    with open(path) as handle:
        if _libc.setns(handle.fileno(), _CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise LabError(f"cannot enter network namespace {path}: {os.strerror(code)}")
