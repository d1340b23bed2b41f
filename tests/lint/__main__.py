"""Runs every check; prints what it finds; exit code 1 if anything was found."""

from __future__ import annotations

import argparse
import functools
import sys
import time
from pathlib import Path

from tests.lint import coroutines, counting, l7_form, layering, programs, selftest, tidy
from tests.lint.source import repository


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.lint")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--report", type=Path, help="write `passed NAME` or `failed NAME` for each check here")
    options = parser.parse_args()

    checks = {
        "the checks themselves can fail": selftest.check,
        "failures are counted": counting.check,
        "layering": layering.check,
        "coroutine shapes": coroutines.check,
        "words": tidy.words,
        "layout of text": tidy.layout,
        "length of C++ files": tidy.size,
        "headers and file heads": tidy.headers,
        "threads are joined": tidy.threads,
        "every source is built": tidy.listed,
        "links in documents": tidy.links,
        "istiod's fields have their place": l7_form.check,
        "formatting": programs.formatting,
        "headers compile alone": functools.partial(programs.headers_alone, every=options.full),
        "scripts": programs.scripts,
        "executable bits": programs.executable_bits,
    }
    if options.full:
        checks["clang-tidy"] = programs.clang_tidy

    sources = repository()
    verdicts = []
    for name, check in checks.items():
        start = time.monotonic()
        findings = check(sources)
        verdicts.append((not findings, name))
        print(f"{'FAIL' if findings else 'ok':4} {name} ({time.monotonic() - start:.1f} s)", flush=True)
        for finding in findings:
            print(f"     {finding}", flush=True)
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text("".join(f"{'passed' if good else 'failed'} {name}\n" for good, name in verdicts))
    return 0 if all(good for good, _ in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
