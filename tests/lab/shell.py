"""Running commands and waiting for things, always with a limit in time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

# Every command of the lab itself (ip, iptables, ss) ends in milliseconds; a minute means a hung kernel.
COMMAND_TIMEOUT_S = 60.0
# How often a condition is looked at: short against anything we wait for, long against its own cost.
POLL_INTERVAL_S = 0.02
# Only a failure waits so long. Generous: the machine may be busy with other things for seconds at a time.
WAIT_TIMEOUT_S = 30.0


class LabError(Exception):
    """Something the lab needed could not be had; the message says what and where."""


def run(
    command: Sequence[str],
    *,
    input_text: str | None = None,
    check: bool = True,
    timeout: float = COMMAND_TIMEOUT_S,
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end and gives its output; a failure names the command and what it said."""
    try:
        done = subprocess.run(
            list(command),
            input=input_text,
            stdin=subprocess.DEVNULL if input_text is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(command)}: did not end within {timeout:g} s") from None
    except FileNotFoundError:
        raise LabError(f"{command[0]}: not installed") from None
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"{' '.join(command)}: exit code {done.returncode}: {said}")
    return done


def wait_until(what: str, condition: Callable[[], T], timeout: float = WAIT_TIMEOUT_S) -> T:
    """Returns the first true value of `condition`; `what` completes 'waited N s for ...'."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise LabError(f"waited {timeout:g} s for {what}")
        time.sleep(POLL_INTERVAL_S)
