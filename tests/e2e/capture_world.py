"""One pod and its neighbour, with servers that say who they are: what test_capture_rules.py is tried in.

A small program (tests/e2e/drivers/capture_driver.cc) puts the rules in; greeting servers stand where ztunnel would
listen. Who greets tells who got the connection: "15001 <original destination>" or "app -".
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.netns import Namespace, add_veth
from tests.lab.shell import run

PROXY_MARK = 0x539
OUTBOUND, INBOUND, HBONE, APP_PORT = 15001, 15006, 15008, 8080
# Loopback answers in microseconds, but a machine that also compiles may leave a thread waiting for seconds.
REPLY_TIMEOUT_S = 20.0
SILENCE_S = 1.0

SO_ORIGINAL_DST = 80
IP_TRANSPARENT, IP_FREEBIND = 19, 15
IPV6_TRANSPARENT, IPV6_FREEBIND = 75, 78

VARIANTS = ["nft", "legacy"]
PROBE_SOURCE = {4: "169.254.7.127", 6: "fd16:9254:7127:1337:ffff:ffff:ffff:ffff"}


@dataclass(frozen=True)
class Addresses:
    """Of one IP version."""

    pod: str
    neighbour: str
    loopback: str


ADDRESSES = {
    4: Addresses("10.77.0.2", "10.77.0.1", "127.0.0.1"),
    6: Addresses("fd77::2", "fd77::1", "::1"),
}


class GreetingServer:
    """Says who it is and what the client wanted to reach, then echoes. Serves IPv4 and IPv6."""

    def __init__(self, name: str, ns: Namespace, port: int, *, mark: int = 0) -> None:
        self._name = name
        self._listener = ns.listen("::", port)
        if mark:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name=f"greet-{name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends listening and every connection; a second call does nothing."""
        if self._listener.fileno() < 0:
            return
        # shutdown wakes accept(), close alone would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(REPLY_TIMEOUT_S)
        self._listener.close()
        for stream in list(self._open):
            stream.close()

    def _accept(self) -> None:
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(stream)
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        try:
            peer = stream.getpeername()[0].removeprefix("::ffff:")
            stream.sendall(f"{self._name} {original_destination(stream)} {peer}\n".encode())
            while data := stream.recv(4096):
                stream.sendall(data)
        except OSError:
            pass


def original_destination(stream: socket.socket) -> str:
    """What SO_ORIGINAL_DST says, or "-" for a connection that nobody translated."""
    mapped = stream.getpeername()[0].startswith("::ffff:")
    try:
        if mapped:
            data = stream.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
            port, address = struct.unpack_from("!2xH4s", data)
            text = f"{socket.inet_ntop(socket.AF_INET, address)}:{port}"
        else:
            data = stream.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
            port, address = struct.unpack_from("!2xH4x16s", data)
            text = f"{socket.inet_ntop(socket.AF_INET6, address)}:{port}"
    except OSError:
        return "-"
    local = stream.getsockname()
    return "-" if text == f"{local[0].removeprefix('::ffff:')}:{local[1]}" else text


class Client:
    """One connection, greeted."""

    def __init__(self, stream: socket.socket, ns: Namespace) -> None:
        self.stream = stream
        self._ns = ns
        stream.settimeout(REPLY_TIMEOUT_S)
        line = b""
        while not line.endswith(b"\n"):
            byte = stream.recv(1)
            assert byte, f"closed after {line!r}"
            line += byte
        self.server, self.destination, self.seen_peer = line.decode().split()

    def echoes(self) -> None:
        """Fails unless the connection still carries data both ways."""
        word = secrets.token_bytes(16)
        self.stream.sendall(word)
        got = b""
        while len(got) < len(word):
            try:
                data = self.stream.recv(len(word) - len(got))
            except OSError as error:
                raise AssertionError(f"no echo: {error!r}\n{self._tracks()}") from error
            assert data, f"closed in place of an echo\n{self._tracks()}"
            got += data
        assert got == word

    def _tracks(self) -> str:
        """What sockets and connection tracking say in the client's namespace."""
        sockets = run([*self._ns.enter_command(), "ss", "-tanoie"]).stdout
        return sockets + self._ns.call(lambda: Path("/proc/thread-self/net/nf_conntrack").read_text())

    def is_dead(self) -> bool:
        """True when a word gets a reset, an end or no answer."""
        self.stream.settimeout(SILENCE_S)
        try:
            self.stream.sendall(b"x")
            return self.stream.recv(1) == b""
        except OSError:
            return True


class Driver:
    """capture_driver on one namespace."""

    def __init__(self, ns: Namespace, *words: str) -> None:
        root = Path(__file__).resolve().parents[2]
        program = root / os.environ.get("AQUIFER_BUILD", "build/release") / "tests/e2e/drivers/capture_driver"
        self._process = subprocess.Popen(
            [str(program), str(ns.path), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self._read()
        if line is None:
            self.close()
            raise RuntimeError(self.stderr)
        self.description: str = line["description"]
        self.note: str = line["note"]

    def ask(self, word: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        answer = self._read()
        assert answer is not None, f"capture_driver ended: {self._process.communicate()}"
        return answer

    def do(self, word: str) -> None:
        answer = self.ask(word)
        assert answer["ok"], answer["reason"]

    def kind(self) -> str:
        answer = self.ask("inspect")
        assert answer["ok"], answer["reason"]
        return str(answer["kind"])

    def close(self) -> None:
        """Ends the program; a second call does nothing."""
        if self._process.returncode is not None:
            return
        self.stderr = self._process.communicate(timeout=REPLY_TIMEOUT_S)[1]

    def _read(self) -> dict[str, Any] | None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return dict(json.loads(line)) if line else None


class World:
    """The pod, its neighbour, and all servers; torn down as one."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._servers: dict[tuple[str, int], GreetingServer] = {}
        tag = f"aqcap{os.getpid()}{secrets.token_hex(2)}"
        self.pod = self._namespace(f"{tag}p")
        self.neighbour = self._namespace(f"{tag}n")
        add_veth(self.pod, "eth0", self.neighbour, "eth0")
        for ns, mine in ((self.pod, 2), (self.neighbour, 1)):
            ns.ip_batch(
                # No link-local addresses: they appear some time later, in the middle of a comparison.
                ["link set lo up", "link set eth0 addrgenmode none", f"addr add 10.77.0.{mine}/24 dev eth0",
                 f"addr add fd77::{mine}/64 dev eth0 nodad", "link set eth0 up"]
            )  # fmt: skip
        self.add_probe_source()
        for name, ns, port, mark in (
            ("app", self.pod, APP_PORT, 0),
            ("neighbour", self.neighbour, APP_PORT, 0),
            (str(OUTBOUND), self.pod, OUTBOUND, PROXY_MARK),
            (str(INBOUND), self.pod, INBOUND, PROXY_MARK),
            (str(HBONE), self.pod, HBONE, PROXY_MARK),
        ):
            self.serve(name, ns, port, mark)

    def serve(self, name: str, ns: Namespace, port: int, mark: int = 0) -> None:
        self._servers[ns.name, port] = server = GreetingServer(name, ns, port, mark=mark)
        self._stack.callback(server.close)

    def stop_serving(self, ns: Namespace, port: int) -> None:
        self._servers[ns.name, port].close()

    def driver(self, *words: str) -> Driver:
        driver = Driver(self.pod, *words)
        self._stack.callback(driver.close)
        return driver

    def connect(self, ns: Namespace, address: str, port: int = APP_PORT, *, source: str | None = None) -> Client:
        stream = ns.connect(address, port, timeout=REPLY_TIMEOUT_S, source=source)
        self._stack.callback(stream.close)
        return Client(stream, ns)

    def connect_marked(self, address: str, port: int = APP_PORT, *, borrow: str | None = None) -> Client:
        """As the proxy does: marked, and with somebody else's address as source when `borrow` says so."""
        v6 = ":" in address
        stream = self.pod.open_socket(socket.AF_INET6 if v6 else socket.AF_INET)
        self._stack.callback(stream.close)
        stream.settimeout(SILENCE_S)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, PROXY_MARK)
        if borrow is not None:
            level, transparent, freebind = (
                (socket.IPPROTO_IPV6, IPV6_TRANSPARENT, IPV6_FREEBIND) if v6
                else (socket.SOL_IP, IP_TRANSPARENT, IP_FREEBIND)
            )  # fmt: skip
            stream.setsockopt(level, transparent, 1)
            stream.setsockopt(level, freebind, 1)
            stream.bind((borrow, 0))
        stream.connect((address, port))
        return Client(stream, self.pod)

    def add_probe_source(self) -> None:
        for ip, length in ((4, 32), (6, 128)):
            probe, neighbour = PROBE_SOURCE[ip], ADDRESSES[ip].neighbour
            nodad = " nodad" if ip == 6 else ""
            self.neighbour.ip_batch([f"addr add {probe}/{length} dev eth0{nodad}"])
            self.pod.ip_batch([f"route add {probe}/{length} via {neighbour} dev eth0"])

    def rules(self) -> str:
        """Everything that capture could touch, without counters, dates, and chains that are empty and built in."""
        parts = []
        for variant in VARIANTS:
            for family in ("iptables", "ip6tables"):
                saved = run([*self.pod.enter_command(), f"{family}-{variant}-save"]).stdout
                parts += [f"== {family}-{variant}", *effective_lines(saved)]
        for family in ("-4", "-6"):
            parts.append(run(["ip", family, "-n", self.pod.name, "rule"]).stdout)
            parts.append(run(["ip", family, "-n", self.pod.name, "route", "show", "table", "all"]).stdout)
        return "\n".join(parts)

    def iptables(self, variant: str, *words: str, family: str = "iptables") -> None:
        run([*self.pod.enter_command(), f"{family}-{variant}", *words])

    def _namespace(self, name: str) -> Namespace:
        ns = Namespace(name)
        ns.create()
        self._stack.callback(ns.delete)
        return ns


def effective_lines(saved: str) -> list[str]:
    """Rules, own chains and policies other than ACCEPT, table by table: what makes a difference to a packet."""
    lines, table = [], ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line
        elif line.startswith(":"):
            chain, policy, _ = line.split()
            if policy != "ACCEPT":
                lines.append(f"{table} {chain} {policy}")
        elif line.startswith("-A"):
            lines.append(f"{table} {line}")
    # The legacy kind names tables in the order in which the kernel came to know them.
    return sorted(lines, key=lambda line: line.split()[0])


@contextmanager
def new_world() -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack)
