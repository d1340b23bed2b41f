"""Fixtures of the conformance tests: the two-node mesh of the end-to-end tests, on one backend.

What is tested here lies above the event loop: a second backend would add time and find nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.e2e.helpers import Mesh, io_uring_allowed, two_node_mesh


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if items and os.geteuid() != 0:
        pytest.exit("the conformance tests make network namespaces: run them as root", returncode=1)


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    with two_node_mesh("uring" if io_uring_allowed() else "epoll") as running:
        yield running
