"""Running the libFuzzer targets for a time that they share."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.dev.common import CACHE, ROOT, Timer, say
from tools.dev.tally import Tally

SEEDS = ROOT / "tests" / "fuzz" / "corpus"

# One input may take this long and use this much before it counts as a finding.
INPUT_TIMEOUT_S = 10
MEMORY_MIB = 2048
# What grew before is replayed at the start: more than this many files would eat a short run's time.
GROWN_FILES_MAX = 5000


def targets(build: Path) -> list[Path]:
    found = (build / "tests" / "fuzz").glob("fuzz_*")
    return sorted(path for path in found if path.is_file() and not path.suffix)


def run_all(build: Path, seconds: int) -> Tally:
    """Every target gets the same share; as many run at once as there are cores."""
    names = targets(build)
    if not names:
        say("  there are no fuzz targets yet")
        return Tally()
    cores = min(os.cpu_count() or 1, len(names))
    share = max(1, seconds * cores // len(names))
    say(f"  {len(names)} targets, {share} s each, {cores} at once")
    tally = Tally()
    with ThreadPoolExecutor(max_workers=cores) as pool:
        for one in pool.map(lambda program: _run_one(program, build, share), names):
            tally.add(one)
    return tally


def _run_one(program: Path, build: Path, seconds: int) -> Tally:
    name = program.name.removeprefix("fuzz_")
    grown = CACHE / "fuzz-corpus" / name
    grown.mkdir(parents=True, exist_ok=True)
    for stale in sorted(grown.iterdir(), key=lambda path: path.stat().st_mtime)[:-GROWN_FILES_MAX]:
        stale.unlink()
    findings = build / "findings" / name
    findings.mkdir(parents=True, exist_ok=True)
    command = [str(program), f"-max_total_time={seconds}", f"-timeout={INPUT_TIMEOUT_S}",
               f"-rss_limit_mb={MEMORY_MIB}", f"-artifact_prefix={findings}/", "-print_final_stats=1", str(grown)]
    if (SEEDS / name).is_dir():
        command.append(str(SEEDS / name))
    dictionary = SEEDS.parent / "dict" / f"{name}.dict"
    if dictionary.exists():
        command.insert(1, f"-dict={dictionary}")
    timer = Timer()
    environment = {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
                   "ASAN_SYMBOLIZER_PATH": "/usr/bin/llvm-symbolizer-19"}
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=environment, text=True, errors="replace", timeout=seconds + 120)
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired:
        output, code = "the target did not stop when its time was over\n", -9
    runs = next((line.split()[-1] for line in output.splitlines() if line.startswith("stat::number_of_executed_units")), "0")
    if code == 0 and int(runs) > 0:
        say(f"  fuzz {name}: {runs} inputs in {timer.seconds:.0f} s, no finding")
        return Tally(passed=1)
    print(output[-20000:], flush=True)
    say(f"  fuzz {name}: failed (exit code {code}); its input is kept in {findings.relative_to(ROOT)}")
    return Tally(failures=[f"fuzz: {name}"])
