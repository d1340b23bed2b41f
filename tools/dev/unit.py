"""Running the doctest programs of a build directory, and counting their test cases."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tools.dev.common import Timer, say
from tools.dev.tally import Tally

# The slowest honest program takes a few seconds; a hang must not eat the whole budget.
PROGRAM_TIMEOUT_S = 240

_SUMMARY = re.compile(r"test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed\s*\|\s*(\d+) skipped")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def program_of(folder: str) -> str:
    """Where a folder's unit tests stand in a build directory; also its name for ninja."""
    return f"tests/unit/{folder}/unit_{folder.replace('/', '_')}"


def programs(build: Path, folders: tuple[str, ...] = ()) -> list[Path]:
    """The unit test programs of these folders, or all."""
    if folders:
        return [path for folder in folders if (path := build / program_of(folder)).is_file()]
    return sorted(path for path in (build / "tests" / "unit").rglob("unit_*") if path.is_file() and not path.suffix)


def run_all(build: Path, stage: str, environment: dict[str, str], expression: str = "",
            folders: tuple[str, ...] = ()) -> Tally:
    tally = Tally()
    for program in programs(build, folders):
        tally.add(_run_one(program, stage, environment, expression))
    return tally


def _run_one(program: Path, stage: str, environment: dict[str, str], expression: str) -> Tally:
    timer = Timer()
    command = [str(program), "--no-colors"]
    if expression:
        command.append(f"--test-case=*{expression}*")
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=environment, timeout=PROGRAM_TIMEOUT_S, text=True, errors="replace")
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        partial = late.stdout or b""
        output = partial if isinstance(partial, str) else partial.decode(errors="replace")
        code = -9
        output += f"\nstopped after {PROGRAM_TIMEOUT_S} s\n"
    tally = count(_COLOUR.sub("", output), code, f"{stage}: {program.name}", bool(expression))
    if tally.failed:
        print(output, flush=True)
    if tally.failed or tally.passed:
        say(f"  {program.name}: {tally} ({timer.seconds:.1f} s)")
    return tally


def count(output: str, code: int, name: str, filtered: bool) -> Tally:
    found = _SUMMARY.search(output)
    if not found:
        return Tally(failures=[f"{name} ended with exit code {code} and no summary"])
    _, passed, failed, skipped = (int(part) for part in found.groups())
    tally = Tally(passed=passed)
    cases = re.findall(r"^TEST CASE:\s*(.+)$", output, re.MULTILINE)
    for index in range(failed):
        tally.failures.append(f"{name}: {cases[index] if index < len(cases) else 'a test case'}")
    # doctest counts cases left out by a filter as skipped; without one they were switched off in the source.
    if skipped and not filtered:
        tally.failures.append(f"{name}: {skipped} test cases are switched off in the source")
    if code != 0 and not tally.failures:
        tally.failures.append(f"{name}: every case passed, yet it ended with exit code {code}")
    return tally
