"""One program started by the lab: its logs, its end, and what it costs while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.shell import LabError, wait_until

# Longer than ztunnel's own drain limit (CONNECTION_TERMINATION_DEADLINE, 5 s).
STOP_TIMEOUT_S = 20.0
KILL_TIMEOUT_S = 20.0
# A program of the lab sees these of our environment, besides what it is given.
INHERITED_ENV = ("PATH", "HOME", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
# How much of a log an error message quotes.
LOG_TAIL_BYTES = 2000

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """A program in a process group of its own, with standard output and error in files."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log_dir: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.stdout_path = log_dir / f"{name}.out"
        self.stderr_path = log_dir / f"{name}.err"
        inherited = {key: os.environ[key] for key in INHERITED_ENV if key in os.environ}
        with open(self.stdout_path, "ab") as out, open(self.stderr_path, "ab") as err:
            try:
                self._popen = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    env={**inherited, **(env or {})},
                    cwd=cwd,
                    start_new_session=True,
                )
            except FileNotFoundError:
                raise LabError(f"{self.command[0]}: not installed") from None

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        return self._popen.poll()

    def alive(self) -> bool:
        return self._popen.poll() is None

    def wait(self, timeout: float) -> int:
        """The exit code, once it has ended."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name} (pid {self.pid}) did not end within {timeout:g} s") from None

    def signal(self, number: int) -> None:
        """To the program itself, not to its children."""
        if self.alive():
            self._popen.send_signal(number)

    def stop(self, timeout: float = STOP_TIMEOUT_S) -> int:
        """SIGTERM, then SIGKILL to the whole group when it takes too long. Gives the exit code."""
        self.signal(signal.SIGTERM)
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()
        finally:
            self._kill_group()

    def kill(self) -> int:
        """SIGKILL to the whole group."""
        self._kill_group()
        return self.wait(KILL_TIMEOUT_S)

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    # --- logs ----------------------------------------------------------------------------------

    def stdout(self) -> str:
        return self.stdout_path.read_text(errors="replace")

    def stderr(self) -> str:
        return self.stderr_path.read_text(errors="replace")

    def log_tail(self) -> str:
        """The end of both logs, for an error message."""
        return (self.stdout()[-LOG_TAIL_BYTES:] + self.stderr()[-LOG_TAIL_BYTES:]).strip()

    def require_alive(self) -> None:
        if not self.alive():
            raise LabError(f"{self.name} ended with {self.returncode}:\n{self.log_tail()}")

    # --- cost ----------------------------------------------------------------------------------

    def rss_anon_bytes(self) -> int:
        """Memory of its own: without file pages, which it shares with others."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        raise LabError(f"{self.name} (pid {self.pid}) reports no RssAnon")

    def fd_count(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far."""
        # The name, second field, may hold spaces; what follows its closing bracket does not.
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS


def wait_for_end(pids: Sequence[int], timeout: float) -> list[int]:
    """Waits for processes that need not be our children; gives those still there."""

    def remaining() -> list[int]:
        return [pid for pid in pids if _is_running(pid)]

    try:
        wait_until("processes to end", lambda: not remaining(), timeout)
    except LabError:
        return remaining()
    return []


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    # A zombie has given back everything but its number.
    return state not in "ZX"
