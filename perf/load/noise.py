"""How much else went on while we measured: without it no figure means anything."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

SAMPLE_S = 1.0


def busy_share() -> float:
    """The part of all cores that was in use over a second; asked while nothing of ours has work."""
    before = _ticks()
    time.sleep(SAMPLE_S)
    idle, total = (now - then for now, then in zip(_ticks(), before))
    return 1 - idle / total if total else 0.0


def sentence(before: float, after: float, relative_spreads: list[float]) -> str:
    """One line for the reader of the table."""
    text = (f"Noise: with our mesh at rest the machine's {os.cpu_count()} cores were {before:.0%} busy before and "
            f"{after:.0%} after (load {os.getloadavg()[0]:.1f})")  # fmt: skip
    if not relative_spreads:
        return text + "; one sample of each figure, so no spread: compare nothing closely."
    middle, worst = statistics.median(relative_spreads), max(relative_spreads)
    return text + f"; the middle figure's samples were {middle:.0%} of it apart, the worst's {worst:.0%}."


def _ticks() -> tuple[int, int]:
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)
