"""Shows that each check can fail: a bad sample gives a finding, its good twin none."""

from __future__ import annotations

from collections.abc import Callable

from tests.lint import coroutines, l7_form, layering, tidy
from tests.lint.source import ROOT, Finding, Source

_CASES: list[tuple[Callable[[list[Source]], list[Finding]], str, str, str]] = [
    # (check, path, bad text, good text)
    (layering.check, "common/base/a.h", '#include "common/io/loop.h"\n', '#include "common/base/fd.h"\n'),
    (layering.check, "common/tls/a.cc", '#include "common/telemetry/m.h"\n', '#include "common/io/loop.h"\n'),
    (layering.check, "config/model/a.cc", '#include "common/io/loop.h"\n', '#include "common/base/fd.h"\n'),
    (layering.check, "config/ca/a.cc", "#include <openssl/x509.h>\n", '#include "common/tls/key.h"\n'),
    (layering.check, "common/coro/a.cc", "#include <liburing.h>\n", "#include <coroutine>\n"),
    (layering.check, "ztunnel/capture/a.cc", "#include <nghttp2/nghttp2.h>\n", '#include "ztunnel/app.h"\n'),
    (layering.check, "tests/unit/ztunnel/a.cc", "#include <yaml-cpp/yaml.h>\n", '#include "harness.h"\n'),
    (layering.check, "ztunnel/a.cc", '#include "app.h"\n', '#include "ztunnel/app.h"\n'),
    (layering.check, "ztunnel/a.cc", '#include "tests/unit/x.h"\n', '#include "config/ca/x.h"\n'),
    (layering.check, "tests/unit/common/io/a_test.cc", '#include "common/tls/x.h"\n', "#include <doctest/doctest.h>\n"),
    (coroutines.check, "a.cc", "auto x = f(co_await a, co_await b);", "auto x = co_await a; auto y = co_await b;"),
    (coroutines.check, "a.cc", "auto x = ok ? co_await a : b;", "if (ok) { x = co_await a; } else { x = b ? 1 : 2; }"),
    (coroutines.check, "a.cc", "auto f = [&]() -> Task<int> { co_return 1; };", "auto f = []() -> Task<int> { co_return 1; };"),
    (coroutines.check, "a.cc", "run([this, x = a[1]](int n) { for (;;) { co_await g(n); } });",
     "run([this](int n) { spawn([](int k) -> Task<> { co_await g(k); }(n)); });"),
    (coroutines.check, "a.cc", "return [=] { co_return; };", "int a[3]; { co_return; }"),
    (coroutines.check, "a.cc", "co_await f(\n  co_await g());", 'co_await f("co_await"); // co_await'),
    (tidy.words, "a.cc", "// FIX" "ME later\n", "// fixed\n"),
    (tidy.words, "a.py", "# TO" "DO: more\n", "# TO" "DO(#12): more\n"),
    (tidy.words, "a.md", "see /" "root/x\n", "see tests/root/x\n"),
    (tidy.words, "a.sh", "cd /" "work/main\n", "cd ./work/main\n"),
    (tidy.words, "a.txt", "--index https://py" "pi.org/simple\n", "pip install x\n"),
    (tidy.layout, "a.md", "text \n", "text\n"),
    (tidy.layout, "a.md", "text", "text\n"),
    (tidy.size, "a.cc", "int x;\n" * 401, "int x;\n" * 400),
    (tidy.size, "tests/a.cc", "int x;\n" * 601, "int x;\n" * 600),
    (tidy.headers, "a.cc", "int x;\n", "// A number.\nint x;\n"),
    (tidy.headers, "a.h", "// A number.\nint x;\n", "// A number.\n#pragma once\nint x;\n"),
    (tidy.threads, "a.cc", "std::thread(run).detach();", "thread_.join(); lease.detach();"),
    (tidy.threads, "a.cc", "worker->detach();", "// thread.detach()\n"),
    (tidy.threads, "a.cc", "// NOLINT(aquifer-detach)\nthread.detach();", "// NOLINT(aquifer-detach): why\nthread.detach();"),
    (tidy.links, "a.md", "[x](no/such/file.md)\n", "[x](CONTRIBUTING.md) [y](https://example.com/z)\n"),
    (l7_form.check, l7_form.DOCUMENT, "## From istiod\n", (ROOT / l7_form.DOCUMENT).read_text()),
]


def check(_sources: list[Source]) -> list[Finding]:
    findings = []
    for function, path, bad, good in _CASES:
        name = f"{function.__module__}.{function.__name__}"
        if not function([Source(path, bad)]):
            findings.append(Finding("tests/lint/selftest.py", 1, f"{name} finds nothing in {bad!r}"))
        for finding in function([Source(path, good)]):
            findings.append(Finding("tests/lint/selftest.py", 1, f"{name} on {good!r}: {finding.text}"))
    findings += _listed() + _own_header()
    return findings


def _listed() -> list[Finding]:
    build = Source("common/io/meson.build", "files('loop.cc')\n")
    good, bad = Source("common/io/loop.cc", ""), Source("common/io/ring.cc", "")
    found = [finding.path for finding in tidy.listed([build, good, bad])]
    return [] if found == [bad.path] else [Finding("tests/lint/selftest.py", 1, f"tidy.listed found {found}")]


def _own_header() -> list[Finding]:
    header = Source("common/io/loop.h", "// Loop.\n#pragma once\n")
    bad = Source("common/io/loop.cc", '// Loop.\n#include <vector>\n#include "common/io/loop.h"\n')
    found = [finding.path for finding in tidy.headers([header, bad])]
    return [] if found == [bad.path] else [Finding("tests/lint/selftest.py", 1, f"tidy.headers found {found}")]
