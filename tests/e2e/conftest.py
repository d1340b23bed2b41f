"""Fixtures of the end-to-end tests: a two-node mesh per module and backend, and its health after each test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.e2e.helpers import BACKENDS, Mesh, io_uring_allowed, two_node_mesh

# How much of a proxy's logs a failing test shows.
REPORT_BYTES = 4000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() != 0:
        pytest.exit("the end-to-end tests make network namespaces: run them as root", returncode=1)


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The event loop's backend under test."""
    name = str(request.param)
    if name == "uring" and not io_uring_allowed():
        pytest.skip("io_uring is not allowed on this machine")
    return name


@pytest.fixture(scope="module")
def mesh(backend: str) -> Iterator[Mesh]:
    """The two-node mesh of tests/e2e/helpers.py, ready and warmed up."""
    with two_node_mesh(backend) as running:
        yield running


@pytest.fixture(autouse=True)
def mesh_stays_healthy(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test that used the mesh: both proxies live, and only the backend under test did any work."""
    yield
    if "mesh" in request.fixturenames:
        running: Mesh = request.getfixturevalue("mesh")
        running.check_alive()
        running.check_backend()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure shows the end of both proxies' logs."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    running = getattr(item, "funcargs", {}).get("mesh")
    if report.failed and isinstance(running, Mesh):
        for node in running.lab.nodes.values():
            if node.ztunnel is not None:
                for path in (node.ztunnel.stdout_path, node.ztunnel.stderr_path):
                    if path.exists():
                        report.sections.append((path.name, path.read_text(errors="replace")[-REPORT_BYTES:]))
