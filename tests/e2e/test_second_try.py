"""./dev test tries what failed once more: what passes then passes, what fails again fails, and neither is hidden."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.dev import stages

# Fails in its first run, in each place where that can happen, and leaves a mark for the second.
UNSTABLE = """
import pathlib, pytest
HERE = pathlib.Path(__file__).parent

def first_time(name):
    mark = HERE / (name + ".ran")
    ran = mark.exists()
    mark.touch()
    return not ran

@pytest.fixture(scope="module")
def shared():
    assert not first_time("shared")

@pytest.fixture
def untidy():
    yield
    assert not first_time("untidy")

def test_good(): pass
def test_unstable(): assert not first_time("unstable")
def test_unstable_twice(untidy): assert not first_time("twice")
@pytest.mark.parametrize("number", range(10))
def test_of_a_crowd(shared, number): pass
"""
BAD = "def test_bad(): assert False\n"
HOPELESS = "import pytest\n@pytest.mark.parametrize('n', range(7))\ndef test_bad(n): assert False\n"


@pytest.fixture
def tally_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Runs pytest over files as a stage does; gives its tally and what was printed."""
    monkeypatch.setattr(stages, "REPORTS", tmp_path)

    def run(**files: str) -> tuple[stages.Tally, str]:
        folder = tmp_path / "tests"
        folder.mkdir()
        for name, text in files.items():
            (folder / f"test_{name}.py").write_text(text)
        tally = stages._pytest("trial", os.path.relpath(folder, stages.ROOT), tmp_path, stages.Options(), "", 240)
        return tally, capfd.readouterr().out

    return run


def test_what_passes_alone_passes_and_is_named_while_what_fails_again_fails(tally_of) -> None:  # type: ignore[no-untyped-def]
    tally, said = tally_of(unstable=UNSTABLE, bad=BAD)
    assert tally.passed == 13, tally
    assert [failure.rpartition("::")[2] for failure in tally.failures] == ["test_bad"]
    named = [line for line in said.splitlines() if line.startswith("dev: UNSTABLE trial: ")]
    # The crowd, whose ten tests one fixture took along, is one cause and gets its second try, too.
    assert len(named) == 12, said
    assert any("test_unstable failed at first" in line for line in named)
    assert not any("test_bad" in line or "test_good" in line for line in named)


def test_many_failures_are_no_accident_and_get_no_second_try(tally_of) -> None:  # type: ignore[no-untyped-def]
    tally, said = tally_of(hopeless=HOPELESS)
    assert tally.failed == 7
    assert not tally.passed
    assert said.count("test session starts") == 1
