"""Small habits that a reader relies on everywhere."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from tests.lint.source import ROOT, Finding, Source, cpp

# At this length a file holds a second idea; a test's cases stand side by side and need less of a reader.
CPP_LINES_MAX = 400
TEST_LINES_MAX = 600

# Written in two parts, or this file would find itself.
_NAMES_OF_MACHINES = [r"(?<![\w.])/" + "work/", r"(?<![\w.])/" + "root/", r"/" + "home/[a-z]"]
_NAMES_OF_MIRRORS = [r"py" + r"pi\.org", r"pythonhosted" + r"\.org", r"proxy\." + r"golang\.org",
                     r"registry\." + r"npmjs", r"deb\." + r"debian\.org"]
_FIXME = re.compile(r"\bFIX" + r"ME\b|\bXX" + r"X\b")
_TODO = re.compile(r"\bTO" + r"DO\b(?!\(#\d+\))")

# Text of others, and lists of what is looked for.
_NOT_OURS = {"LICENSE"}
_QUOTES_RULES = {"CONTRIBUTING.md", "tests/lint/selftest.py"}


def words(sources: list[Source]) -> list[Finding]:
    """No unfinished work without an issue, no paths of one machine, no mirror that only some can reach."""
    banned = [(re.compile(pattern), "a path of one machine") for pattern in _NAMES_OF_MACHINES]
    banned += [(re.compile(pattern), "the host of a package registry") for pattern in _NAMES_OF_MIRRORS]
    banned += [(_FIXME, "finish it, or write an issue"), (_TODO, "a TO" + "DO carries an issue number: TO" + "DO(#12)")]
    findings = []
    for source in sources:
        if source.path in _NOT_OURS | _QUOTES_RULES:
            continue
        for number, line in enumerate(source.lines, 1):
            for pattern, reason in banned:
                found = pattern.search(line)
                if found:
                    findings.append(Finding(source.path, number, f"{found.group(0)!r}: {reason}"))
    return findings


def layout(sources: list[Source]) -> list[Finding]:
    """Text files end with one newline and carry no trailing blanks, tabs (but in Makefiles) or CRs."""
    findings = []
    for source in sources:
        if source.path in _NOT_OURS or not source.text:
            continue
        if not source.text.endswith("\n") or source.text.endswith("\n\n"):
            findings.append(Finding(source.path, len(source.lines), "a file ends with exactly one newline"))
        for number, line in enumerate(source.lines, 1):
            if line != line.rstrip(" \t\r"):
                findings.append(Finding(source.path, number, "trailing blanks"))
    return findings


def size(sources: list[Source]) -> list[Finding]:
    """No C++ file is longer than a reader can hold."""
    findings = []
    for source in cpp(sources):
        most = TEST_LINES_MAX if source.path.startswith("tests/") else CPP_LINES_MAX
        lines = source.text.count("\n")
        if lines > most:
            findings.append(Finding(source.path, most, f"{lines} lines: look for the second idea"))
    return findings


def headers(sources: list[Source]) -> list[Finding]:
    """A C++ file says first what it is; a header is guarded; a .cc includes its own header first.

    A .cc that has a header leaves the saying to it; a test's cases are sentences already.
    """
    known = {source.path for source in sources}
    findings = []
    for source in cpp(sources):
        told = source.path.endswith("_test.cc") or source.path.replace(".cc", ".h") in known - {source.path}
        if not told and not source.text.startswith("//"):
            findings.append(Finding(source.path, 1, "the first lines say what the file is, who owns it, which thread"))
        if source.path.endswith(".h") and "#pragma once" not in source.text:
            findings.append(Finding(source.path, 1, "#pragma once is missing"))
        own = source.path.removesuffix(".cc") + ".h"
        if source.path.endswith(".cc") and own in known:
            first = re.search(r'^#include\s+(\S+)', source.text, re.MULTILINE)
            if not first or first.group(1) != f'"{own}"':
                line = source.line_at(first.start()) if first else 1
                findings.append(Finding(source.path, line, f'include "{own}" first: so it is known to compile alone'))
    return findings


def threads(sources: list[Source]) -> list[Finding]:
    """A thread is joined by who started it, or says why it cannot be."""
    pattern = re.compile(r"(?:std::j?thread\s*[({].*[)}]|\bthreads?_?|\bworkers?_?(?:\[\w+\])?)\s*(?:\.|->)detach\s*\(")
    findings = []
    for source in cpp(sources):
        for match in pattern.finditer(source.code):
            line = source.line_at(match.start())
            if not source.waived(line, "aquifer-detach"):
                findings.append(Finding(source.path, line, "a thread is never detached: somebody joins it"))
    return findings


def _lists(build: str, relative: PurePosixPath) -> bool:
    stem = str(relative).removesuffix("_fuzz.cc")
    return re.search(rf"'(?:{re.escape(str(relative))}|{re.escape(stem)})'", build) is not None


def listed(sources: list[Source]) -> list[Finding]:
    """Every .cc stands in its folder's meson.build: what is not built is not tested."""
    builds = {source.folder: source.text for source in sources if PurePosixPath(source.path).name == "meson.build"}
    findings = []
    for source in cpp(sources):
        if not source.path.endswith(".cc"):
            continue
        folder = PurePosixPath(source.folder)
        name = PurePosixPath(source.path).name
        # A library above may take some of a folder's files, by their path from there.
        builders = [place for place in (folder, *folder.parents) if str(place) in builds]
        if not any(_lists(builds[str(place)], PurePosixPath(source.path).relative_to(place)) for place in builders):
            nearest = builders[0] if builders else folder
            findings.append(Finding(source.path, 1, f"{name} does not stand in {nearest}/meson.build"))
    return findings


def links(sources: list[Source]) -> list[Finding]:
    """What a Markdown file links to inside the repository exists."""
    findings = []
    for source in sources:
        if not source.path.endswith(".md"):
            continue
        for match in re.finditer(r"\[[^\]]*\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)", source.text):
            if not (ROOT / Path(source.path).parent / match.group(1)).exists():
                findings.append(Finding(source.path, source.line_at(match.start()), f"{match.group(1)} does not exist"))
    return findings
