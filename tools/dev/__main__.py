"""./dev VERB: the commands of this repository."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from tools.dev import fuzz, packages, stages, tools
from tools.dev.build import ALIASES, TYPES, build, directory
from tools.dev.common import ROOT, Failed, say


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev", description="Builds, tests, shows and measures Aquifer.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    add = verbs.add_parser("build", help="build into build/TYPE")
    add.add_argument("--type", choices=sorted([*TYPES, *ALIASES]), default="release", dest="kind")
    add.add_argument("targets", nargs="*", help="ninja targets; all of them when none is named")

    add = verbs.add_parser("test", help="build, and run everything that must pass")
    add.add_argument("--full", action="store_true", help="also what is slow")
    add.add_argument("-k", dest="expression", default="", metavar="EXPR",
                     help="only tests whose names match; stages without names to match are left out")
    add.add_argument("--only", action="append", default=[], metavar="STAGE", choices=list(stages.STAGES),
                     help=f"only this stage (may be given again): {', '.join(stages.STAGES)}")

    add = verbs.add_parser("lint", help="formatting, layering and tidiness of the sources")
    add.add_argument("--full", action="store_true", help="also every header alone, and clang-tidy")
    add.add_argument("--fix", action="store_true", help="format the sources first")

    add = verbs.add_parser("fuzz", help="run every fuzz target for its share of SECONDS")
    add.add_argument("seconds", type=int, metavar="SECONDS")

    add = verbs.add_parser("setup", help="install everything that any verb needs, and nothing more")

    for verb, text in (("demo", "a small mesh on this machine, with its proofs (--keep, down)"),
                       ("bench", "measure against other proxies (NAME)"),
                       ("pytest", "pytest with the tests' environment on the release build (AQUIFER_BUILD for another)")):
        add = verbs.add_parser(verb, help=text, add_help=False)
        add.add_argument("rest", nargs=argparse.REMAINDER)
    verbs.add_parser("help", help="this text")
    return parser


def _hand_over(script: str, rest: list[str]) -> int:
    """The rest is the script's: it gets our environment and this process."""
    path = tools.required(script)
    environment = tools.environment(build("release"))
    python = tools.venv() / "python"
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execve(python, [str(python), str(path), *rest], environment)


def _lint(options: argparse.Namespace) -> int:
    if options.fix:
        packages.ensure("lint")
        os.system("git ls-files -co --exclude-standard '*.cc' '*.h' | xargs -r clang-format-19 -i")
    stages.REPORTS.mkdir(parents=True, exist_ok=True)
    return _finish(stages.lint(stages.Options(full=options.full)))


def _pytest(rest: list[str]) -> int:
    """For working on a test: builds nothing, and passes every word on."""
    environment = tools.environment(Path(os.environ.get("AQUIFER_BUILD") or directory("release")).resolve())
    python = tools.venv() / "python"
    sys.stdout.flush()
    os.execve(python, [str(python), "-m", "pytest", "-c", "tests/pytest.ini", f"--rootdir={ROOT}", *rest], environment)


def _finish(tally: stages.Tally) -> int:
    print(tally, flush=True)
    return 1 if tally.failed or not tally.passed else 0


def _setup() -> int:
    packages.ensure(*packages.GROUPS)
    tools.venv()
    for name in tools.GO_PROGRAMS:
        tools.go_program(name)
    say("everything is there")
    return 0


def main() -> int:
    parser = _parser()
    # argparse's REMAINDER does not take a leading option, and these verbs' options are their scripts' own.
    if len(sys.argv) > 1 and sys.argv[1] in ("demo", "bench", "pytest"):
        verb, rest = sys.argv[1], sys.argv[2:]
        options = None
    else:
        options = parser.parse_args()
        verb, rest = options.verb, []
    match verb:
        case "build":
            build(options.kind, options.targets)
            return 0
        case "test":
            only = tuple(options.only)
            if options.expression and not only:
                only = ("unit", "e2e", "conformance")
            return stages.test(stages.Options(options.full, options.expression, only))
        case "lint":
            return _lint(options)
        case "fuzz":
            return _finish(fuzz.run_all(build("fuzz"), options.seconds))
        case "setup":
            return _setup()
        case "demo":
            packages.ensure("lab")
            return _hand_over("tests/lab/demo.py", rest)
        case "bench":
            packages.ensure("lab", "bench")
            tools.go_program("fortio")
            return _hand_over("perf/load/bench.py", rest)
        case "pytest":
            return _pytest(rest)
        case _:
            parser.print_help()
            return 0


def _terminated(number: int, _frame: object) -> None:
    """Leaves as an interrupt does, so that what was started is ended too."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    try:
        code = main()
    except Failed as error:
        print(f"dev: {error}", file=sys.stderr, flush=True)
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
