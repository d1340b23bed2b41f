"""The capture rules by themselves: real kernel, real connections, one pod and its neighbour, no ztunnel.

A small program (tests/e2e/drivers/capture_driver.cc) puts the rules in; greeting servers stand where ztunnel would
listen. Who greets tells who got the connection: "15001 <original destination>" or "app".
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

import pytest

from tests.lab.netns import Namespace, add_veth
from tests.lab.shell import run

PROXY_MARK = 0x539
OUTBOUND, INBOUND, HBONE, APP_PORT = 15001, 15006, 15008, 8080
# Loopback answers in microseconds; this long means that nobody will.
REPLY_TIMEOUT_S = 5.0
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
families = pytest.mark.parametrize("ip", [4, 6], ids=["ipv4", "ipv6"])
variants = pytest.mark.parametrize("variant", VARIANTS)


# --- the world around the pod ----------------------------------------------------------------------


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

    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
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
            data = self.stream.recv(len(word) - len(got))
            assert data, "closed in place of an echo"
            got += data
        assert got == word

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
                ["link set lo up", f"addr add 10.77.0.{mine}/24 dev eth0", f"addr add fd77::{mine}/64 dev eth0 nodad",
                 "link set eth0 up"]
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
        return Client(stream)

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
        return Client(stream)

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


@pytest.fixture
def world() -> Iterator[World]:
    with new_world() as made:
        yield made


# --- what is captured, and what is not -------------------------------------------------------------


@variants
@families
def test_new_connections_are_redirected_and_the_original_destination_is_known(
    world: World, variant: str, ip: int
) -> None:
    at = ADDRESSES[ip]
    before = world.connect(world.pod, at.neighbour)
    assert before.server == "neighbour"
    world.driver(variant).do("install")

    outbound = world.connect(world.pod, at.neighbour)
    assert (outbound.server, outbound.destination) == (str(OUTBOUND), f"{at.neighbour}:{APP_PORT}")
    outbound.echoes()
    inbound = world.connect(world.neighbour, at.pod)
    assert (inbound.server, inbound.destination) == (str(INBOUND), f"{at.pod}:{APP_PORT}")
    assert inbound.seen_peer == at.neighbour
    inbound.echoes()


@variants
@families
def test_an_address_nobody_has_is_captured_too(world: World, variant: str, ip: int) -> None:
    world.driver(variant).do("install")
    target = "10.77.0.200" if ip == 4 else "fd77::200"
    assert world.connect(world.pod, target).destination == f"{target}:{APP_PORT}"


@variants
@families
def test_a_pod_talking_to_itself_is_not_captured(world: World, variant: str, ip: int) -> None:
    world.driver(variant).do("install")
    for address in (ADDRESSES[ip].loopback, ADDRESSES[ip].pod):
        client = world.connect(world.pod, address)
        assert client.server == "app", f"{address} went to {client.server}"
        client.echoes()


@variants
@families
def test_the_tunnel_port_is_reached_directly(world: World, variant: str, ip: int) -> None:
    world.driver(variant).do("install")
    client = world.connect(world.neighbour, ADDRESSES[ip].pod, HBONE)
    assert (client.server, client.destination) == (str(HBONE), "-")


@variants
@families
def test_the_proxys_own_connections_are_not_captured(world: World, variant: str, ip: int) -> None:
    world.driver(variant).do("install")
    assert world.connect_marked(ADDRESSES[ip].neighbour).server == "neighbour"
    assert world.connect_marked(ADDRESSES[ip].pod).server == "app"


@variants
@families
def test_the_nodes_probes_reach_the_application(world: World, variant: str, ip: int) -> None:
    world.driver(variant).do("install")
    probe = world.connect(world.neighbour, ADDRESSES[ip].pod, source=PROBE_SOURCE[ip])
    assert (probe.server, probe.seen_peer) == ("app", PROBE_SOURCE[ip])
    assert world.connect(world.neighbour, ADDRESSES[ip].pod).server == str(INBOUND)


@variants
@families
def test_a_captured_pod_without_its_proxy_fails_closed(world: World, variant: str, ip: int) -> None:
    driver = world.driver(variant)
    driver.do("install")
    driver.close()
    for port in (OUTBOUND, INBOUND):
        world.stop_serving(world.pod, port)
    with pytest.raises(ConnectionRefusedError):
        world.connect(world.pod, ADDRESSES[ip].neighbour)
    with pytest.raises(ConnectionRefusedError):
        world.connect(world.neighbour, ADDRESSES[ip].pod)


@variants
@families
def test_the_application_sees_the_clients_address_over_a_borrowed_one(world: World, variant: str, ip: int) -> None:
    at = ADDRESSES[ip]
    with pytest.raises(OSError):
        world.connect_marked(at.pod, borrow=at.neighbour)  # without the rules the answer leaves the pod
    driver = world.driver(variant)
    driver.do("install")
    client = world.connect_marked(at.pod, borrow=at.neighbour)
    assert (client.server, client.seen_peer) == ("app", at.neighbour)
    client.echoes()
    # Tunnels outlast the redirects: a draining pod still gets such connections, old and new.
    driver.do("release")
    client.echoes()
    world.connect_marked(at.pod, borrow=at.neighbour).echoes()


@variants
def test_with_ipv6_off_only_ipv4_is_captured(world: World, variant: str) -> None:
    driver = world.driver(variant, "no-ipv6")
    assert "IPv4 only" in driver.description
    driver.do("install")
    assert world.connect(world.pod, ADDRESSES[4].neighbour).server == str(OUTBOUND)
    assert world.connect(world.pod, ADDRESSES[6].neighbour).server == "neighbour"
    assert driver.kind() == "captured"


@variants
def test_a_pod_without_ipv6_is_captured_all_the_same(world: World, variant: str) -> None:
    for scope in ("all", "default", "lo", "eth0"):
        world.pod.set_sysctls({f"net/ipv6/conf/{scope}/disable_ipv6": "1"})
    driver = world.driver(variant)
    driver.do("install")
    assert driver.kind() == "captured"
    assert world.connect(world.pod, ADDRESSES[4].neighbour).server == str(OUTBOUND)
    driver.do("remove")
    assert driver.kind() == "absent"


@variants
def test_rules_of_others_that_come_later_still_see_what_is_not_captured(world: World, variant: str) -> None:
    # As in a container whose resolver address is translated.
    world.iptables(variant, "-t", "nat", "-A", "OUTPUT", "-d", "127.0.0.11/32", "-p", "tcp", "--dport", "53",
                   "-j", "DNAT", "--to-destination", f"127.0.0.1:{APP_PORT}")  # fmt: skip
    world.driver(variant).do("install")
    assert world.connect(world.pod, "127.0.0.11", 53).server == "app"


@variants
def test_dns_is_redirected_when_asked_for(world: World, variant: str) -> None:
    world.serve("dns", world.pod, 15053, PROXY_MARK)
    driver = world.driver(variant, "dns")
    driver.do("install")
    assert driver.kind() == "captured"
    assert world.connect(world.pod, ADDRESSES[4].neighbour, 53).server == "dns"
    with world.pod.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 15053))
        server.settimeout(REPLY_TIMEOUT_S)
        with world.pod.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"query", (ADDRESSES[4].neighbour, 53))
            assert server.recv(64) == b"query"
    # Without it, TCP port 53 is like any other, and what only DNS capture needs is gone.
    plain = world.driver(variant)
    plain.do("install")
    assert world.connect(world.pod, ADDRESSES[4].neighbour, 53).server == str(OUTBOUND)
    assert "15053" not in world.rules()
    assert "zone" not in world.rules()


# --- live connections ------------------------------------------------------------------------------


@variants
@families
def test_connections_opened_before_enrolment_live_through_it_and_through_release(
    world: World, variant: str, ip: int
) -> None:
    at = ADDRESSES[ip]
    outbound = world.connect(world.pod, at.neighbour)
    inbound = world.connect(world.neighbour, at.pod)
    within = world.connect(world.pod, at.pod)
    driver = world.driver(variant)
    for word in ("install", "install", "release", "install", "release", "remove"):
        driver.do(word)
        for client in (outbound, inbound, within):
            client.echoes()


@variants
@families
def test_connections_opened_while_captured_live_through_release_and_enrolment_again(
    world: World, variant: str, ip: int
) -> None:
    at = ADDRESSES[ip]
    driver = world.driver(variant)
    driver.do("install")
    outbound = world.connect(world.pod, at.neighbour)
    inbound = world.connect(world.neighbour, at.pod)
    assert (outbound.server, inbound.server) == (str(OUTBOUND), str(INBOUND))

    driver.do("release")
    assert driver.kind() == "draining"
    assert world.connect(world.pod, at.neighbour).server == "neighbour"
    assert world.connect(world.neighbour, at.pod).server == "app"
    outbound.echoes()
    inbound.echoes()

    driver.do("install")
    assert driver.kind() == "captured"
    assert world.connect(world.pod, at.neighbour).server == str(OUTBOUND)
    outbound.echoes()
    inbound.echoes()


@variants
def test_removal_cuts_what_is_still_captured_which_is_why_release_comes_first(world: World, variant: str) -> None:
    driver = world.driver(variant)
    driver.do("install")
    captured = world.connect(world.pod, ADDRESSES[4].neighbour)
    driver.do("remove")
    assert captured.is_dead()
    assert world.connect(world.pod, ADDRESSES[4].neighbour).server == "neighbour"


@variants
def test_repair_does_not_disturb_live_connections(world: World, variant: str) -> None:
    driver = world.driver(variant)
    driver.do("install")
    captured = world.connect(world.pod, ADDRESSES[4].neighbour)
    world.iptables(variant, "-t", "nat", "-D", "PREROUTING", "-j", "AQUIFER_PRERT")
    world.iptables(variant, "-t", "nat", "-D", "AQUIFER_OUTPUT", "1")
    assert driver.kind() == "damaged"
    driver.do("install")
    assert driver.kind() == "captured"
    captured.echoes()


# --- states and repair -----------------------------------------------------------------------------


@variants
def test_installing_twice_is_installing_once(world: World, variant: str) -> None:
    driver = world.driver(variant)
    driver.do("install")
    once = world.rules()
    driver.do("install")
    assert world.rules() == once
    world.driver(variant).do("install")
    assert world.rules() == once


@variants
@pytest.mark.parametrize("way", [["install", "remove"], ["install", "release", "remove"], ["remove"], ["release"]])
def test_nothing_is_left_and_nothing_of_others_is_touched(world: World, variant: str, way: list[str]) -> None:
    for other in VARIANTS:
        world.iptables(other, "-t", "nat", "-N", "THEIRS")
        world.iptables(other, "-t", "nat", "-A", "OUTPUT", "-d", "192.0.2.1", "-j", "THEIRS")
        world.iptables(other, "-t", "filter", "-P", "FORWARD", "DROP")
        world.iptables(other, "-t", "mangle", "-A", "OUTPUT", "-p", "icmp", "-j", "MARK", "--set-mark", "0x1")
    world.pod.ip_batch(
        ["rule add fwmark 0x222/0xfff lookup 100 pref 32763", "route add 192.0.2.0/24 dev eth0 table 100"]
    )
    before = world.rules()
    driver = world.driver(variant)
    for word in way:
        driver.do(word)
    assert driver.kind() == "absent"
    assert world.rules() == before


@variants
@pytest.mark.parametrize(
    "damage",
    [
        ["-t", "nat", "-F", "AQUIFER_OUTPUT"],
        ["-t", "nat", "-F", "OUTPUT"],
        ["-t", "nat", "-F"],
        ["-t", "mangle", "-F"],
        ["-t", "nat", "-R", "AQUIFER_OUTPUT", "1", "-p", "tcp", "-j", "ACCEPT"],
        ["-t", "nat", "-A", "OUTPUT", "-j", "AQUIFER_OUTPUT"],
    ],
    ids=lambda words: " ".join(words[1:4]),
)
@pytest.mark.parametrize("family", ["iptables", "ip6tables"])
def test_damage_is_noticed_at_the_next_look_and_mended(
    world: World, variant: str, damage: list[str], family: str
) -> None:
    driver = world.driver(variant)
    driver.do("install")
    whole = world.rules()
    # The second look is the quick one that starts no program.
    assert [driver.kind(), driver.kind()] == ["captured", "captured"]
    world.iptables(variant, *damage, family=family)
    found = driver.ask("inspect")
    assert found["kind"] == "damaged", found
    assert ("IPv4" if family == "iptables" else "IPv6") in found["difference"]
    driver.do("install")
    assert driver.kind() == "captured"
    assert world.rules() == whole


@variants
@pytest.mark.parametrize(
    "damage",
    ["rule del pref 32764", "-6 rule del pref 32764", "route flush table 100", "-6 route flush table 100"],
)
def test_lost_routing_is_noticed_at_the_next_look_and_mended(world: World, variant: str, damage: str) -> None:
    driver = world.driver(variant)
    driver.do("install")
    whole = world.rules()
    assert [driver.kind(), driver.kind()] == ["captured", "captured"]
    run(["ip", "-n", world.pod.name, *damage.split()])
    assert driver.kind() == "damaged"
    driver.do("install")
    assert driver.kind() == "captured"
    assert world.rules() == whole


@pytest.mark.parametrize(("old", "new"), [("nft", "legacy"), ("legacy", "nft")])
def test_rules_that_another_kind_of_iptables_left_are_replaced(world: World, old: str, new: str) -> None:
    world.driver(old).do("install")
    driver = world.driver(new)
    assert driver.kind() == "damaged"
    driver.do("install")
    assert driver.kind() == "captured"
    with new_world() as fresh:
        fresh.driver(new).do("install")
        assert world.rules() == fresh.rules()
    world.driver(old).do("install")
    driver.do("remove")
    assert "AQUIFER" not in world.rules()


@variants
def test_a_stale_chain_of_another_version_goes(world: World, variant: str) -> None:
    world.iptables(variant, "-t", "nat", "-N", "AQUIFER_OLD")
    world.iptables(variant, "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "-j", "AQUIFER_OLD")
    driver = world.driver(variant)
    driver.do("install")
    assert driver.kind() == "captured"
    assert "AQUIFER_OLD" not in world.rules()


# --- refusals --------------------------------------------------------------------------------------


@variants
@pytest.mark.parametrize("other", VARIANTS)
def test_a_pod_that_another_mesh_captures_is_refused_and_left_alone(world: World, variant: str, other: str) -> None:
    world.iptables(other, "-t", "nat", "-N", "ISTIO_OUTPUT")
    world.iptables(other, "-t", "nat", "-A", "OUTPUT", "-j", "ISTIO_OUTPUT")
    before = world.rules()
    driver = world.driver(variant)
    answer = driver.ask("install")
    assert not answer["ok"]
    assert answer["failure"] == "conflict"
    assert "nat ISTIO_OUTPUT" in answer["reason"]
    assert driver.ask("inspect")["conflict"] == "nat ISTIO_OUTPUT"
    assert world.rules() == before


def test_a_routing_table_that_somebody_uses_is_refused(world: World) -> None:
    world.pod.ip_batch([f"route add default via {ADDRESSES[4].neighbour} table 100"])
    before = world.rules()
    answer = world.driver().ask("install")
    assert (answer["ok"], answer["failure"]) == (False, "conflict")
    assert "table 100" in answer["reason"]
    assert world.rules() == before


def test_a_pod_whose_loopback_is_down_is_told_so(world: World) -> None:
    world.pod.ip_batch(["link set lo down"])
    answer = world.driver().ask("install")
    assert not answer["ok"]
    assert "loopback interface" in answer["reason"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/run/netns/aquifer-no-such-pod", "no network namespace at this path"),
        ("/proc/999999999/ns/net", "no network namespace at this path"),
        ("/etc/hostname", "not a network namespace but another file"),
        ("/proc/self/ns/mnt", "not a network namespace"),
        ("/run", "not a network namespace but another file"),
    ],
)
def test_a_path_that_is_no_network_namespace_is_refused_with_one_line(path: str, message: str) -> None:
    class Wrong(Namespace):
        @property
        def path(self) -> Path:
            return Path(path)

    with pytest.raises(RuntimeError) as refused:
        Driver(Wrong("wrong"))
    assert message in str(refused.value)
    assert str(refused.value).count("\n") == 1
