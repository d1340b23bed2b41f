"""Counting: what passed, failed and was skipped, over stages of different kinds."""

from __future__ import annotations

import fnmatch
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

from tools.dev.common import ROOT, Failed

ALLOWED_SKIPS = ROOT / "tests" / "allowed_skips.txt"


@dataclass
class Tally:
    passed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return len(self.failures)

    def add(self, other: Tally) -> None:
        self.passed += other.passed
        self.skipped += other.skipped
        self.failures += other.failures

    def __str__(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return f"{text}, {self.skipped} skipped" if self.skipped else text


def allowed_skips() -> list[str]:
    """The patterns of tests/allowed_skips.txt, for `NAME: MESSAGE`: `PATTERN | reason` on each line."""
    patterns = []
    for number, line in enumerate(ALLOWED_SKIPS.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        pattern, _, reason = line.partition(" | ")
        if not reason.strip():
            raise Failed(f"{ALLOWED_SKIPS.relative_to(ROOT)}:{number}: a skip needs a reason: PATTERN | reason")
        patterns.append(pattern.strip())
    return patterns


def _allowed(name: str, patterns: list[str]) -> bool:
    # A parametrized test's brackets are part of its name, not a character class.
    return any(fnmatch.fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in patterns)


def from_junit(report: Path, stage: str, exit_code: int) -> Tally:
    """What a pytest run reports, checked against its exit code; a skip that is not allowed is a failure."""
    try:
        root = ElementTree.parse(report).getroot()
    except (OSError, ElementTree.ParseError) as error:
        return Tally(failures=[f"{stage}: pytest left no report (exit code {exit_code}): {error}"])
    return count_junit(root, stage, exit_code, allowed_skips())


@dataclass(frozen=True)
class FailedTest:
    """A test that failed: under which name it is counted, and what else failed with it."""

    name: str
    # A fixture that a whole module shares fails once and takes all its tests along: they have one cause.
    cause: str


def failed_tests(report: Path) -> dict[str, FailedTest]:
    """The failed tests of a pytest run, by pytest's id."""
    try:
        root = ElementTree.parse(report).getroot()
    except (OSError, ElementTree.ParseError):
        return {}
    found = {}
    for case in root.iter("testcase"):
        error = case.find("error")
        if error is None and case.find("failure") is None:
            continue
        test = f"{case.get('file')}::{case.get('name')}"
        cause = test if error is None else f"{case.get('file')}: {error.get('message')}"
        found[test] = FailedTest(f"{case.get('classname', '').replace('.', '/')}::{case.get('name')}", cause)
    return found


def forgive(tally: Tally, stage: str, failed: dict[str, FailedTest], again: dict[str, FailedTest]) -> list[str]:
    """Counts as passed what failed at first and did not `again`; gives its names."""
    forgiven = []
    for test, first in failed.items():
        counted = f"{stage}: {first.name}"
        if test in again or counted not in tally.failures:
            continue
        # A test whose body and teardown both failed is counted twice.
        tally.failures = [failure for failure in tally.failures if failure != counted]
        tally.passed += 1
        forgiven.append(first.name)
    return forgiven


def count_junit(root: ElementTree.Element, stage: str, exit_code: int, patterns: list[str]) -> Tally:
    tally = Tally()
    for case in root.iter("testcase"):
        name = f"{case.get('classname', '').replace('.', '/')}::{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            tally.failures.append(f"{stage}: {name}")
        elif skip is None:
            tally.passed += 1
        elif _allowed(f"{name}: {skip.get('message')}", patterns):
            tally.skipped += 1
        else:
            tally.failures.append(f"{stage}: {name}: skipped without a line in tests/allowed_skips.txt: "
                                  f"{skip.get('message')}")
    # 0: all passed; 1: some failed; 5: none collected. Anything else is pytest's own trouble.
    if exit_code not in (0, 1, 5):
        tally.failures.append(f"{stage}: pytest ended with exit code {exit_code}")
    elif exit_code == 1 and not tally.failures:
        tally.failures.append(f"{stage}: pytest failed outside any test")
    return tally
