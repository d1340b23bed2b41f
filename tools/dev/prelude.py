"""The precompiled header of the sanitized builds (see prelude.h)."""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path

from tools.dev.common import Failed, must, say

HEADER = Path(__file__).with_name("prelude.h")


def path(build: Path) -> Path:
    return build / "prelude.pch"


def bring_up_to_date(build: Path) -> None:
    """Compiles the header with the very flags of the build's own C++ files, as clang demands of it."""
    flags = _flags(build)
    stamp = build / "prelude.stamp"
    digest = hashlib.sha256(HEADER.read_bytes() + shlex.join(flags).encode()).hexdigest()
    if path(build).exists() and stamp.exists() and stamp.read_text() == digest:
        return
    say("precompiling the standard library's headers")
    must(["clang++-19", *flags, "-Xclang", "-fno-pch-timestamp", "-fpch-instantiate-templates",
          "-Wno-pragma-once-outside-header", "-x", "c++-header", HEADER, "-o", path(build)],
         "precompiling", cwd=build)
    stamp.write_text(digest)


def _flags(build: Path) -> list[str]:
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if "common/base/" not in entry["file"] or not entry["file"].endswith(".cc"):
            continue
        words = shlex.split(entry["command"])
        words = words[words.index("clang++-19") + 1:]
        flags, skip = [], False
        for word in words:
            if skip:
                skip = False
            elif word in ("-MQ", "-MF", "-o", "-c", "-include-pch"):
                skip = True
            elif word != "-MD" and word != "-fcolor-diagnostics":
                flags.append(word)
        return flags
    raise Failed("no C++ file of common/base is in the build")
