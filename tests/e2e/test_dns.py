"""DNS of captured pods: names of the mesh are answered on the node, everything else passes untouched."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator

import pytest

from tests.e2e import dns_world as dns
from tests.e2e.dns_world import (
    A, AAAA, END_TIMEOUT_S, HTTPS, RESOLVER, RESOLVER6, SRV, TCP, TXT, UDP, DnsWorld, ask, query,
)  # fmt: skip
from tests.e2e.helpers import wait_captured
from tests.lab import wait_until

CONCURRENT = 100
RESTARTS = 3

SERV_FAIL, NX_DOMAIN, REFUSED = 2, 3, 5


@pytest.fixture(scope="module")
def world(backend: str) -> Iterator[DnsWorld]:
    with dns.dns_world(backend) as running:
        yield running


@pytest.fixture(autouse=True)
def proxy_lives(world: DnsWorld) -> Iterator[None]:
    yield
    world.proxy.require_alive()


# --- names of the mesh -----------------------------------------------------------------------------


@pytest.mark.parametrize("server", [RESOLVER, RESOLVER6])
def test_services_are_found_by_all_of_their_names_whatever_resolver_is_asked(world: DnsWorld, server: str) -> None:
    web = world.lab.mesh.find("Service", "mesh", "web")["spec"]["clusterIPs"]
    names = ["web", "web.mesh", "web.mesh.svc", "web.mesh.svc.cluster.local", "WEB.mesh.SVC.cluster.local"]
    asked = [word for name in names for word in (name, "A", name, "AAAA")]
    said = world.client.run(["dig", f"@{server}", "+time=10", "+tries=1", "+short", *asked]).stdout.split()
    assert said == [web[0], web[1]] * len(names)
    whole = world.dig("web.mesh", server=server)
    assert "status: NOERROR" in whole and "flags: qr aa rd ra;" in whole and "udp: 1232" in whole
    assert f"SERVER: {server}#53" in whole


def test_another_namespace_and_a_family_without_address(world: DnsWorld) -> None:
    assert world.short("four.outside") == ["10.96.0.200"]
    nothing = world.dig("four.outside", "AAAA")
    assert "status: NOERROR" in nothing and "ANSWER: 0" in nothing and "flags: qr aa" in nothing
    assert "status: REFUSED" in world.dig("four")  # of another namespace: Knot is asked, and refuses


def test_a_headless_service_is_its_ready_pods_in_changing_order(world: DnsWorld) -> None:
    pods = [world.lab.pod(f"mesh/db-{number}") for number in (1, 2)]
    assert world.short("db") == sorted(pod.ip for pod in pods)
    assert world.short("db.mesh.svc.cluster.local", "AAAA") == sorted(pod.ip6 for pod in pods)
    orders = {ask(world.client, RESOLVER, query("db", A))[-4:] for _ in range(64)}
    assert len(orders) == 2
    world.lab.mesh.set_ready("mesh", "db-2", False)
    wait_until("the endpoint to go", lambda: world.short("db") == [pods[0].ip])
    world.lab.mesh.set_ready("mesh", "db-2", True)
    wait_until("the endpoint to come back", lambda: len(world.short("db")) == 2)


def test_a_search_domain_too_many_is_an_alias(world: DnsWorld) -> None:
    said = world.dig("web.mesh.svc.cluster.local.mesh.svc.cluster.local", "+noall", "+answer").split()
    assert said[3:5] == ["CNAME", "web.mesh.svc.cluster.local."]
    assert said[5] == "web.mesh.svc.cluster.local." and said[8] == "A"


def test_an_external_name_is_an_alias_with_the_addresses_of_its_target(world: DnsWorld) -> None:
    assert world.dig("outer", "+short").split() == ["alias.example.com.", "192.0.2.1"]
    assert world.dig("outer.mesh.svc.cluster.local", "AAAA", "+short").split() == ["alias.example.com.", "2001:db8::1"]
    web = world.lab.mesh.find("Service", "mesh", "web")["spec"]["clusterIPs"]
    assert world.dig("inner", "+short").split() == ["web.mesh.svc.cluster.local.", web[0]]


def test_hosts_of_service_entries_are_their_addresses_and_others_stay_the_worlds(world: DnsWorld) -> None:
    assert world.short("api.example.com") == ["240.1.0.5"]
    said = world.dig("api.example.com.mesh.svc.cluster.local", "+short").split()
    assert said == ["api.example.com.", "240.1.0.5"]
    assert world.short("a.wild.example.com") == world.short("b.a.wild.example.com") == ["240.1.0.6"]
    (automatic,) = world.short("auto.example.com")
    assert automatic.startswith("240.240.")
    # Without an address, or of another namespace's own: as if the mesh did not know them.
    assert world.short("www.example.com") == ["192.0.2.1"]
    assert "status: NXDOMAIN" in world.dig("own.example.com")
    assert "status: NXDOMAIN" in world.dig("wild.example.com")


def test_changes_of_the_mesh_are_answered_at_once(world: DnsWorld) -> None:
    mesh = world.lab.mesh
    assert world.short("fresh") == []
    mesh.service("mesh", "fresh", selector={"app": "client"}, ports=[(80, 80)], ips=["10.96.0.99"])
    wait_until("the new service's name", lambda: world.short("fresh") == ["10.96.0.99"])
    mesh.delete("Service", "mesh", "fresh")
    wait_until("the name to go", lambda: world.short("fresh") == [])


# --- real resolvers --------------------------------------------------------------------------------


def test_glibc_resolves_by_search_and_by_both_families(world: DnsWorld) -> None:
    web = world.lab.mesh.find("Service", "mesh", "web")["spec"]["clusterIPs"]
    for name in ("web", "web.mesh.svc", "web.mesh.svc.cluster.local"):
        found = world.client.run(["getent", "ahosts", name]).stdout
        assert {line.split()[0] for line in found.splitlines()} == set(web), name
    found = world.client.run(["getent", "ahosts", "www.example.com"]).stdout
    assert {line.split()[0] for line in found.splitlines()} == {"192.0.2.1", "2001:db8::1"}
    assert world.client.run(["getent", "ahosts", "no.example.com"], check=False).returncode == 2


def test_musl_resolves_by_search_and_by_both_families(world: DnsWorld) -> None:
    web = world.lab.mesh.find("Service", "mesh", "web")["spec"]["clusterIPs"]
    for name in ("web", "web.mesh.svc.cluster.local"):
        assert set(world.client.run([str(world.musl), name]).stdout.split()) == set(web), name
    assert set(world.client.run([str(world.musl), "www.example.com"]).stdout.split()) == {"192.0.2.1", "2001:db8::1"}
    assert world.client.run([str(world.musl), "no.example.com"], check=False).returncode == 1


# --- everything else -------------------------------------------------------------------------------

UNTOUCHED = [
    query("www.example.com", A),
    query("wWw.eXample.com", AAAA),
    query("alias.example.com", A, edns=1232),
    query("_sip._tcp.example.com", SRV),
    query("example.com", HTTPS),
    query("odd.example.com", dns.UNKNOWN),
    query("www.example.com", A, edns=1232, dnssec=True),
    query("example.com", dns.DNSKEY, edns=4096, dnssec=True),
    query("no.example.com", A, edns=1232, dnssec=True),
    query("www.example.com", dns.NS),
    query("big.example.com", TXT),
    query("big.example.com", TXT, edns=1232),
    query("web.mesh.svc.cluster.local", SRV),
    query("", dns.NS),
    query("www.example.com", A)[:2] + b"\x01\x10" + query("www.example.com", A)[4:],  # CD
    query("www.example.com", A)[:2] + b"\x20\x00" + query("www.example.com", A)[4:],  # NOTIFY
]


@pytest.mark.parametrize("transport", [UDP, TCP])
def test_what_is_not_ours_passes_byte_for_byte(world: DnsWorld, transport: str) -> None:
    different = []
    for message in UNTOUCHED:
        theirs = ask(world.outside, world.knot_ip, message, transport)
        ours = ask(world.client, RESOLVER, message, transport)
        if ours != theirs:
            different.append((message, theirs, ours))
    assert not different
    signed = ask(world.client, RESOLVER, UNTOUCHED[6], transport)
    assert dns.answer_count(signed) == 2 and len(signed) > 100
    missing = ask(world.client, RESOLVER, UNTOUCHED[8], transport)
    assert dns.rcode(missing) == NX_DOMAIN


def test_dig_cannot_tell_the_proxy_from_the_server(world: DnsWorld) -> None:
    for words in (["example.com", "HTTPS"], ["_sip._tcp.example.com", "SRV"], ["www.example.com", "+dnssec"],
                  ["big.example.com", "TXT"], ["no.example.com", "MX", "+dnssec"]):  # fmt: skip
        shown = ["+noall", "+answer", "+authority", "+additional", *words]
        assert world.dig(*shown) == world.dig(*shown, pod=world.outside, server=world.knot_ip), words


def test_a_truncated_answer_is_asked_for_again_by_tcp(world: DnsWorld) -> None:
    short = ask(world.client, RESOLVER, query("big.example.com", TXT))
    assert dns.is_truncated(short) and len(short) <= 512
    whole = ask(world.client, RESOLVER, query("big.example.com", TXT), TCP)
    assert not dns.is_truncated(whole) and dns.answer_count(whole) == 40 and len(whole) > 8000
    assert world.dig("big.example.com", "TXT", "+short").count("x" * 200) == 40


def test_one_socket_asks_many_times_and_several_queries_share_a_connection(world: DnsWorld) -> None:
    names = [("web", A), ("www.example.com", A), ("db", A), ("alias.example.com", AAAA), ("no.example.com", A)]
    for server in (RESOLVER, RESOLVER6):
        with dns.udp(world.client, server) as datagrams:
            for round_number in range(3):
                for number, (name, kind) in enumerate(names):
                    datagrams.sendto(query(name, kind, ident=100 * round_number + number), (server, 53))
                    answer, peer = datagrams.recvfrom(4096)
                    assert peer[:2] == (server, 53)
                    assert struct.unpack(">H", answer[:2])[0] == 100 * round_number + number
    with world.client.connect(RESOLVER, 53) as stream:
        stream.sendall(b"".join(dns.framed(query(*asked, ident=number)) for number, asked in enumerate(names * 8)))
        answers = [dns.read_message(stream) for _ in names * 8]
    assert sorted(struct.unpack(">H", answer[:2])[0] for answer in answers) == list(range(len(names) * 8))


def test_hostile_messages_are_refused_or_passed_over(world: DnsWorld) -> None:
    good = query("web", A)
    with dns.udp(world.client, RESOLVER) as datagrams:
        # A response, a header too short, and rubbish get no answer: the next good query's is the first to come.
        for rubbish in (b"", b"\0", good[:2] + b"\x81\x80" + good[4:], b"\xff" * 4000):
            datagrams.sendto(rubbish, (RESOLVER, 53))
        datagrams.sendto(good, (RESOLVER, 53))
        assert dns.rcode(datagrams.recv(4096)) == 0
        loop = good[:12] + b"\xc0\x0c\0\1\0\1"
        for malformed in (good[:20], good[:5] + b"\2" + good[6:], loop):
            datagrams.sendto(malformed, (RESOLVER, 53))
            assert dns.rcode(datagrams.recv(4096)) == 1, malformed
        bad_version = query("web", A, edns=1232)[:-6] + b"\0\1\0\0\0\0"
        datagrams.sendto(bad_version, (RESOLVER, 53))
        answer = datagrams.recv(4096)
        assert (answer[-6] << 4) + dns.rcode(answer) == 16
    assert dns.rcode(ask(world.client, RESOLVER, query("example.com", 252), TCP)) == REFUSED
    with world.client.connect(RESOLVER, 53) as stream:
        stream.sendall(dns.framed(b"GET / HTTP/1.1"[:12]))
        assert dns.rcode(dns.read_message(stream)) == 1


def test_a_hundred_at_once_are_all_answered(world: DnsWorld) -> None:
    sockets = []
    for number in range(CONCURRENT):
        datagrams = dns.udp(world.client, RESOLVER)
        name = "web" if number % 2 else f"n{number}.many.example.com"
        datagrams.sendto(query(name, A, ident=number), (RESOLVER, 53))
        sockets.append(datagrams)
    for number, datagrams in enumerate(sockets):
        answer = datagrams.recv(4096)
        datagrams.close()
        assert struct.unpack(">H", answer[:2])[0] == number and dns.answer_count(answer) == 1


def test_metrics_and_the_query_log_tell_of_it(world: DnsWorld) -> None:
    labels = {"request_query_type": "aaaa", "request_protocol": "tcp", "source_canonical_service": "client",
              "source_canonical_revision": "latest"}  # fmt: skip
    names = ("istio_dns_requests_total", "istio_dns_upstream_requests_total", "istio_dns_upstream_failures_total",
             "istio_dns_upstream_request_duration_seconds_count")  # fmt: skip
    before = [world.total(name, **labels) for name in names]
    mark = world.proxy.log_mark()
    ask(world.client, RESOLVER, query("web", AAAA), TCP)
    ask(world.client, RESOLVER, query("www.example.com", AAAA), TCP)
    after = [world.total(name, **labels) for name in names]
    assert [now - then for then, now in zip(before, after)] == [2, 1, 0, 1]
    buckets = world.proxy.metrics().select("istio_dns_upstream_request_duration_seconds_bucket", **labels)
    assert [bucket.labels["le"] for bucket in buckets] == ["0.0005", "0.001", "0.01", "0.1", "1", "5", "+Inf"]

    def logged() -> list[str]:
        text = world.proxy.stdout_path.read_bytes()[mark:].decode()
        return [line for line in text.splitlines() if "\tdns\t" in line]

    wait_until("both lines of the query log", lambda: len(logged()) == 2)
    own, forwarded = logged()
    assert 'query="web" type="aaaa" protocol="tcp" rcode="NOERROR" answers=1' in own
    assert 'answered_by="mesh" service="mesh/web.mesh.svc.cluster.local"' in own
    assert 'query="www.example.com"' in forwarded and 'answered_by="upstream"' in forwarded


# --- when things are missing -----------------------------------------------------------------------


def test_without_a_server_the_mesh_is_still_answered_and_the_rest_fails_fast(world: DnsWorld) -> None:
    failures = world.total("istio_dns_upstream_failures_total")
    world.stop_knot()
    try:
        for transport in (UDP, TCP):
            answer = ask(world.client, RESOLVER, query("www.example.com", A), transport)
            assert dns.rcode(answer) == SERV_FAIL and answer[:2] == b"\x4d\x5a"
            assert dns.answer_count(ask(world.client, RESOLVER, query("web", A), transport)) == 1
        assert world.total("istio_dns_upstream_failures_total") == failures + 2
    finally:
        world.start_knot()
    assert dns.rcode(ask(world.client, RESOLVER, query("www.example.com", A))) == 0


class Asking:
    """Queries one after the other, of the mesh and of the world, each tried once; use as a context."""

    def __init__(self, world: DnsWorld) -> None:
        self._world = world
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(name,), daemon=True)
                         for name in ("web", "www.example.com", "db", "alias.example.com")]  # fmt: skip
        self.done = 0
        self.failures: list[str] = []

    def __enter__(self) -> Asking:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, name: str) -> None:
        while not self._stop.is_set():
            try:
                answer = ask(self._world.client, RESOLVER, query(name, A))
                assert dns.answer_count(answer) > 0, f"rcode {dns.rcode(answer)}"
                self.done += 1
            except (OSError, AssertionError) as error:
                self.failures.append(f"{name}: {type(error).__name__}: {error}")


def test_restarts_that_overlap_lose_no_query(world: DnsWorld) -> None:
    with Asking(world) as asking:
        for number in range(RESTARTS):
            old, before = world.proxy, asking.done
            world.start_ztunnel()
            old.signal(15)
            assert old.wait(END_TIMEOUT_S) == 0
            wait_until("queries to be answered", lambda: asking.done > before + 20 or asking.failures, END_TIMEOUT_S)
            assert not asking.failures, f"restart {number}: {asking.failures[:5]}"
    assert not asking.failures


def test_a_pod_without_its_proxy_gets_no_answer_from_anybody(world: DnsWorld) -> None:
    world.proxy.kill()
    try:
        for server in (RESOLVER, world.knot_ip):
            with dns.udp(world.client, server, timeout=2.0) as datagrams:
                datagrams.connect((server, 53))
                datagrams.send(query("www.example.com", A))
                with pytest.raises(OSError):
                    datagrams.recv(4096)
            with pytest.raises(OSError):
                world.client.connect(server, 53, timeout=2.0)
        assert dns.answer_count(ask(world.outside, world.knot_ip, query("www.example.com", A))) == 1
    finally:
        world.start_ztunnel()
    assert world.short("web")


# --- joining, leaving, switching off ---------------------------------------------------------------


def test_a_pod_that_joins_and_leaves_while_it_asks(world: DnsWorld) -> None:
    comer = world.lab.pod("late/comer")
    message = query("www.example.com", A)
    with dns.udp(comer, world.knot_ip) as datagrams:
        datagrams.connect((world.knot_ip, 53))

        def asks() -> None:
            datagrams.send(message)
            assert dns.answer_count(datagrams.recv(4096)) == 1

        asks()
        world.lab.mesh.enrol("late")
        wait_captured(comer)
        asks()
        assert dns.answer_count(ask(comer, RESOLVER, query("web.mesh", A))) == 1
        with dns.udp(comer, world.knot_ip) as captured:
            captured.connect((world.knot_ip, 53))
            for _ in range(2):
                captured.send(message)
                assert dns.answer_count(captured.recv(4096)) == 1
            world.lab.mesh.release("late")
            wait_until("the pod to be released", lambda: not comer.is_captured())
            assert not dns.rules_redirect_dns(comer)
            # The kernel still translates this flow to the proxy, which still answers.
            captured.send(message)
            assert dns.answer_count(captured.recv(4096)) == 1
        asks()
    assert dns.answer_count(ask(comer, world.knot_ip, message)) == 1


def test_a_pod_whose_dns_port_is_taken_is_not_captured(world: DnsWorld) -> None:
    holder = world.lab.pod("taken/holder")
    mark = world.proxy.log_mark()
    with dns.hold_dns_port(holder):
        world.lab.mesh.enrol("taken")

        def reported() -> bool:
            text = world.proxy.stdout_path.read_bytes()[mark:].decode()
            return "taken/holder is NOT captured: port 15053 is in use in the pod" in text

        wait_until("the pod to be reported", reported)
        assert not holder.is_captured()
    wait_captured(holder, timeout=END_TIMEOUT_S)
    assert dns.answer_count(ask(holder, RESOLVER, query("web.mesh", A))) == 1


def test_capture_of_dns_can_be_switched_off_and_moved(world: DnsWorld) -> None:
    web = world.lab.mesh.find("Service", "mesh", "web")["spec"]["clusterIPs"][:1]
    world.proxy.stop()
    world.start_ztunnel(ISTIO_META_DNS_CAPTURE="false")
    assert not dns.rules_redirect_dns(world.client)
    assert dns.answer_count(ask(world.client, world.knot_ip, query("www.example.com", A))) == 1
    assert dns.answer_count(ask(world.client, world.knot_ip, query("www.example.com", A), TCP)) == 1
    world.proxy.stop()
    world.start_ztunnel(ISTIO_META_DNS_PROXY_ADDR="localhost:15054")
    assert "--to-ports 15054" in world.client.iptables_save()
    # A source port that a query had in the last minutes may still be translated to the old place: ask again.
    wait_until("the mesh's answer", lambda: world.short("web", "+time=2") == web, END_TIMEOUT_S)
    wait_until("the world's answer", lambda: world.short("www.example.com", "+time=2") == ["192.0.2.1"], END_TIMEOUT_S)
    world.proxy.stop()
    world.start_ztunnel()
    wait_until("the mesh's answer", lambda: world.short("web", "+time=2") == web, END_TIMEOUT_S)
