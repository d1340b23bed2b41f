"""What a node says about its traffic: metrics, pods' cost, the access log's filter, and connections as they live."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from tests.e2e.helpers import APP_PORT, Mesh, TcpServer, read_all, read_exactly, source_of, two_node_mesh
from tests.lab import Pod, Ztunnel, wait_until
from tests.lab.ztunnel import ztunnel_binary

# A label set is given up this soon after its last use and its workload's end, instead of 10 minutes.
SERIES_TTL = {"AQUIFER_METRICS_SERIES_TTL": "1s"}
WAIT_S = 20.0
BULK_BYTES = 64 << 20


@pytest.fixture(scope="module")
def mesh(backend: str) -> Iterator[Mesh]:
    with two_node_mesh(backend, env=SERIES_TTL) as running:
        running.lab.mesh.service("mesh", "nobody", selector={"app": "nobody"}, ports=[(80, APP_PORT)])
        host = "nobody.mesh.svc.cluster.local"
        wait_until("the service without endpoints", lambda: host in admin(running.client, running, "/config_dump"), WAIT_S)
        yield running


def admin(pod: Pod, mesh: Mesh, path: str, *, method: str = "GET") -> str:
    """The admin port of the pod's node."""
    status, body = mesh.proxy_of(pod).get(path, method=method)
    assert status == 200, f"{path}: {status} {body}"
    return body


def flows(mesh: Mesh, pod: Pod, query: str = "") -> list[dict[str, object]]:
    return json.loads(admin(pod, mesh, f"/flows?pod={pod.key}{query}"))["flows"]


def command(mesh: Mesh, pod: Pod, *arguments: str) -> list[str]:
    """`ztunnel flows` as typed on the pod's node."""
    return [*mesh.lab.node(pod.node).ns.enter_command(), str(ztunnel_binary()), "flows", *arguments]


class Following:
    """`ztunnel flows --follow --json` as a program; its lines as they come."""

    def __init__(self, mesh: Mesh, pod: Pod, *arguments: str) -> None:
        self._lines: queue.Queue[dict[str, object]] = queue.Queue()
        self.seen: list[dict[str, object]] = []
        self._program = subprocess.Popen(
            command(mesh, pod, "--follow", "--json", *arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Following:
        return self

    def __exit__(self, *unused: object) -> None:
        self._program.terminate()
        self._program.wait(WAIT_S)

    def _read(self) -> None:
        assert self._program.stdout is not None
        for line in self._program.stdout:
            self._lines.put(json.loads(line))

    def wait(self, **wanted: object) -> dict[str, object]:
        """The next event with these fields; what comes before it is kept in `seen`."""
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                event = self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no event {wanted}; seen: {self.seen}") from None
            self.seen.append(event)
            if all(event.get(key) == value for key, value in wanted.items()):
                return event


def start_following(mesh: Mesh, pod: Pod, *arguments: str) -> Following:
    """Follows, and has been heard of: a refusal that we cause until it is told."""
    following = Following(mesh, pod, *arguments)
    try:
        address = service_address(mesh, "nobody")

        def heard() -> bool:
            refused_connection(mesh, pod, address)
            try:
                following.seen.append(following._lines.get(timeout=0.3))
            except queue.Empty:
                return False
            return True

        wait_until("the first event", heard, WAIT_S)
        return following
    except BaseException:
        following.__exit__()
        raise


def service_address(mesh: Mesh, name: str) -> str:
    service = mesh.lab.mesh.find("Service", "mesh", name)
    return str(service["spec"]["clusterIP"])


def refused_connection(mesh: Mesh, pod: Pod, address: str) -> str:
    """A connection that ends without a byte, to a service that has no endpoints; gives the client's address."""
    return connection_without_answer(pod, address, 80)


def connection_without_answer(pod: Pod, address: str, port: int) -> str:
    """A connection that the proxy ends; gives the client's address."""
    with pod.ns.open_socket() as stream:
        stream.settimeout(WAIT_S)
        # Bound first: an end may be as quick as the connection, and then there is nothing to ask any more.
        stream.bind((pod.ip, 0))
        source = source_of(stream)
        try:
            stream.connect((address, port))
            assert stream.recv(1) == b""
        except ConnectionResetError:
            pass
        return source


def test_flows_lists_live_connections_with_both_identities_service_bytes_and_age(mesh: Mesh) -> None:
    with TcpServer(mesh.server_b.listen(8081)):
        with mesh.client.connect(mesh.server_b.ip, 8081) as stream:
            stream.sendall(b"x" * 1000)
            assert read_exactly(stream, 1000) == b"x" * 1000
            source = source_of(stream)
            out = next(flow for flow in flows(mesh, mesh.client) if flow["source"]["address"] == source)
            assert out["event"] == "open" and out["verdict"] == "allowed"
            assert out["direction"] == "outbound" and out["pod"] == "mesh/client"
            assert out["source"]["identity"] == "spiffe://cluster.local/ns/mesh/sa/client"
            assert out["destination"]["identity"] == "spiffe://cluster.local/ns/mesh/sa/server-b"
            assert out["destination"]["workload"] == "server-b"
            assert out["backend"] == f"{mesh.server_b.ip}:8081"
            assert out["wanted"] == f"{mesh.server_b.ip}:8081"
            assert (out["bytesSent"], out["bytesReceived"]) == (1000, 1000)
            assert out["ageMs"] >= 0 and out["encrypted"] is True
            into = next(flow for flow in flows(mesh, mesh.server_b) if flow["backend"] == f"{mesh.server_b.ip}:8081")
            assert into["direction"] == "inbound"
            assert into["source"]["identity"] == "spiffe://cluster.local/ns/mesh/sa/client"

            # The same for a person.
            table = subprocess.run(
                command(mesh, mesh.client, "--pod", "mesh/client"), capture_output=True, text=True, check=True
            ).stdout
            assert "mesh/server-b" in table and "1000 B" in table and "\033" not in table
            assert "cluster.local/ns/mesh/sa/client -> cluster.local/ns/mesh/sa/server-b" in table
        wait_until("the connection to leave the list", lambda: not flows(mesh, mesh.client), WAIT_S)


def test_follow_tells_connections_as_they_open_end_fail_and_are_refused(mesh: Mesh) -> None:
    with start_following(mesh, mesh.client, "--pod", "mesh/client") as following:
        with TcpServer(mesh.server_b.listen(8081)):
            with mesh.client.connect(mesh.server_b.ip, 8081) as stream:
                stream.sendall(b"hello")
                assert read_exactly(stream, 5) == b"hello"
                opened = following.wait(event="opened")
                assert opened["source"]["address"] == source_of(stream)
                assert opened["destination"]["identity"] == "spiffe://cluster.local/ns/mesh/sa/server-b"
            ended = following.wait(event="ended")
            assert ended["source"]["address"] == opened["source"]["address"]
            assert (ended["bytesSent"], ended["bytesReceived"]) == (5, 5)
            assert "reason" not in ended
        # Nobody listens there: the other node says so.
        connection_without_answer(mesh.client, mesh.server_b.ip, 8082)
        failed = following.wait(event="failed")
        assert failed["reason"] == "http status: 503 Service Unavailable"
        source = refused_connection(mesh, mesh.client, service_address(mesh, "nobody"))
        refused = following.wait(event="refused", verdict="denied")
        while refused["source"]["address"] != source:
            refused = following.wait(event="refused")
        assert str(refused["reason"]).startswith("no healthy upstream: ")
        # One pod was asked for, and the others are nobody's business.
        mesh.server_b.curl(f"http://{mesh.server_a.ip}:{APP_PORT}/")
        refused_connection(mesh, mesh.client, service_address(mesh, "nobody"))
        following.wait(event="refused")
        assert {event["pod"] for event in following.seen} == {"mesh/client"}


def test_refusals_of_a_pod_are_remembered_with_when_from_whom_and_why(mesh: Mesh) -> None:
    source = refused_connection(mesh, mesh.client, service_address(mesh, "nobody"))
    answer = json.loads(admin(mesh.client, mesh, "/refusals?pod=mesh/client"))
    last = answer["refusals"][-1]
    assert last["source"] == {"address": source, "workload": "client", "namespace": "mesh"}
    assert last["verdict"] == "denied" and last["time"].endswith("Z")
    assert last["reason"].startswith("no healthy upstream: ")
    denied = subprocess.run(
        command(mesh, mesh.client, "--verdict", "denied"), capture_output=True, text=True, check=True
    ).stdout
    assert "no healthy upstream" in denied
    assert json.loads(admin(mesh.client, mesh, "/refusals?pod=mesh/server-a"))["refusals"] == []


def test_flows_says_in_one_line_when_no_ztunnel_answers_or_the_question_is_wrong(mesh: Mesh) -> None:
    for arguments, code, words in (
        (["--admin", "http://127.0.0.1:1"], 1, "no ztunnel answers at http://127.0.0.1:1: Connection refused"),
        (["--pod", "client"], 2, "--pod client: write NAMESPACE/NAME"),
        (["--verdict", "maybe"], 2, "--verdict maybe: write denied or allowed"),
    ):
        done = subprocess.run(command(mesh, mesh.client, *arguments), capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (code, "")
        assert words in done.stderr and done.stderr.count("\n") == 1
    for query in ("pods=x", "pod=x", "pod=/x", "pod=x/", "pod=a/b/c", "verdict=maybe"):
        assert mesh.proxy_of(mesh.client).get(f"/flows?{query}")[0] == 400, query


# --- what pods cost --------------------------------------------------------------------------------


def pod_value(proxy: Ztunnel, name: str, pod: Pod) -> float:
    namespace, pod_name = pod.key.split("/")
    return proxy.metrics().total(name, namespace=namespace, pod=pod_name, node=proxy.node)


def test_a_busy_pod_is_charged_nearly_all_cpu_time_and_an_idle_one_next_to_none(mesh: Mesh) -> None:
    proxy = mesh.proxy_of(mesh.server_b)
    mesh.settles()
    before = proxy.metrics()
    with TcpServer(mesh.client.listen(8083), drain):
        with mesh.server_b.connect(mesh.client.ip, 8083) as stream:
            block = b"z" * (1 << 20)
            for _ in range(BULK_BYTES >> 20):
                stream.sendall(block)
            stream.shutdown(1)
            assert read_all(stream) == b"done"

    def settled() -> bool:
        sent = pod_value(proxy, "aquifer_pod_sent_bytes_total", mesh.server_b) - sent_before
        return sent >= BULK_BYTES and pod_value(proxy, "aquifer_pod_connections_open", mesh.server_b) == 0

    sent_before = before.total("aquifer_pod_sent_bytes_total", pod="server-b")
    wait_until("the pod's bytes and its end to be published", settled, WAIT_S)
    after = proxy.metrics()

    def spent(name: str, **labels: str) -> float:
        return after.total(name, **labels) - before.total(name, **labels)

    busy = spent("aquifer_pod_cpu_seconds_total", pod="server-b")
    all_pods = spent("aquifer_pod_cpu_seconds_total")
    nobody = spent("aquifer_worker_unattributed_cpu_seconds_total")
    workers = spent("aquifer_worker_cpu_seconds_total")
    assert busy > 0.02, "64 MiB of encryption cost something"
    assert busy >= 0.8 * workers, (busy, workers, nobody)
    # The scrape may lie within the divisions of the two workers, each of about 100 ms.
    assert abs(all_pods + nobody - workers) <= 0.25
    assert spent("aquifer_pod_connections_opened_total", pod="server-b") == 1
    # On the other node the receiver is charged, and the pod beside it is not.
    receiver = mesh.proxy_of(mesh.client)
    wait_until(
        "the receiver's bytes to be published",
        lambda: pod_value(receiver, "aquifer_pod_received_bytes_total", mesh.client) >= BULK_BYTES,
        WAIT_S,
    )
    other = receiver.metrics()
    idle = other.total("aquifer_pod_cpu_seconds_total", pod="server-a")
    assert idle <= other.total("aquifer_pod_cpu_seconds_total", pod="client")


def drain(stream: object) -> None:
    while stream.recv(1 << 18):
        pass
    stream.sendall(b"done")


def test_a_pods_open_connections_and_tunnels_are_shown_while_they_are(mesh: Mesh) -> None:
    proxy = mesh.proxy_of(mesh.client)
    with TcpServer(mesh.server_b.listen(8081)):
        with mesh.client.connect(mesh.server_b.ip, 8081) as stream:
            stream.sendall(b"x")
            assert read_exactly(stream, 1) == b"x"
            wait_until(
                "the open connection to be published",
                lambda: pod_value(proxy, "aquifer_pod_connections_open", mesh.client) == 1,
                WAIT_S,
            )
            assert pod_value(proxy, "aquifer_pod_tunnels", mesh.client) >= 1
    before = pod_value(proxy, "aquifer_pod_connections_refused_total", mesh.client)
    refused_connection(mesh, mesh.client, service_address(mesh, "nobody"))
    wait_until(
        "the refusal and the end to be published",
        lambda: pod_value(proxy, "aquifer_pod_connections_refused_total", mesh.client) == before + 1
        and pod_value(proxy, "aquifer_pod_connections_open", mesh.client) == 0,
        WAIT_S,
    )


# --- the access log's filter -----------------------------------------------------------------------


def fetch(mesh: Mesh) -> str:
    """One request from client to server-b; gives the client's address."""
    with mesh.client.connect(mesh.server_b.ip, APP_PORT) as stream:
        stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_all(stream).startswith(b"HTTP/1.1 200")
        return source_of(stream)


def test_the_access_log_can_be_thinned_by_namespace_and_result_at_run_time(mesh: Mesh) -> None:
    proxy = mesh.proxy_of(mesh.client)
    assert "access log filter is mesh:error,*:all" in admin(mesh.client, mesh, "/logging?access=mesh:error", method="POST")
    mark = proxy.log_mark()
    fetch(mesh)
    denied = refused_connection(mesh, mesh.client, service_address(mesh, "nobody"))
    # Lines come in order: when the denial is there, what ended well before it would be too.
    line = proxy.wait_access(mark, src_addr=denied)
    assert (line.level, line.message) == ("warn", "connection failed")
    assert [found.raw for found in proxy.access_lines(mark) if found.level == "info"] == []

    admin(mesh.client, mesh, "/logging?access=mesh:none", method="POST")
    mark = proxy.log_mark()
    refused_connection(mesh, mesh.client, service_address(mesh, "nobody"))
    admin(mesh.client, mesh, "/logging?reset", method="POST")
    source = fetch(mesh)
    proxy.wait_access(mark, src_addr=source)
    assert [found.raw for found in proxy.access_lines(mark) if found.level == "warn"] == []
    status, body = proxy.get("/logging?access=mesh:often", method="POST")
    assert status == 400
    assert 'invalid access: clause "mesh:often": write all, error, denied, none or a share such as 1%' in body


def test_a_sampled_access_log_has_a_share_of_what_ended_well_and_every_denial(mesh: Mesh) -> None:
    proxy = mesh.proxy_of(mesh.client)
    admin(mesh.client, mesh, "/logging?access=mesh:20%25", method="POST")
    try:
        mark = proxy.log_mark()
        for _ in range(100):
            fetch(mesh)
        denied = [refused_connection(mesh, mesh.client, service_address(mesh, "nobody")) for _ in range(10)]
        proxy.wait_access(mark, src_addr=denied[-1])
        lines = proxy.access_lines(mark)
        well = [line for line in lines if line.level == "info" and line.get("direction") == "outbound"]
        # Of 100 with a share of 0.2: outside of these bounds once in ten million runs.
        assert 2 <= len(well) <= 45, len(well)
        assert {line.get("src.addr") for line in lines if line.level == "warn"} == set(denied)
    finally:
        admin(mesh.client, mesh, "/logging?reset", method="POST")


# --- series come and go ----------------------------------------------------------------------------


def test_series_stay_while_their_workload_lives_and_go_when_it_is_gone(mesh: Mesh) -> None:
    proxy = mesh.proxy_of(mesh.client)
    opened = "istio_tcp_connections_opened_total"
    fetch(mesh)
    assert proxy.metrics().total(opened, destination_workload="server-b", reporter="source") >= 1

    # Rest alone, far past the time to live, takes nothing away.
    def rested_for(seconds: float) -> bool:
        seen = proxy.metrics().total(opened, destination_workload="server-b", reporter="source")
        assert seen >= 1
        return time.monotonic() - begun > seconds

    begun = time.monotonic()
    wait_until("three times the time to live", lambda: rested_for(3), WAIT_S)

    manifest = mesh.lab.mesh.find("Pod", "mesh", "server-b")
    mesh.lab.mesh.delete("Pod", "mesh", "server-b")
    try:
        wait_until(
            "the series of the workload that is gone to go",
            lambda: not proxy.metrics().select(opened, destination_workload="server-b"),
            WAIT_S,
        )
        # Others are still there.
        assert proxy.metrics().select("process_open_fds")
    finally:
        mesh.lab.mesh.apply(manifest)
        wait_until("server-b to be served again", mesh.server_b.is_captured, WAIT_S)


# --- /config_dump ----------------------------------------------------------------------------------

# Top-level keys and, for each list, the fields that `istioctl ztunnel-config` reads of its entries.
DUMP_KEYS = {
    "workloads", "services", "policies", "certificates", "workloadState", "stagedServices", "staticConfig",
    "version", "config", "egressPolicies", "networkPolicies",
}  # fmt: skip
READ_BY_ISTIOCTL = {
    "workloads": {
        "uid": str, "workloadIps": list, "protocol": str, "name": str, "namespace": str, "serviceAccount": str,
        "workloadName": str, "workloadType": str, "canonicalName": str, "canonicalRevision": str, "clusterId": str,
        "trustDomain": str, "locality": dict, "node": str, "network": str, "status": str, "hostname": str,
        "capacity": int,
    },
    "services": {
        "name": str, "namespace": str, "hostname": str, "vips": list, "ports": dict, "loadBalancer": dict,
        "endpoints": dict, "subjectAltNames": list, "ipFamilies": str,
    },
    "certificates": {"identity": str, "state": str, "certChain": list, "rootCerts": list},
}  # fmt: skip


def test_the_dump_has_the_shape_that_istioctl_reads(mesh: Mesh) -> None:
    with TcpServer(mesh.server_b.listen(8081)):
        with mesh.client.connect(mesh.server_b.ip, 8081) as stream:
            stream.sendall(b"x")
            assert read_exactly(stream, 1) == b"x"
            source = source_of(stream)
            dump = json.loads(admin(mesh.client, mesh, "/config_dump"))
            far = json.loads(admin(mesh.server_b, mesh, "/config_dump"))
    assert DUMP_KEYS <= set(dump)
    for key, fields in READ_BY_ISTIOCTL.items():
        assert dump[key], key
        for entry in dump[key]:
            for name, kind in fields.items():
                assert isinstance(entry[name], kind), (key, name, entry)
    service = next(entry for entry in dump["services"] if entry["name"] == "server")
    assert all(vip.startswith("/") for vip in service["vips"])
    for uid, endpoint in service["endpoints"].items():
        assert endpoint["workloadUid"] == uid and endpoint["port"] == {"80": APP_PORT}
    for certificate in dump["certificates"]:
        assert certificate["state"] == "Available"
        for link in certificate["certChain"] + certificate["rootCerts"]:
            assert set(link) >= {"pem", "serialNumber", "validFrom", "expirationTime"}
            assert link["serialNumber"].isdigit()
    states = {state["info"]["name"]: state for state in dump["workloadState"].values()}
    assert states["client"]["state"] == "Up"
    assert states["client"]["info"]["serviceAccount"] == "client"
    assert {
        "src": source,
        "originalDst": f"{mesh.server_b.ip}:8081",
        "actualDst": f"{mesh.server_b.ip}:15008",
        "protocol": "HBONE",
    } in states["client"]["connections"]["outbound"]
    into = {state["info"]["name"]: state for state in far["workloadState"].values()}["server-b"]
    assert any(link["actualDst"] == f"{mesh.server_b.ip}:8081" for link in into["connections"]["inbound"])
