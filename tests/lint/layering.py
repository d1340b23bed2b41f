"""Which folder may include which, and where a third-party library may be seen.

The levels are those of the design: a folder includes itself and what stands on a lower level,
nothing beside or above it.
"""

from __future__ import annotations

import re

from tests.lint.source import Finding, Source, cpp

LEVELS: dict[str, int] = {
    "common/base": 0,
    "common/coro": 1,
    "common/io": 2,
    "common/tls": 3, "common/telemetry": 3, "common/proto": 3,
    "common/http": 4, "common/jwt": 4,
    "common/http1": 5, "common/http2": 5,
    "common/hbone": 6, "common/admin": 6,
    "config/model": 7,
    "config/manifests": 8, "config/xds": 8, "config/ca": 8,
    "ztunnel": 9, "waypoint": 9,
}

# Pure decisions on plain values: no loop, no socket, so that they can be tested and explained alone.
ONLY: dict[str, set[str]] = {"config/model": {"common/base"}}

# What a header's name begins with -> the folders that may include it.
THIRD_PARTY: dict[str, set[str]] = {
    "liburing": {"common/io"},
    "openssl/": {"common/tls"},
    "nghttp2/": {"common/http2", "common/hbone"},
    "llhttp": {"common/http1"},
    "grpc": {"config/xds", "config/ca"},
    "google/protobuf": {"common/proto", "config/xds", "config/ca"},
    "yaml-cpp/": {"config/manifests"},
    "nlohmann/": {"common/admin", "common/jwt", "common/telemetry", "config/manifests", "config/ca", "ztunnel", "waypoint"},
    "CLI/": {"ztunnel", "waypoint"},
    "re2/": {"config/model"},
    "doctest/": {"tests/unit"},
}

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?P<open>["<])(?P<name>[^">\n]+)[">]', re.MULTILINE)


def folder_of(path: str) -> str | None:
    """The layered folder that a file or header belongs to; a folder's subfolders belong to it."""
    parts = path.split("/")
    for length in (2, 1):
        name = "/".join(parts[:length])
        if name in LEVELS and len(parts) > length:
            return name
    return None


def check(sources: list[Source]) -> list[Finding]:
    findings = []
    for source in cpp(sources):
        for match in _INCLUDE.finditer(source.text):
            reason = _forbidden(source.path, match["name"], match["open"] == '"')
            if reason:
                findings.append(Finding(source.path, source.line_at(match.start()), reason))
    return findings


def _forbidden(path: str, name: str, quoted: bool) -> str | None:
    test = path.startswith("tests/unit/")
    # A unit test stands where the folder that it mirrors stands, and may see what that may see.
    place = folder_of(path.removeprefix("tests/unit/")) if test else folder_of(path)
    if not quoted:
        return _third_party(path, name, place, test)
    if name.startswith("tests/"):
        return None if path.startswith(("tests/", "perf/")) else f'"{name}": only tests include from tests'
    if "/" not in name and path.startswith(("tests/", "perf/")):
        return None  # a helper beside the test
    target = folder_of(name)
    if target is None:
        return f'"{name}": write a project header from the root, as "common/base/result.h"; others take <>'
    if place is None:
        outside = path.startswith(("tests/", "perf/"))
        return None if outside else f"{path.rsplit('/', 1)[0]} is not a folder of the design"
    if target == place:
        return None
    if place in ONLY and target not in ONLY[place]:
        return f'"{name}": {place} includes only {", ".join(sorted(ONLY[place]))}'
    if LEVELS[target] >= LEVELS[place]:
        return f'"{name}": {place} stands below or beside {target} and must not include it'
    return None


def _third_party(path: str, name: str, place: str | None, test: bool) -> str | None:
    for prefix, folders in THIRD_PARTY.items():
        if not name.startswith(prefix):
            continue
        if place in folders or (test and "tests/unit" in folders):
            return None
        if not test and path.startswith(("tests/", "perf/")):
            return None  # a driver or a benchmark is nobody's library
        return f"<{name}>: may be included only in {', '.join(sorted(folders))}"
    return None
