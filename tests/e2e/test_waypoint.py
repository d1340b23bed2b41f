"""The waypoint program between a client and a service: requests that are routed, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.helpers import Mesh
from tests.lab import Pod, wait_until
from tests.lab.waypoint import Waypoint, add_waypoint, start_waypoint, use_waypoint


@dataclass
class World:
    mesh: Mesh
    pod: Pod
    waypoint: Waypoint
    vip: str

    def curl(self, path: str, *options: str) -> str:
        return self.mesh.client.curl(f"http://{self.vip}:80{path}", *options)


@pytest.fixture(scope="module")
def world(mesh: Mesh) -> Iterator[World]:
    pod = add_waypoint(mesh.lab, "infra", "waypoint", node="node3")
    running = start_waypoint(mesh.lab, pod, "infra/waypoint", backend=mesh.backend)
    vip = str(mesh.lab.mesh.find("Service", "mesh", "server-b")["spec"]["clusterIP"])
    use_waypoint(mesh.lab, "Service", "mesh", "server-b", "infra/waypoint")
    world = World(mesh, pod, running, vip)
    proxy = mesh.proxy_of(mesh.client)

    def passes() -> bool:
        mark = proxy.log_mark()
        world.curl("/")
        return proxy.wait_access(mark, direction="outbound").get("dst.workload") == "waypoint"

    wait_until("the waypoint to stand between", passes, 20)
    yield world
    running.stop()


def test_a_request_passes_the_waypoint_and_is_answered(world: World) -> None:
    assert "hello from server-b" in world.curl("/")
