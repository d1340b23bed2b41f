"""Builds for later stages, made while the end-to-end tests mostly wait: at the lowest priority, so that nobody notices."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tools.dev.common import Failed


class Ahead:
    """One thread that brings several builds up to date, one after the other.

    A failure is told by the stage that needs the build, which builds again: here it only ends the work.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def start(self, builds: list[Callable[[], object]]) -> None:
        def work() -> None:
            for build in builds:
                try:
                    build()
                except Failed:
                    return

        self._thread = threading.Thread(target=work, name="builds", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Two builds in one directory would be in each other's way."""
        if self._thread is not None:
            self._thread.join()
