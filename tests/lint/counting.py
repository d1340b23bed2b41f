"""Shows that ./dev test counts what failed: the wording of two test runners is all it has to go by."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from tests.lint.source import Finding, Source
from tools.dev import unit
from tools.dev.tally import Tally, count_junit

_DOCTEST = "[doctest] test cases: {0} | {1} passed | {2} failed | {3} skipped\n"

_JUNIT = """<testsuites><testsuite>
<testcase classname="tests.e2e.test_a" name="test_good"/>
<testcase classname="tests.e2e.test_a" name="test_bad"><failure message="no"/></testcase>
<testcase classname="tests.e2e.test_a" name="test_broken"><error message="no"/></testcase>
<testcase classname="tests.e2e.test_a" name="test_left_out[x]"><skipped message="not here"/></testcase>
</testsuite></testsuites>"""
_JUNIT_GOOD = '<testsuites><testcase classname="a" name="b"/></testsuites>'


def check(_sources: list[Source]) -> list[Finding]:
    # (what happened, the tally, passed, failed, skipped)
    cases: list[tuple[str, Tally, int, int, int]] = [
        ("all cases pass", _unit(_DOCTEST.format(3, 3, 0, 0), 0), 3, 0, 0),
        ("a case fails", _unit("TEST CASE:  it works\n" + _DOCTEST.format(3, 2, 1, 0), 1), 2, 1, 0),
        ("a case is switched off", _unit(_DOCTEST.format(2, 2, 0, 1), 0), 2, 1, 0),
        ("a filter leaves cases out", unit.count(_DOCTEST.format(2, 2, 0, 9), 0, "x", True), 2, 0, 0),
        ("it crashes", _unit("no summary", -11), 0, 1, 0),
        ("it crashes after the summary", _unit(_DOCTEST.format(3, 3, 0, 0), -6), 3, 1, 0),
        ("pytest's failure, error and skip", _junit(_JUNIT, 1, []), 1, 3, 0),
        ("an allowed skip", _junit(_JUNIT, 1, ["tests/e2e/test_a::test_left_out[x]*"]), 1, 2, 1),
        ("an allowed skip by its message", _junit(_JUNIT, 1, ["*: not here"]), 1, 2, 1),
        ("pytest fails outside a test", _junit(_JUNIT_GOOD, 1, []), 1, 1, 0),
        ("pytest is killed", _junit(_JUNIT_GOOD, -9, []), 1, 1, 0),
        ("pytest is content", _junit(_JUNIT_GOOD, 0, []), 1, 0, 0),
    ]
    return [Finding("tests/lint/counting.py", 1, f"{what}: counted as {tally}")
            for what, tally, *expected in cases
            if [tally.passed, tally.failed, tally.skipped] != expected]


def _unit(output: str, code: int) -> Tally:
    return unit.count(output, code, "x", False)


def _junit(text: str, code: int, patterns: list[str]) -> Tally:
    return count_junit(ElementTree.fromstring(text), "e2e", code, patterns)
