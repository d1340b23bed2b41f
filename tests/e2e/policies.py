"""Policies and other objects of one test at a time, in force when apply() returns."""

from __future__ import annotations

import itertools

import yaml

from tests.e2e.helpers import Mesh
from tests.lab import wait_until
from tests.lab.mesh import Manifest

LOADS = "aquifer_config_loads_total"


class Policies:
    """What a mesh has beyond its pods: one file, so that each change is one version of the mesh."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._current: tuple[Manifest, ...] = ()
        self._versions = itertools.count()

    def apply(self, *manifests: Manifest) -> None:
        """Exactly these from now on, in force on both nodes when this returns."""
        if manifests == self._current:
            return
        before = {proxy.node: proxy.metrics().total(LOADS) for proxy in self._mesh.proxies}
        # The comment makes every version a change of the file, also to a mesh that is the same, and never empty: an
        # empty file that was not empty before would be taken for half-written.
        text = f"# version {next(self._versions)}\n" + yaml.safe_dump_all(list(manifests))
        self._mesh.lab.mesh.write_raw("policies.yaml", text)
        self._current = manifests
        for proxy in self._mesh.proxies:
            wait_until(
                f"{proxy.name} to take the new policies",
                lambda proxy=proxy: proxy.metrics().total(LOADS) > before[proxy.node],
            )
