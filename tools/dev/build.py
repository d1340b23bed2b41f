"""./dev build: one build directory for each type, configured by meson and built by ninja."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tools.dev import packages, prelude
from tools.dev.common import BUILD_ROOT, ROOT, Failed, Timer, must, run, say

# -O1 keeps sanitized coroutines at a usable speed and frame size, with readable reports.
_SANITIZED = ["-Ddebug=true", "-Doptimization=1"]
TYPES: dict[str, list[str]] = {
    "release": ["-Dbuildtype=debugoptimized"],
    "debug": ["-Dbuildtype=debug"],
    # With the fuzz targets: their instrumentation costs the tests little, a build of their own would cost minutes.
    "asan": [*_SANITIZED, "-Db_sanitize=address,undefined", "-Dfuzzing=true"],
    "tsan": [*_SANITIZED, "-Db_sanitize=thread"],
}
ALIASES = {"fuzz": "asan"}
_WITH_PRELUDE = ("asan", "tsan")


def directory(kind: str) -> Path:
    return BUILD_ROOT / ALIASES.get(kind, kind)


def build_targets(kind: str) -> set[str]:
    """The names that ninja knows in build/KIND, configured at need."""
    _configure(ALIASES.get(kind, kind))
    answer = subprocess.run(["ninja", "-C", directory(kind), "-t", "targets", "all"], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True)
    return {line.partition(":")[0] for line in answer.stdout.splitlines()}


def build(kind: str, targets: list[str] | None = None, *, gentle: bool = False) -> Path:
    """Brings build/KIND up to date and returns it. Raises Failed when it does not compile.

    `gentle`: only with the time that nobody else wants.
    """
    kind = ALIASES.get(kind, kind)
    timer = Timer()
    _configure(kind)
    place = directory(kind)
    if kind in _WITH_PRELUDE:
        prelude.bring_up_to_date(place)
    command = [*(["nice", "-n", "19"] if gentle else []), "ninja", "-C", place, *(targets or [])]
    if run([*command, "--quiet"], env=_environment()) != 0:
        raise Failed(f"the {kind} build failed; to start afresh: rm -r {place.relative_to(ROOT)}")
    say(f"built build/{kind} in {timer.seconds:.1f} s")
    return place


def _configure(kind: str) -> None:
    packages.ensure("build")
    place = directory(kind)
    if (place / "build.ninja").exists():
        return
    say(f"configuring build/{kind}")
    shutil.rmtree(place, ignore_errors=True)
    setup = ["/usr/bin/meson", "setup", place, ROOT, *TYPES[kind]]
    setup += [f"-Dprelude={prelude.path(place)}"] if kind in _WITH_PRELUDE else []
    must(setup, "configuring", env=_environment(), quiet=True)


def _environment() -> dict[str, str]:
    return {**os.environ, "CC": "ccache clang-19", "CXX": "ccache clang++-19",
            # Debug information names the tree's path; hashing it would make a new clone miss the cache.
            "CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "true",
            # What ccache asks for when a precompiled header is in use.
            "CCACHE_SLOPPINESS": "pch_defines,time_macros"}
