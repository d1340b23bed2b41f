"""What single decisions cost: the programs of perf/micro that time them, built when they are asked for."""

from __future__ import annotations

import subprocess

from tools.dev.build import build
from tools.dev.common import Failed

# Who judges and who resolves; bytes and records are measured under load instead.
PROGRAMS = ("model_bench", "authorization_bench", "egress_bench")
# Half a minute each; a machine that builds at the same time makes it minutes.
TIMEOUT_S = 600.0


def run_all() -> str:
    """The figures of all of them as they print them, each under its name."""
    place = build("release", [f"perf/micro/{name}" for name in PROGRAMS])
    parts = []
    for name in PROGRAMS:
        command = [place / "perf" / "micro" / name]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise Failed(f"{name} did not end within {TIMEOUT_S:.0f} s") from None
        if done.returncode != 0:
            raise Failed(f"{name} failed: {done.stderr.strip()}")
        parts.append(f"{name}\n" + "".join(f"  {line}\n" for line in done.stdout.splitlines()))
    return "".join(parts)
