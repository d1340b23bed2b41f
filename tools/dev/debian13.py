"""This tree built on Debian 13, whatever the machine runs: for measuring what its OpenSSL 3.5 changes.

A root of Debian 13 is made with mmdebstrap, the release build is made inside it, and its programs run outside, by that
root's own dynamic linker and libraries. Nothing of the machine is changed; all of it is in the cache and in build/.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tools.dev import packages
from tools.dev.build import TYPES
from tools.dev.common import BUILD_ROOT, CACHE, ROOT, Failed, Timer, locked, must, say

SUITE = "trixie"
_ROOT = CACHE / "debian13"
_BUILD = BUILD_ROOT / "debian13"
# Where the tree and its build stand inside the root.
_TREE = "/aquifer"
_MAKE_TIMEOUT_S, _BUILD_TIMEOUT_S = 900.0, 3600.0

_LINKER = "lib64/ld-linux-x86-64.so.2"
# `exec`: the process that was started is the program.
_LAUNCHER = """\
#!/bin/sh
exec {root}/{linker} --library-path {root}/usr/lib/x86_64-linux-gnu {program} "$@"
"""

# In a mount namespace of its own, so that nothing stays mounted. $1 is the root, $2 the tree, $3 where it stands inside.
_INSIDE = """\
set -e
mkdir -p "$1$3" "$1/ccache"
mount --bind "$2" "$1$3"
mount -t proc proc "$1/proc"
export CC="ccache clang-19" CXX="ccache clang++-19" CCACHE_DIR=/ccache HOME=/root LC_ALL=C.UTF-8
root="$1" tree="$3"
shift 3
[ -f "$root$tree/build/debian13/inside/build.ninja" ] || chroot "$root" meson setup "$tree/build/debian13/inside" "$tree" "$@"
exec chroot "$root" ninja -C "$tree/build/debian13/inside" --quiet ztunnel/ztunnel waypoint/waypoint
"""


def build() -> Path:
    """Brings build/debian13 up to date and returns it; a build directory as others, with the programs alone in it."""
    if os.uname().machine != "x86_64":
        raise Failed("the Debian 13 root is made for x86_64 only")
    packages.ensure("debian13")
    timer = Timer()
    with locked("debian13"):
        _make_root()
        say("building on Debian 13")
        command = ["unshare", "--mount", "sh", "-c", _INSIDE, "sh", _ROOT, ROOT, _TREE, *TYPES["release"]]
        must(command, "the build on Debian 13", cwd=Path("/"), quiet=True, timeout=_BUILD_TIMEOUT_S)
    for name in ("ztunnel", "waypoint"):
        launcher = _BUILD / name / name
        launcher.parent.mkdir(parents=True, exist_ok=True)
        program = _BUILD / "inside" / name / name
        launcher.write_text(_LAUNCHER.format(root=_ROOT, linker=_LINKER, program=program))
        launcher.chmod(0o755)
    say(f"built build/debian13 in {timer.seconds:.1f} s")
    return _BUILD


def _make_root() -> None:
    """Once: the root is renamed into place when it is whole."""
    wanted = sorted(set(packages.names_for("build", "13")))
    mark = _ROOT / "aquifer-packages"
    if mark.exists() and mark.read_text().split() == wanted:
        return
    say(f"making a root of Debian 13 in {_ROOT} (about 1.5 GB)")
    fresh = _ROOT.with_name("debian13-new")
    for old in (fresh, _ROOT):
        shutil.rmtree(old, ignore_errors=True)
    command = ["mmdebstrap", "--variant=apt", f"--include={','.join(wanted)}", SUITE, fresh]
    must(command, "making the root of Debian 13", cwd=Path("/"), quiet=True, timeout=_MAKE_TIMEOUT_S)
    (fresh / mark.name).write_text("\n".join(wanted))
    fresh.rename(_ROOT)
