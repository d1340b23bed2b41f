"""Policies and other objects of one test at a time, in force when apply() returns."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.e2e.helpers import Mesh
from tests.lab import wait_until
from tests.lab.mesh import Manifest


class Policies:
    """What a mesh has beyond its pods: one file, so that each change is one version of the mesh."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._current: tuple[Manifest, ...] = ()

    def apply(self, *manifests: Manifest) -> None:
        """Exactly these from now on, in force on both nodes when this returns."""
        if manifests == self._current:
            return
        marks = self._mesh.marks()
        # Never empty: a file that was not before would be taken for half-written.
        text = "# of one test\n" + yaml.safe_dump_all(list(manifests))
        self._mesh.lab.mesh.write_raw("policies.yaml", text)
        self._current = manifests
        for proxy in self._mesh.proxies:
            mark = marks[proxy.node]

            def loaded(path: Path = proxy.stdout_path, mark: int = mark) -> bool:
                with open(path, "rb") as file:
                    file.seek(mark)
                    return b"mesh version" in file.read()

            wait_until(f"{proxy.name} to take the new policies", loaded)
