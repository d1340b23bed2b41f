"""The node proxy, run and observed from outside: readiness, metrics, access log, memory."""

from __future__ import annotations

import http.client
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.lab.accesslog import AccessLine, parse_access_log
from tests.lab.metrics import Metrics
from tests.lab.netns import Namespace
from tests.lab.process import Process
from tests.lab.shell import WAIT_TIMEOUT_S, LabError, wait_until

ADMIN_PORT, METRICS_PORT, READY_PORT = 15000, 15020, 15021
# A sanitizer's build starts several times slower than a release build.
READY_TIMEOUT_S = 30.0
HTTP_TIMEOUT_S = 20.0
OPERATIONS_METRIC = "aquifer_io_operations_total"


def program(name: str) -> Path:
    """A program under test, `ztunnel` or `waypoint`: AQUIFER_BUILD names the build directory."""
    root = Path(__file__).resolve().parents[2]
    build = Path(os.environ.get("AQUIFER_BUILD", "build/release"))
    binary = (build if build.is_absolute() else root / build) / name / name
    if not binary.exists():
        raise LabError(f"{binary} does not exist: build it first, or name the build directory in AQUIFER_BUILD")
    return binary


def ztunnel_binary() -> Path:
    return program("ztunnel")


class Proxy(Process):
    """A running proxy of ours, observed by its ports and its log."""

    _space: Namespace

    def is_ready(self) -> bool:
        self.require_alive()
        try:
            return self.get("/healthz/ready", READY_PORT)[0] == 200
        except OSError:
            return False

    def wait_ready(self, timeout: float = READY_TIMEOUT_S) -> None:
        try:
            wait_until(f"{self.name} to be ready", self.is_ready, timeout)
        except LabError as error:
            raise LabError(f"{error}; its log ends with:\n{self.log_tail()}") from None

    def get(self, path: str, port: int = ADMIN_PORT, *, method: str = "GET") -> tuple[int, str]:
        """Status and body from one of its own HTTP ports, asked inside the node's namespace."""
        with self._space.connect("127.0.0.1", port, timeout=HTTP_TIMEOUT_S) as stream:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HTTP_TIMEOUT_S)
            connection.sock = stream
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")

    def metrics(self) -> Metrics:
        status, body = self.get("/metrics", METRICS_PORT)
        if status != 200:
            raise LabError(f"{self.name}: /metrics answered {status}: {body}")
        return Metrics.parse(body)

    def operations(self) -> dict[str, float]:
        """Completed operations by backend: says which one really served."""
        return {sample.labels["backend"]: sample.value for sample in self.metrics().select(OPERATIONS_METRIC)}

    # --- access log ----------------------------------------------------------------------------

    def log_mark(self) -> int:
        """A place in the log; give it to access_lines() to see only what comes later."""
        return self.stdout_path.stat().st_size

    def access_lines(self, since: int = 0) -> list[AccessLine]:
        with open(self.stdout_path, "rb") as file:
            file.seek(since)
            text = file.read().decode(errors="replace")
        # A line still being written is not a line yet.
        return parse_access_log(text[: text.rfind("\n") + 1])

    def wait_access(
        self,
        since: int = 0,
        *,
        where: Callable[[AccessLine], bool] = lambda line: True,
        timeout: float = WAIT_TIMEOUT_S,
        **fields: str,
    ) -> AccessLine:
        """The first line after the mark with these fields (dots as underscores) for which `where` holds."""

        def look() -> AccessLine | None:
            fitting = (line for line in self.access_lines(since) if line.matches(**fields) and where(line))
            return next(fitting, None)

        try:
            found = wait_until(f"an access log line of {self.name} with {fields}", look, timeout)
        except LabError as error:
            seen = "\n".join(line.raw for line in self.access_lines(since)[-20:])
            raise LabError(f"{error}; lines since the mark:\n{seen or '(none)'}") from None
        assert found is not None
        return found


class Ztunnel(Proxy):
    """One run of `ztunnel proxy` in a node's namespace."""

    def __init__(
        self,
        name: str,
        node: str,
        space: Namespace,
        *,
        mesh_dir: Path,
        ca_dir: Path,
        log_dir: Path,
        backend: str | None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.node = node
        self.backend = backend
        self._space = space
        io = {"AQUIFER_IO": backend} if backend else {}
        command = [*space.enter_command(), str(ztunnel_binary()), "proxy"]
        arguments = ["--mesh", str(mesh_dir), "--node", node, "--ca-dir", str(ca_dir)]
        super().__init__(name, command + arguments, log_dir=log_dir, env={**io, **(env or {})})
