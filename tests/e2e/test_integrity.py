"""Every byte arrives once and in order, half-closes and resets arrive as such: ten thousand random connections.

What each connection does follows from the seed and its number (drivers/integrity_plan.h): writes of 1 byte to 1 MiB,
half-closes that stay half closed, resets at random offsets by either end. Both ends know what the other sends, and
compare every byte. AQUIFER_SEED repeats a run.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.helpers import Mesh, is_sanitized
from tests.lab import Pod, Process, wait_until
from tests.lab.shell import run
from tests.lab.ztunnel import ztunnel_binary

PORT = 9000
# A sanitizer makes everything several times slower, and sees a mistake in fewer connections.
CONNECTIONS = 2_000 if is_sanitized() else 10_000
CONCURRENT = 200
WARM_UP_CONNECTIONS = 500
# For all of them together; the driver itself reports a connection on which nothing moves for 30 s.
TIME_LIMIT_S = 300.0


def driver() -> Path:
    path = ztunnel_binary().parents[1] / "tests" / "e2e" / "drivers" / "integrity_driver"
    assert path.exists(), f"{path} does not exist: build it first"
    return path


@pytest.fixture(scope="module")
def seed() -> int:
    return int(os.environ.get("AQUIFER_SEED") or secrets.randbits(32))


def start_server(mesh: Mesh, pod: Pod, seed: int) -> Process:
    name = f"integrity-{pod.key.split('/')[1]}"
    server = mesh.lab.spawn(name, pod, [str(driver()), "server", str(seed), str(PORT)])
    wait_until("the server to listen", lambda: "listening" in server.stdout())
    return server


def run_client(pod: Pod, seed: int, count: int, addresses: list[str]) -> dict[str, Any]:
    command = [str(driver()), "client", str(seed), str(count), str(CONCURRENT), str(PORT), *addresses]
    done = run([*pod.ns.pod_command(), *command], timeout=TIME_LIMIT_S)
    return dict(json.loads(done.stdout))


def final_report(server: Process) -> dict[str, Any]:
    """What the server saw; it ends when its last connection has."""
    # SIGTERM to the group's leader only reaches `ip netns exec`, which has become the server by exec.
    server.stop(timeout=60)
    return dict(json.loads(server.stdout().splitlines()[-1]))


@pytest.mark.sanitizer
def test_ten_thousand_random_connections_lose_nothing_and_end_as_they_were_ended(mesh: Mesh, seed: int) -> None:
    print(f"AQUIFER_SEED={seed}")
    servers = [start_server(mesh, pod, seed) for pod in (mesh.server_a, mesh.server_b)]
    near, far = mesh.server_a, mesh.server_b
    addresses = [far.ip, far.ip6, far.ip, near.ip]
    # So many at once need more arenas and buffers than the usual warm-up: the measure of rest is taken after a few.
    warm_up = run_client(mesh.client, seed, WARM_UP_CONNECTIONS, addresses)
    mesh.take_baseline()
    client = run_client(mesh.client, seed, CONNECTIONS, addresses)
    reports = [warm_up, client, *(final_report(server) for server in servers)]
    print(*(json.dumps(report) for report in reports), sep="\n")
    problems = [line for report in reports for line in report["problems"]]
    assert not problems, f"AQUIFER_SEED={seed}: " + "\n".join(problems)

    assert client["connections"] == CONNECTIONS
    # One in three is to be reset, half of these by each end; most of the rest end whole, and at both ends.
    assert client["whole"] > CONNECTIONS // 2
    assert client["half_closed_long"] > CONNECTIONS // 10
    made_there = sum(report["resets_made"] for report in reports[2:])
    seen_there = sum(report["resets_seen"] for report in reports[2:])
    assert client["resets_made"] > CONNECTIONS // 20
    assert made_there > CONNECTIONS // 20
    # A reset may find its connection not yet known at the other end, or ended there.
    assert client["resets_seen"] > CONNECTIONS // 50
    assert seen_there > CONNECTIONS // 50
    assert client["bytes_sent"] > CONNECTIONS * 1000
    mesh.settles()
