"""The capture rules by themselves: real kernel, real connections, both kinds of iptables, no ztunnel."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.capture_world import (
    ADDRESSES,
    APP_PORT,
    HBONE,
    INBOUND,
    OUTBOUND,
    PROBE_SOURCE,
    PROXY_MARK,
    REPLY_TIMEOUT_S,
    VARIANTS,
    Driver,
    World,
    new_world,
)
from tests.lab.netns import Namespace
from tests.lab.shell import run

families = pytest.mark.parametrize("ip", [4, 6], ids=["ipv4", "ipv6"])
variants = pytest.mark.parametrize("variant", VARIANTS)


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
