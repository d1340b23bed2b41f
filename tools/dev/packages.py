"""The Debian packages behind each verb, and the installing of those that are missing.

A package is named once, in the group that needs it first; the dictionary is the list to change.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tools.dev.common import Failed, locked, must, say

GROUPS: dict[str, list[str]] = {
    # Compiler, build system, and every library that a program links.
    "build": [
        "clang-19", "lld-19", "llvm-19", "libclang-rt-19-dev", "meson", "ninja-build", "ccache", "pkg-config",
        "git", "liburing-dev", "libssl-dev", "libnghttp2-dev", "libfmt-dev", "libyaml-cpp-dev",
        "nlohmann-json3-dev", "libcli11-dev", "libre2-dev", "doctest-dev", "llhttp",
    ],
    "lint": ["clang-format-19", "shellcheck"],
    "tidy": ["clang-tidy-19", "clang-tools-19"],
    "python": ["python3-venv"],
    # What tests/lab and its demo call.
    "lab": [
        "iproute2", "iptables", "nftables", "procps", "util-linux", "tcpdump", "conntrack", "curl", "openssl",
        "iperf3", "nginx", "ca-certificates",
    ],
    # Real clients and servers of the end-to-end tests.
    "e2e": [
        "redis-server", "redis-tools", "postgresql", "postgresql-contrib", "openssh-server", "openssh-client",
        "netcat-openbsd",
        # HTTP/2 clients: nghttp and h2load.
        "nghttp2-client",
        # A DNS server that signs, a client, and the resolver of the other C library.
        "knot", "bind9-dnsutils", "musl-tools",
        # Looks at the admin page as a person does; the font, so that the screenshot has letters.
        "chromium", "fonts-dejavu-core",
    ],
    "bench": ["haproxy", "linux-perf", "nghttp2-client"],
    # Makes the root that bench --debian13 builds in.
    "debian13": ["mmdebstrap"],
}


def _release() -> str:
    """The VERSION_ID of this machine if it is Debian, else an empty string."""
    fields = {}
    for line in Path("/etc/os-release").read_text().splitlines():
        key, _, value = line.partition("=")
        fields[key] = value.strip('"')
    return fields.get("VERSION_ID", "") if fields.get("ID") == "debian" else ""


def _resolve(name: str, release: str) -> str:
    """Names that differ between the releases of Debian."""
    if name == "llhttp":
        # Debian 12 has llhttp only as the C source that node-llhttp carries; meson.build compiles that.
        return "node-llhttp" if release == "12" else "libllhttp-dev"
    if name == "pkg-config":
        return "pkgconf" if release == "13" else name
    return name


def names_for(group: str, release: str) -> list[str]:
    """The group's packages as that release of Debian calls them."""
    return [_resolve(name, release) for name in GROUPS[group]]


def _installed(names: list[str]) -> set[str]:
    answer = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    found = set()
    for line in answer.stdout.splitlines():
        name, status = line.split()
        if status == "installed":
            found.add(name)
    return found


def ensure(*groups: str) -> None:
    """Installs the packages of these groups that are missing. Asks nothing of the network otherwise."""
    try:
        release = _release()
        wanted = sorted({_resolve(name, release) for group in groups for name in GROUPS[group]})
        missing = [name for name in wanted if name not in _installed(wanted)]
    except FileNotFoundError as error:
        raise Failed(f"this is not a Debian machine ({error.filename} is missing): ./dev knows Debian 12 and 13") from None
    if not missing:
        return
    listed = " ".join(missing)
    if os.geteuid() != 0:
        raise Failed(f"packages are missing and only root can install them: apt-get install {listed}")
    if release not in ("12", "13"):
        say("this is neither Debian 12 nor 13: package names may differ")
    with locked("apt"):
        say(f"installing with apt-get: {listed}")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        must(["apt-get", "update", "-qq", "-o", "Acquire::Retries=3"], "apt-get update", env=environment, quiet=True)
        with _no_services():
            must(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "-o", "Acquire::Retries=3",
                  "-o", "DPkg::Lock::Timeout=300", *missing],
                 "apt-get install", env=environment, quiet=True)


class _no_services:
    """While this is entered, installing a server does not start it: the tests start their own."""

    _POLICY = Path("/usr/sbin/policy-rc.d")

    def __enter__(self) -> None:
        self._ours = not self._POLICY.exists()
        if self._ours:
            self._POLICY.write_text("#!/bin/sh\nexit 101\n")
            self._POLICY.chmod(0o755)

    def __exit__(self, *_unused) -> None:
        if self._ours:
            self._POLICY.unlink(missing_ok=True)
