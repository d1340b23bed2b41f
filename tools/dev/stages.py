"""./dev test: the stages, in order, each timed; one tally over all of them at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.dev import fuzz, packages, tools, unit
from tools.dev.ahead import Ahead
from tools.dev.build import build, build_targets, directory
from tools.dev.common import BUILD_ROOT, ROOT, Failed, Timer, run, say
from tools.dev.tally import Tally, failed_tests, forgive, from_junit

REPORTS = BUILD_ROOT / "reports"

# Past these, something hangs: the stage is stopped and what it had not reported counts as failed.
E2E_TIMEOUT_S = 25 * 60
E2E_FULL_TIMEOUT_S = 50 * 60
SANITIZED_TIMEOUT_S = 10 * 60

# More causes, or more tests that one cause took along, than this are no accident.
SECOND_TRIES_MAX = 6
SECOND_TRY_TESTS_MAX = 60
SECOND_TRY_TIMEOUT_S = 5 * 60

FUZZ_SECONDS = 180
FUZZ_FULL_SECONDS = 600

# Where threads meet: the rest of the unit tests is single-threaded and would only cost time under TSan.
TSAN_FOLDERS = ("common/base", "common/coro", "common/io", "common/telemetry", "common/hbone", "common/admin", "config/ca",
                "config/model", "ztunnel", "waypoint", "waypoint/upstream")


@dataclass
class Options:
    full: bool = False
    expression: str = ""
    only: tuple[str, ...] = ()


def lint(options: Options) -> Tally:
    packages.ensure("build", "lint", *(["tidy"] if options.full else []))
    command = ["/usr/bin/python3", "-m", "tests.lint"]
    command += ["--full"] if options.full else []
    report = REPORTS / "lint.txt"
    code = run([*command, "--report", report])
    if not report.exists():
        return Tally(failures=[f"lint: ended with exit code {code} and no report"])
    tally = Tally()
    for line in report.read_text().splitlines():
        verdict, _, name = line.partition(" ")
        if verdict == "passed":
            tally.passed += 1
        else:
            tally.failures.append(f"lint: {name}")
    return tally


def unit_tests(options: Options) -> Tally:
    return unit.run_all(directory("release"), "unit", dict(os.environ), options.expression)


def e2e(options: Options) -> Tally:
    if _has_tests("tests/e2e"):
        packages.ensure("lab", "e2e")
        for name in ("fortio", "grpc-interop-client", "grpc-interop-server"):
            tools.go_program(name)
    return _pytest("e2e", "tests/e2e", directory("release"), options, "" if options.full else "not full",
                   E2E_FULL_TIMEOUT_S if options.full else E2E_TIMEOUT_S)


def conformance(options: Options) -> Tally:
    if _has_tests("tests/conformance"):
        packages.ensure("lab")
        tools.go_program("h2spec")
    return _pytest("conformance", "tests/conformance", directory("release"), options,
                   "" if options.full else "not full", SANITIZED_TIMEOUT_S)


def asan(options: Options) -> Tally:
    return _sanitized("asan", options, "sanitizer", ())


def tsan(options: Options) -> Tally:
    return _sanitized("tsan", options, "tsan", TSAN_FOLDERS)


def fuzzing(options: Options) -> Tally:
    return fuzz.run_all(build("fuzz"), FUZZ_FULL_SECONDS if options.full else FUZZ_SECONDS)


_AHEAD = Ahead()
_SANITIZED: tuple[tuple[str, tuple[str, ...]], ...] = (("asan", ()), ("tsan", TSAN_FOLDERS))


def _build_ahead(kind: str, folders: tuple[str, ...]) -> Callable[[], object]:
    return lambda: build(kind, _targets(kind, folders), gentle=True)


# `conformance` before the sanitizers: it needs only the release build, which exists by then.
STAGES: dict[str, Callable[[Options], Tally]] = {
    "lint": lint, "unit": unit_tests, "e2e": e2e, "conformance": conformance,
    "asan": asan, "tsan": tsan, "fuzz": fuzzing,
}
_NEED_RELEASE = {"unit", "e2e", "conformance"}


def test(options: Options) -> int:
    """Runs the stages and prints the total; the exit code is 0 only if nothing failed."""
    total, times = Tally(), []
    whole = Timer()
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    names = [name for name in STAGES if not options.only or name in options.only]
    if _NEED_RELEASE & set(names):
        timer = Timer()
        try:
            build("release")
        except Failed as error:
            # Nothing that follows would say more than this.
            say(str(error))
            print("0 passed, 1 failed", flush=True)
            return 1
        times.append(("release build", timer.seconds, ""))
    for name in names:
        timer = Timer()
        say(f"stage {name}")
        if name == "e2e":
            _AHEAD.start([_build_ahead(kind, folders) for kind, folders in _SANITIZED if kind in names])
        try:
            tally = STAGES[name](options)
        except Failed as error:
            tally = Tally(failures=[f"{name}: {error}"])
        times.append((name, timer.seconds, str(tally)))
        say(f"stage {name}: {tally} in {timer.seconds:.0f} s")
        total.add(tally)
    _print_end(total, times, whole.seconds)
    return 1 if total.failed or not total.passed else 0


def _print_end(total: Tally, times: list[tuple[str, float, str]], seconds: float) -> None:
    for failure in total.failures:
        print(f"FAILED {failure}")
    print("\nstage            seconds  result")
    for name, spent, result in times:
        print(f"{name:16} {spent:7.0f}  {result}")
    print(f"{'all':16} {seconds:7.0f}\n")
    print(total, flush=True)


def _sanitized(kind: str, options: Options, marker: str, folders: tuple[str, ...]) -> Tally:
    _AHEAD.wait()
    targets = _targets(kind, folders)
    place = build(kind, targets)
    reports = REPORTS / f"{kind}-findings"
    reports.mkdir(parents=True)
    tally = unit.run_all(place, kind, {**os.environ, **_sanitizer_options(kind, None)}, options.expression, folders)
    if _has_tests("tests/e2e"):
        packages.ensure("lab", "e2e")
        timeout = 2 * SANITIZED_TIMEOUT_S if options.full else SANITIZED_TIMEOUT_S
        tally.add(_pytest(kind, "tests/e2e", place, options, marker if options.full else f"{marker} and not full", timeout,
                          {"AQUIFER_SANITIZER": kind, **_sanitizer_options(kind, reports)}))
    # A program in the background of a test may die of a finding without any test noticing.
    for report in sorted(reports.iterdir()):
        print(f"--- {report.name}\n{report.read_text(errors='replace')[:20000]}", flush=True)
        tally.failures.append(f"{kind}: {report.name}")
    return tally


def _targets(kind: str, folders: tuple[str, ...]) -> list[str]:
    """What to build when not all is asked for: the programs, and these folders' tests as far as there are any."""
    if not folders:
        return []
    known = build_targets(kind)
    return [name for name in ("ztunnel/ztunnel", "waypoint/waypoint", *map(unit.program_of, folders)) if name in known]


def _sanitizer_options(kind: str, reports: Path | None) -> dict[str, str]:
    log = f":log_path={reports}/report" if reports else ""
    symbolizer = "/usr/bin/llvm-symbolizer-19"
    if kind == "tsan":
        return {"TSAN_OPTIONS": f"halt_on_error=1:second_deadlock_stack=1:external_symbolizer_path={symbolizer}{log}"}
    return {"ASAN_OPTIONS": f"detect_stack_use_after_return=1:strict_init_order=1:detect_leaks=1{log}",
            "UBSAN_OPTIONS": f"print_stacktrace=1:halt_on_error=1{log}", "ASAN_SYMBOLIZER_PATH": symbolizer,
            "UBSAN_SYMBOLIZER_PATH": symbolizer, "LSAN_OPTIONS": "report_objects=1"}


def _has_tests(folder: str) -> bool:
    return any((ROOT / folder).glob("**/test_*.py"))


def _pytest(stage: str, folder: str, place: Path, options: Options, marker: str, timeout: float,
            extra: dict[str, str] | None = None) -> Tally:
    if not _has_tests(folder):
        say(f"  {folder} has no tests yet")
        return Tally()
    environment = {**tools.environment(place), **(extra or {})}
    report = REPORTS / f"{stage}.xml"
    command = [tools.venv() / "python", "-m", "pytest", folder, "-c", "tests/pytest.ini", "--rootdir", ROOT,
               f"--junitxml={report}", "-ra", "--durations=15"]
    if marker:
        command += ["-m", marker]
    if options.expression:
        command += ["-k", options.expression]
    code = run(command, env=environment, timeout=timeout)
    tally = from_junit(report, stage, code)
    _try_again(stage, command, environment, report, tally)
    return tally


def _try_again(stage: str, command: list[object], environment: dict[str, str], report: Path, tally: Tally) -> None:
    """A few failures are tried once more, alone: a test of real programs on a busy machine may have lost its deadline.

    What passes then counts as passed and is named UNSTABLE, so that nobody overlooks it.
    """
    failed = failed_tests(report)
    causes = len({test.cause for test in failed.values()})
    if not 0 < causes <= SECOND_TRIES_MAX or len(failed) > SECOND_TRY_TESTS_MAX:
        return
    again = report.with_name(f"{stage}-again.xml")
    # One that an earlier run left would speak for this one.
    again.unlink(missing_ok=True)
    # The first argument after -m pytest is the folder: the failed tests take its place.
    command = [*command[:3], *failed, *command[4:], f"--junitxml={again}"]
    code = run(command, env=environment, timeout=SECOND_TRY_TIMEOUT_S)
    # 0: all passed; 1: some failed again. Anything else says nothing about those that are not in its report.
    if code not in (0, 1) or not again.exists():
        return
    for name in forgive(tally, stage, failed, failed_tests(again)):
        say(f"UNSTABLE {stage}: {name} failed at first and passed alone")
