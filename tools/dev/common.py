"""Places, printing and running of commands, shared by every verb."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD_ROOT = ROOT / "build"

# Outside the tree, so that fresh clones share it: Python packages, Go programs, grown fuzz corpora.
CACHE = Path(
    os.environ.get("AQUIFER_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aquifer"
)


class Failed(Exception):
    """A step could not be done; its text is the one line that the user needs."""


def say(text: str) -> None:
    print(f"dev: {text}", flush=True)


def run(command: list[str | Path], *, env: dict[str, str] | None = None, cwd: Path = ROOT,
        quiet: bool = False, timeout: float | None = None) -> int:
    """Runs a command to its end and returns its exit code. `quiet` shows its output only on failure.

    The command leads a process group of its own, which is killed with it when time runs out or the
    user interrupts: tests start programs, and none may outlive them.
    """
    words = [str(word) for word in command]
    process = subprocess.Popen(
        words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, start_new_session=True,
        stdout=subprocess.PIPE if quiet else None, stderr=subprocess.STDOUT if quiet else None,
        text=quiet, errors="replace" if quiet else None)
    output = ""
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        _kill_group(process)
        if quiet:
            output, _ = process.communicate()
        say(f"stopped after {timeout:.0f} s: {shlex.join(words)}")
        process.returncode = process.returncode or 124
    except BaseException:
        _kill_group(process)
        raise
    if quiet and process.returncode != 0:
        sys.stdout.write(output or "")
        sys.stdout.flush()
    return process.returncode


def _kill_group(process: subprocess.Popen) -> None:
    """Asks the group to end, so that tests can take their namespaces down; then makes it."""
    for number, patience in ((signal.SIGINT, 20), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)
            return


def must(command: list[str | Path], what: str, **options) -> None:
    """Runs a command whose failure ends the verb."""
    code = run(command, **options)
    if code != 0:
        raise Failed(f"{what} failed (exit code {code}): {shlex.join(str(word) for word in command)}")


@contextlib.contextmanager
def locked(name: str):
    """One ./dev at a time does this; others wait for it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another ./dev that holds {handle.name}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class Timer:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start
