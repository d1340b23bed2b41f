"""Checks that other programs make: the formatter, the compiler, shells, Python, clang-tidy."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lint.source import ROOT, Finding, Source, cpp

CLANG_FORMAT = "clang-format-19"
COMPILE = ["clang++-19", "-std=c++23", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE",
           "-Wno-pragma-once-outside-header", '-DAQUIFER_VERSION=""', "-DSPDLOG_COMPILED_LIB", "-DSPDLOG_FMT_EXTERNAL",
           "-isystem", "/usr/share/include", "-isystem", "/usr/share/include/llhttp", "-I."]


def _output(command: list[str]) -> tuple[int, str]:
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    return done.returncode, done.stdout


def _each(function, items: list) -> list:
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(function, items))


def formatting(sources: list[Source]) -> list[Finding]:
    """clang-format would change nothing."""

    def one(source: Source) -> Finding | None:
        done = subprocess.run([CLANG_FORMAT, f"--assume-filename={source.path}"], cwd=ROOT, input=source.text,
                              stdout=subprocess.PIPE, text=True)
        if done.stdout == source.text:
            return None
        pairs = enumerate(zip(done.stdout.split("\n"), source.lines), 1)
        line = next((number for number, (new, old) in pairs if new != old), 1)
        return Finding(source.path, line, "not formatted: ./dev lint --fix")

    return [finding for finding in _each(one, cpp(sources)) if finding]


def headers_alone(sources: list[Source], every: bool) -> list[Finding]:
    """Headers compile alone. One that some .cc includes first has been shown to by the build itself."""
    firsts = {_first_include(source) for source in cpp(sources) if source.path.endswith(".cc")}
    headers = [source for source in cpp(sources) if source.path.endswith(".h")
               and (every or source.path not in firsts)]

    def one(source: Source) -> Finding | None:
        code, output = _output([*COMPILE, "-x", "c++", source.path])
        return Finding(source.path, 1, "does not compile alone:\n" + output[:1500]) if code else None

    return [finding for finding in _each(one, headers) if finding]


def _first_include(source: Source) -> str:
    first = re.search(r'^#include\s+"([^"]+)"|^#include\s+<', source.text, re.MULTILINE)
    return first.group(1) or "" if first else ""


def scripts(sources: list[Source]) -> list[Finding]:
    """Python and shell files are well formed; shellcheck has no warning."""
    findings = []
    for source in sources:
        first = source.lines[0]
        if source.path.endswith(".py"):
            try:
                ast.parse(source.text, source.path)
            except SyntaxError as error:
                findings.append(Finding(source.path, error.lineno or 1, str(error)))
        elif source.path.endswith(".sh") or (first.startswith("#!") and first.endswith(("bash", "/sh"))):
            command = ["shellcheck", "--severity=warning"] if shutil.which("shellcheck") else ["bash", "-n"]
            code, output = _output([*command, source.path])
            if code:
                findings.append(Finding(source.path, 1, output.strip()))
    return findings


def clang_tidy(sources: list[Source]) -> list[Finding]:
    """.clang-tidy's checks, by the release build's compilation database."""
    build = ROOT / "build" / "release"
    if not (build / "compile_commands.json").exists():
        return [Finding("build/release", 1, "there is no build to read commands from: ./dev build")]
    files = [source.path for source in cpp(sources)
             if source.path.endswith(".cc") and not source.path.startswith(("tests/", "perf/"))]

    def one(path: str) -> Finding | None:
        code, output = _output(["clang-tidy-19", "--quiet", "--warnings-as-errors=*", "-p", str(build), path])
        return Finding(path, 1, output.strip()[:4000]) if code else None

    return [finding for finding in _each(one, files) if finding]


def executable_bits(sources: list[Source]) -> list[Finding]:
    """What is started by name can be."""
    return [Finding(source.path, 1, "starts with #! and is not executable")
            for source in sources if source.text.startswith("#!") and not os.access(Path(ROOT, source.path), os.X_OK)]
