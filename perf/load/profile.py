"""Where the proxies' CPU time goes, by scenario: perf's samples, sorted into a few shares, and a flame graph.

Hardware counters are not needed: the kernel's own clock (cpu-clock) samples both proxies while they work.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from perf.load.peers import Peer
from tests.lab import LabError

# A prime, so that samples do not fall into step with timers.
FREQUENCY_HZ = 997
# Of the user's stack and the kernel's together; deeper ones are cut at their root.
STACK_DEPTH_MAX = 64
SCRIPT_TIMEOUT_S = 120.0

KINDS = ("kernel: copies", "kernel: rest", "crypto", "copies", "allocation", "own code", "other")
# Names that say "moving bytes", of the kernel's and of the C library's.
_KERNEL_COPIES = ("copy_user", "copy_to_iter", "copy_from_iter", "copyin", "copyout", "rep_movs", "memcpy", "csum_partial_copy")
_COPIES = ("memcpy", "memmove", "memset")
_ALLOCATION = ("malloc", "calloc", "realloc", "cfree", "_int_free", "operator new", "operator delete", "unlink_chunk",
               "FramePool")  # fmt: skip


@dataclass
class Profile:
    """The samples of one scenario."""

    name: str
    samples: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    leaves: Counter[str] = field(default_factory=Counter)
    # Frames from the root to the leaf, joined by ';'.
    stacks: Counter[str] = field(default_factory=Counter)

    def share(self, kind: str) -> float:
        return self.kinds[kind] / self.samples if self.samples else 0.0

    def table(self, leaves: int) -> str:
        lines = [f"{self.name}: {self.samples} samples"]
        lines += [f"  {self.share(kind):6.1%}  {kind}" for kind in KINDS if self.kinds[kind]]
        lines += [f"      {count / self.samples:6.1%}  {name}" for name, count in self.leaves.most_common(leaves)]
        return "\n".join(lines)


def record(peer: Peer, name: str, work: Callable[[], object], directory: Path) -> Profile:
    """Samples the peer's proxies while `work` runs."""
    data = directory / f"{name}.perf"
    pids = ",".join(str(proxy.pid) for proxy in peer.proxies)
    command = ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(FREQUENCY_HZ), "--call-graph", "fp", "-p", pids, "-o", data]
    recorder = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        work()
    finally:
        recorder.terminate()
        told = recorder.communicate()[1]
    if not data.exists():
        raise LabError(f"perf recorded nothing: {told.strip()[-300:]}")
    shown = subprocess.run(["perf", "script", "-i", data, "-F", "comm,ip,sym,dso", "--max-stack", str(STACK_DEPTH_MAX)],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                           timeout=SCRIPT_TIMEOUT_S)  # fmt: skip
    data.unlink()
    return read(name, shown.stdout)


def read(name: str, script: str) -> Profile:
    """perf script's text: a line with the thread, then a line a frame from the leaf on, then an empty one."""
    profile = Profile(name)
    for block in script.split("\n\n"):
        lines = block.strip().splitlines()
        frames = [_frame(line) for line in lines[1:]]
        if not frames:
            continue
        profile.samples += 1
        profile.kinds[kind_of(*frames[0])] += 1
        profile.leaves[frames[0][0]] += 1
        profile.stacks[";".join([lines[0].strip(), *(symbol for symbol, _ in reversed(frames))])] += 1
    if profile.samples == 0:
        raise LabError("perf gave no samples")
    return profile


def kind_of(symbol: str, where: str) -> str:
    """The share that a sample counts to, by the function it fell into."""
    if "kernel" in where or where.endswith(".ko"):
        return "kernel: copies" if any(word in symbol for word in _KERNEL_COPIES) else "kernel: rest"
    if "libcrypto" in where or "libssl" in where:
        return "crypto"
    if any(word in symbol for word in _COPIES):
        return "copies"
    if any(word in symbol for word in _ALLOCATION):
        return "allocation"
    return "own code" if "ztunnel" in where else "other"


def _frame(line: str) -> tuple[str, str]:
    """`    7f12 symbol+0x1 (/path/to/object)`: the symbol, without its arguments, and the object."""
    words, _, where = line.strip().rpartition(" (")
    symbol = words.partition(" ")[2] or "[unknown]"
    return symbol.partition("(")[0].rpartition("+0x")[0] or symbol.partition("(")[0], where.rstrip(")")
