"""The waypoint's HTTP/2 codec against h2spec: every case passes, none is skipped."""

from __future__ import annotations

import shutil

import pytest

from tests.conformance.test_h2spec import CASES, RUN_TIMEOUT_S, read_report
from tests.e2e.helpers import io_uring_allowed
from tests.lab.h2_driver import H2Driver, driver_lab

# How long a case waits for the answer that it wants.
CASE_TIMEOUT_S = 5


def test_every_case_of_h2spec_passes_against_the_codec() -> None:
    if shutil.which("h2spec") is None:
        pytest.skip("h2spec could not be had")
    with driver_lab() as lab:
        lab.up()
        driver = H2Driver(lab, "uring" if io_uring_allowed() else "epoll")
        report = lab.work_dir / "h2spec.xml"
        where = ["-h", "127.0.0.1", "-p", str(driver.port), "-o", str(CASE_TIMEOUT_S), "-j", str(report)]
        driver.pod.run(["h2spec", "--strict", *where], check=False, timeout=RUN_TIMEOUT_S)
        cases = read_report(report)
        assert len(cases) == CASES
        bad = [case for case in cases if case.verdict != "passed"]
        assert not bad, "\n".join(f"{case.verdict} {case.name}\n{case.detail}" for case in bad)
        # After all that abuse others are served, and the driver ends when it is asked to.
        assert "hello" in driver.pod.curl(driver.url(), "--http2-prior-knowledge")
        assert driver.process.stop() == 0
