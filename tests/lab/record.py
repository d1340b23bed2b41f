"""What a lab has made, written down before it makes it, so that anyone can take it down again.

One JSON file per lab in /run/aquifer-lab. It outlives a killed test run; the next lab, or `lab.py down`, clears up.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.lab.netns import Namespace
from tests.lab.process import KILL_TIMEOUT_S, STOP_TIMEOUT_S, wait_for_end
from tests.lab.shell import LabError

RECORD_DIR = Path("/run/aquifer-lab")


@dataclass
class Record:
    """Everything teardown has to know. `namespaces` grows before each is created."""

    prefix: str
    owner_pid: int
    owner_start: int
    work_dir: str
    mesh_dir: str
    kept: bool = False
    # Namespaces of the lab by name; pods by "namespace/name" and nodes by name to theirs.
    namespaces: list[str] = field(default_factory=list)
    pods: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return RECORD_DIR / f"{self.prefix}.json"

    def save(self) -> None:
        RECORD_DIR.mkdir(parents=True, exist_ok=True)
        temporary = self.file.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(self), indent=1))
        temporary.rename(self.file)

    def owner_is_alive(self) -> bool:
        return process_start(self.owner_pid) == self.owner_start


def new_record(prefix: str, work_dir: Path, mesh_dir: Path) -> Record:
    """Written down at once; a prefix that another lab has is refused."""
    record = Record(prefix, os.getpid(), process_start(os.getpid()), str(work_dir), str(mesh_dir))
    if record.file.exists():
        raise LabError(f"a lab with the prefix {prefix} exists already: take it down with `lab.py down {prefix}`")
    record.save()
    return record


def all_records() -> list[Record]:
    if not RECORD_DIR.is_dir():
        return []
    records = []
    for file in sorted(RECORD_DIR.glob("*.json")):
        with contextlib.suppress(FileNotFoundError):  # its lab went while we looked
            records.append(Record(**json.loads(file.read_text())))
    return records


def find_record(prefix: str | None) -> Record:
    """The lab with that prefix, or the only one there is."""
    records = [record for record in all_records() if prefix in (None, record.prefix)]
    if not records:
        raise LabError("no lab is up" if prefix is None else f"no lab with the prefix {prefix} is up")
    if len(records) > 1:
        names = ", ".join(record.prefix for record in records)
        raise LabError(f"several labs are up ({names}): name one with --lab")
    return records[0]


def tear_down(record: Record) -> None:
    """Ends every process in the lab's namespaces and removes them; every wait has a limit."""
    spaces = [Namespace(name) for name in record.namespaces]
    own = os.getpid()
    pids = [pid for space in spaces for pid in space.pids() if pid != own]
    _signal_all(pids, signal.SIGTERM)
    stubborn = wait_for_end(pids, STOP_TIMEOUT_S)
    _signal_all(stubborn, signal.SIGKILL)
    wait_for_end(stubborn, KILL_TIMEOUT_S)
    for space in spaces:
        space.delete()
    shutil.rmtree(record.work_dir, ignore_errors=True)
    record.file.unlink(missing_ok=True)


def sweep_abandoned() -> list[str]:
    """Takes down labs whose maker died without doing so, except those left up on purpose."""
    swept = []
    RECORD_DIR.mkdir(parents=True, exist_ok=True)
    # One at a time: two labs that start together must not take down the same third.
    with open(RECORD_DIR / "sweep.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for record in all_records():
            if not record.kept and not record.owner_is_alive():
                tear_down(record)
                swept.append(record.prefix)
    return swept


def process_start(pid: int) -> int:
    """When the process started, in clock ticks since boot; with the pid it names a process for ever."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return -1


def _signal_all(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
