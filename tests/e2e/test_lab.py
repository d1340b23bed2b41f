"""The lab itself: what it promises to the tests that stand on it. No proxy runs here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.helpers import TcpServer, is_left, read_all
from tests.lab import AccessLine, HttpServer, Lab, LabError, MeshDir, Metrics, parse_access_log, run, wait_until
from tests.lab.pods import SocketLine
from tests.lab.record import RECORD_DIR, sweep_abandoned

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import signal, sys, time
# A program that was started in the background of a script ignores interrupts, and so would this one.
signal.signal(signal.SIGINT, signal.default_int_handler)
from tests.lab import Lab
lab = Lab.new()
lab.mesh.namespace("a")
lab.mesh.pod("a", "one", node="node1")
lab.up()
lab.spawn("sleeper", lab.pod("a/one"), ["sleep", "600"])
print(lab.prefix, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.new() as made:
        made.mesh.namespace("shop")
        made.mesh.pod("shop", "client", node="node1")
        for name, node in (("web-1", "node1"), ("web-2", "node2")):
            made.mesh.pod("shop", name, node=node, labels={"app": "web"}, ports={"http": 8080})
        made.mesh.service("shop", "web", selector={"app": "web"}, ports=[(80, "http")])
        made.up()
        for name in ("web-1", "web-2"):
            HttpServer(made, made.pod(f"shop/{name}"))
        yield made


def traces_of(prefix: str) -> list[str]:
    """Everything on this machine that carries a lab's prefix."""
    names = [
        str(path) for path in (*Path("/run/netns").glob("*"), *Path("/etc/netns").glob("*")) if prefix in path.name
    ]
    names += [str(path) for path in (*Path("/tmp").glob("aquifer-lab-*"), *RECORD_DIR.glob("*")) if prefix in path.name]
    return names


@pytest.mark.parametrize("family", ["ip", "ip6"])
@pytest.mark.parametrize("server", ["web-1", "web-2"])
def test_a_pod_reaches_pods_on_both_nodes_and_is_seen_by_its_own_address(lab: Lab, server: str, family: str) -> None:
    client, target = lab.pod("shop/client"), getattr(lab.pod(f"shop/{server}"), family)
    host = f"[{target}]" if ":" in target else target
    assert client.curl(f"http://{host}:8080/") == f"hello from {server}, you are {getattr(client, family)}\n"


def test_a_service_reaches_every_ready_endpoint_and_no_other(lab: Lab) -> None:
    client = lab.pod("shop/client")
    assert {client.curl("http://web/").split(",")[0] for _ in range(4)} == {"hello from web-1", "hello from web-2"}
    lab.mesh.set_ready("shop", "web-1", False)
    lab.sync()
    assert {client.curl("http://web.shop/").split(",")[0] for _ in range(4)} == {"hello from web-2"}
    lab.mesh.set_ready("shop", "web-1", True)
    lab.sync()


def test_the_capture_sees_every_byte_between_nodes_and_none_within_one(lab: Lab) -> None:
    client = lab.pod("shop/client")
    with lab.capture() as wire:
        client.curl(f"http://{lab.pod('shop/web-2').ip}:8080/across-the-wire")
        client.curl(f"http://{lab.pod('shop/web-1').ip}:8080/within-the-node")
    assert wire.dropped == 0
    assert wire.syn_ports() == {8080: 1}
    assert wire.shows(b"across-the-wire")
    assert not wire.shows(b"within-the-node")


def test_the_capture_finds_text_that_two_packets_share(lab: Lab) -> None:
    server, client = lab.pod("shop/web-2"), lab.pod("shop/client")
    with TcpServer(server.listen()) as echo, lab.capture() as wire:
        with client.connect(server.ip6, echo.port) as stream:
            for part in (b"half of it,", b" and the rest"):
                stream.sendall(part)
                assert stream.recv(100) == part
    assert wire.shows(b"it, and the")


def test_sockets_opened_here_live_in_the_pod(lab: Lab) -> None:
    client, server = lab.pod("shop/client"), lab.pod("shop/web-2")
    with TcpServer(server.listen()) as echo, client.connect(server.ip, echo.port) as stream:
        assert stream.getsockname()[0] == client.ip
        stream.sendall(b"to and fro")
        stream.shutdown(1)
        assert read_all(stream) == b"to and fro"
        assert echo.peers == [(client.ip, stream.getsockname()[1])]


def test_a_pod_can_come_and_go_while_the_mesh_is_up(lab: Lab) -> None:
    pod = lab.add_pod("shop", "late", node="node2")
    assert pod.curl("http://web/").endswith(f"you are {pod.ip}\n")
    assert (lab.mesh.path / "pod-shop-late.yaml").exists()
    lab.remove_pod("shop/late")
    assert not (lab.mesh.path / "pod-shop-late.yaml").exists()
    assert not pod.ns.exists()


def test_a_lab_takes_all_of_itself_down_and_leaves_another_alone(lab: Lab) -> None:
    other = Lab.new()
    other.mesh.pod("shop", "client", node="node1")
    other.up()
    process = other.spawn("sleeper", other.pod("shop/client"), ["sleep", "600"])
    assert traces_of(other.prefix)
    other.down()
    assert traces_of(other.prefix) == []
    assert not process.alive()
    assert lab.pod("shop/client").curl("http://web/").startswith("hello")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_lab_goes_when_its_program_is_told_to_end(number: signal.Signals) -> None:
    prefix, holder = start_holder()
    holder.send_signal(number)
    holder.wait(20)
    assert traces_of(prefix) == []


def test_a_lab_whose_program_was_killed_is_cleared_up_by_the_next() -> None:
    prefix, holder = start_holder()
    holder.kill()
    holder.wait(5)
    sweep_abandoned()
    assert traces_of(prefix) == []


def start_holder() -> tuple[str, subprocess.Popen[str]]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert holder.stdout is not None
    return holder.stdout.readline().strip(), holder


def test_a_namespace_that_is_not_the_labs_is_refused_and_not_touched(tmp_path: Path) -> None:
    name = f"foreign-{os.getpid()}"
    run(["ip", "netns", "add", name])
    try:
        manifests = MeshDir(tmp_path)
        manifests.pod("a", "one", node="node1", annotations={"aquifer.dev/netns": f"/run/netns/{name}"})
        with pytest.raises(LabError, match=name), Lab.from_directory(tmp_path) as made:
            made.up()
        assert Path("/run/netns", name).exists()
    finally:
        run(["ip", "netns", "del", name])


def test_the_command_line_brings_up_a_mesh_directory_and_takes_it_down(tmp_path: Path) -> None:
    manifests = MeshDir(tmp_path, prefix=f"cli{os.getpid()}")
    manifests.pod("a", "one", node="node1")
    manifests.pod("a", "two", node="node2")
    up = lab_py("up", "--no-ztunnel", str(tmp_path))
    prefix = up.split()[1]
    try:
        address = manifests.find("Pod", "a", "two")["status"]["podIP"]
        assert address in lab_py("--lab", prefix, "exec", "a/two", "--", "ip", "addr")
        assert prefix in lab_py("list")
    finally:
        lab_py("--lab", prefix, "down")
    assert traces_of(prefix) == traces_of(manifests.prefix) == []


def lab_py(*words: str) -> str:
    return run([sys.executable, str(ROOT / "tests/lab/lab.py"), *words]).stdout


def test_a_manifest_is_never_seen_half_written(tmp_path: Path) -> None:
    manifests = MeshDir(tmp_path)
    manifests.namespace("shop")
    before = (tmp_path / "namespace-shop.yaml").stat().st_ino
    manifests.enrol("shop")
    assert [path.name for path in tmp_path.iterdir()] == ["namespace-shop.yaml"]
    assert (tmp_path / "namespace-shop.yaml").stat().st_ino != before, "written in place, not renamed into place"
    assert MeshDir.load(tmp_path).find("Namespace", "", "shop")["metadata"]["labels"] == {
        "kubernetes.io/metadata.name": "shop",
        "istio.io/dataplane-mode": "ambient",
    }


def test_an_access_log_line_is_read_field_by_field() -> None:
    text = (
        "2026-11-22T22:37:40.560387Z\tinfo\taccess\tconnection complete\tsrc.addr=[fd00::1]:46312 "
        'src.workload="a \\"b\\" c" direction="outbound" bytes_sent=76 duration="12ms"\n'
        "2026-11-22T22:37:41.000000Z\tinfo\tapp\tsomething else\n"
    )
    (line,) = parse_access_log(text)
    fields = {"src.addr": "[fd00::1]:46312", "src.workload": 'a "b" c', "direction": "outbound", "bytes_sent": "76",
              "duration": "12ms"}  # fmt: skip
    assert (line.level, line.message, line.fields) == ("info", "connection complete", fields)
    event = {"level": "info", "time": line.time, "scope": "access", "message": line.message, "src.workload": "x"}
    (parsed,) = parse_access_log(json.dumps(event))
    assert isinstance(parsed, AccessLine)
    assert parsed.matches(src_workload="x")


def test_metrics_are_summed_over_the_labels_not_asked_for() -> None:
    text = '# TYPE bytes counter\nbytes_total{way="in",pod="a\\"b"} 3\nbytes_total{way="out",pod="c"} 4.5e1\nup 1\n'
    metrics = Metrics.parse(text)
    assert metrics.total("bytes_total") == 48
    assert metrics.total("bytes_total", pod='a"b') == 3
    assert metrics.total("bytes_total", pod="nobody") == 0
    assert metrics.total("up") == 1


def test_waiting_has_an_end_and_says_for_what() -> None:
    with pytest.raises(LabError, match=r"waited 0\.1 s for the cows"):
        wait_until("the cows", lambda: False, 0.1)


POD_IPS = ["10.77.2.2", "fd00:77:2::2"]
PROXY = 'users:(("ztunnel",pid=7,fd=9))'
OTHER = 'users:(("nginx",pid=8,fd=9))'


@pytest.mark.parametrize(
    ("left", "state", "local", "peer", "users"),
    [
        # What a proxy holds, in any state.
        (True, "ESTAB", "10.77.2.2:15008", "10.77.1.2:40000", PROXY),
        (True, "FIN-WAIT-2", "10.77.2.3:48794", "10.77.2.2:45481", PROXY),
        (True, "CLOSE-WAIT", "[fd00:77:1::2]:48794", "[fd00:77:2::2]:45481", PROXY),
        # What belongs to an application that still runs.
        (False, "ESTAB", "10.77.2.2:8080", "10.77.1.2:40000", OTHER),
        (False, "CLOSE-WAIT", "10.77.2.2:8080", "10.77.1.2:40000", OTHER),
        # What nobody holds: a proxy's tunnels and its connections with a borrowed source address ...
        (True, "FIN-WAIT-2", "[::ffff:10.77.2.2]:15008", "[::ffff:10.77.1.2]:40000", ""),
        (True, "FIN-WAIT-2", "10.77.2.2:40000", "10.77.1.2:15008", ""),
        (True, "FIN-WAIT-2", "10.77.2.3:48794", "10.77.2.2:45481", ""),
        (True, "FIN-WAIT-2", "127.0.0.1:15001", "10.77.2.2:40000", ""),
        # ... and an application's, which waits for a proxy that does not answer ...
        (True, "FIN-WAIT-1", "[::ffff:10.77.2.2]:45481", "[::ffff:10.77.2.3]:48794", ""),
        (True, "LAST-ACK", "[fd00:77:2::2]:45481", "[fd00:77:1::2]:48794", ""),
        # ... but not one that has been answered, and whose other end is gone.
        (False, "FIN-WAIT-2", "[::ffff:10.77.2.2]:45481", "[::ffff:10.77.2.3]:48794", ""),
        (False, "FIN-WAIT-2", "[fd00:77:2::2]:45481", "[fd00:77:1::2]:48794", ""),
        (False, "TIME-WAIT", "10.77.2.2:45481", "10.77.2.3:48794", ""),
        (False, "LISTEN", "*:15008", "*:*", PROXY),
    ],
)
def test_sockets_left_behind_are_told_from_those_that_are_nobodys_debt(
    left: bool, state: str, local: str, peer: str, users: str
) -> None:
    assert is_left(SocketLine(state, local, peer, users), [7], POD_IPS) is left
