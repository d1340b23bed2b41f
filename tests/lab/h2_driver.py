"""The HTTP/2 codec alone behind a plain TCP port (tests/e2e/drivers/h2_driver.cc), in a pod without a proxy."""

from __future__ import annotations

import re

from tests.lab.lab import Lab
from tests.lab.pods import Pod
from tests.lab.process import Process
from tests.lab.shell import wait_until
from tests.lab.ztunnel import ztunnel_binary

POD = "http2/server"


def driver_lab() -> Lab:
    """A lab of one pod; `up()` is the caller's."""
    lab = Lab.new()
    lab.mesh.namespace("http2")
    lab.mesh.pod("http2", "server", node="node1")
    return lab


class H2Driver:
    """One run of the driver on 127.0.0.1 of the lab's pod."""

    def __init__(self, lab: Lab, backend: str, server: H2Driver | None = None) -> None:
        """With `server`, one that passes every request on to that."""
        self.pod: Pod = lab.pod(POD)
        program = ztunnel_binary().parents[1] / "tests" / "e2e" / "drivers" / "h2_driver"
        assert program.exists(), f"{program} does not exist: build it first"
        command = [str(program), backend, "0"] + ([str(server.port)] if server else [])
        name = "relay" if server else "server"
        self.process: Process = lab.spawn(f"h2-{name}-{backend}", self.pod, command)
        wait_until("the driver to listen", lambda: "listening" in self.process.stdout())
        found = re.search(r"listening 127\.0\.0\.1:(\d+)", self.process.stdout())
        assert found is not None
        self.port = int(found[1])

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"
