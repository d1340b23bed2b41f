#!/usr/bin/env python3
"""Aquifer beside other proxies, on one mesh in one run. Run it as `./dev bench l4`.

bench.py l4           each figure three times, in turn over the peers; about ten minutes
bench.py l4 --quick   each once and shorter; about three minutes
bench.py l7           the waypoint beside Envoy, HAProxy and nginx; `--quick` as above
bench.py profile      where the proxies' CPU time goes in each scenario, with flame graphs (--backend uring|epoll)

Prints a table with ratios to no proxy at all; that, JSON and a chart are in build/bench.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Run as a script, it finds the packages it uses from the root of the repository.
sys.path[0] = str(ROOT)

from perf.load import chart, flamegraph, memory, noise, peers, profile  # noqa: E402
from perf.load.figures import Results  # noqa: E402
from perf.load.l7 import L7Bench  # noqa: E402
from perf.load.scenarios import all_scenarios  # noqa: E402
from tests.lab import Lab, LabError  # noqa: E402
from tests.lab.ztunnel import ztunnel_binary  # noqa: E402

OUTPUT = ROOT / "build" / "bench"
RUNS, SECONDS, LIMIT_S = 3, 4, 660.0
# Leaves of a profile that are named.
PROFILE_LEAVES = 12
QUICK_RUNS, QUICK_SECONDS, QUICK_LIMIT_S = 1, 2, 210.0


class Bench:
    """One run: its results, what did not work, and the time after which nothing more is begun."""

    def __init__(self, quick: bool) -> None:
        self.quick = quick
        self.runs, self.seconds = (QUICK_RUNS, QUICK_SECONDS) if quick else (RUNS, SECONDS)
        self.deadline = time.monotonic() + (QUICK_LIMIT_S if quick else LIMIT_S)
        self.notes: list[str] = []
        self.results = Results([])

    def run(self) -> str:
        """Measures everything that time allows; gives the sentence about noise."""
        with Lab.new() as lab:
            say("building the mesh and starting the proxies")
            peers.plan(lab)
            compared = peers.start_all(lab, self.note)
            self.results.peers = [peer.name for peer in compared]
            before = noise.busy_share()
            say("memory")
            for peer in compared:
                if peer.proxies:
                    self.attempt(peer, "memory", lambda peer=peer: memory.measure(peer))
            for number in range(1, self.runs + 1):
                self.round(number, compared)
            return noise.sentence(before, noise.busy_share(), self.results.relative_spreads())

    def round(self, number: int, compared: list[peers.Peer]) -> None:
        """Every scenario once, and for each the peers right after one another: they share the machine's weather."""
        for scenario in all_scenarios():
            if time.monotonic() > self.deadline:
                self.note(f"out of time before {scenario.name} of round {number}: what follows was not measured")
                return
            say(f"round {number} of {self.runs}: {scenario.name}")
            # Another one goes first each round.
            shift = (number - 1) % len(compared)
            for peer in compared[shift:] + compared[:shift]:
                self.attempt(peer, scenario.name, lambda peer=peer: scenario.measure(peer, self.seconds))

    def attempt(self, peer: peers.Peer, what: str, measure: Callable[[], dict[str, float]]) -> None:
        """A failure costs that sample, and is told."""
        try:
            for proxy in peer.proxies:
                proxy.require_alive()
            self.results.add(peer.name, measure())
        except (LabError, OSError, ValueError, KeyError) as error:
            self.note(f"{peer.name}, {what}: {error}")

    def note(self, text: str) -> None:
        """Told at once, and on one line below the table."""
        self.notes.append(" ".join(text.split()))
        say(text)


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def profile_all(backend: str, seconds: int) -> int:
    """A profile of each scenario, on one backend; the exit code."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with Lab.new() as lab:
        peers.plan(lab)
        peer = peers.aquifer(lab, backend)
        for scenario in all_scenarios():
            say(f"profiling {scenario.name}")
            figures: dict[str, float] = {}
            done = profile.record(peer, scenario.name, lambda: figures.update(scenario.measure(peer, seconds)), OUTPUT)
            graph = OUTPUT / f"profile-{backend}-{scenario.name}.svg"
            title = f"{scenario.name}, both proxies, {backend}: {done.samples} samples"
            graph.write_text(flamegraph.draw(done.stacks, title))
            measured = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
            print(f"{done.table(PROFILE_LEAVES)}\n  {measured}\n  {graph.relative_to(ROOT)}\n", flush=True)
    return 0


def write(name: str, bench: Bench | L7Bench, noise_line: str, seconds: float) -> None:
    """The table on standard output; with JSON and the chart also as files."""
    quick = " --quick" if bench.runs == QUICK_RUNS else ""
    title = f"./dev bench {name}{quick}, {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC"
    explained = "median [largest - smallest] of the samples, xRATIO to direct"
    lines = [title, explained, "", bench.results.table(), "", noise_line, *(f"Note: {note}" for note in bench.notes)]
    text = "\n".join([*lines, f"Took {seconds:.0f} s."])
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / f"{name}.txt").write_text(text + "\n")
    (OUTPUT / f"{name}.svg").write_text(chart.draw(bench.results, title))
    report = {
        "title": title, "runs": bench.runs, "seconds": bench.seconds, "noise": noise_line, "notes": bench.notes,
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "binary": str(ztunnel_binary()),
                    "congestion_control": Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()},
        "figures": bench.results.as_json(),
    }  # fmt: skip
    (OUTPUT / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    print(text)
    print(f"Files: build/bench/{name}.txt, {name}.json, {name}.svg", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measures Aquifer beside other proxies.")
    parser.add_argument("name", choices=["l4", "l7", "profile"],
                        help="l4: connections and bytes, against HAProxy and Envoy; l7: requests, against Envoy, "
                             "HAProxy and nginx; profile: where the CPU time goes")
    parser.add_argument("--quick", action="store_true", help="each figure once")
    parser.add_argument("--backend", choices=["uring", "epoll"], default="uring", help="whose profile")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("it makes network namespaces: run it as root")
    # A thousand idle connections, at both of their ends; what we start inherits it.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard < 65536 and hard > 0 else 65536, hard))
    started = time.monotonic()
    if options.name == "profile":
        return profile_all(options.backend, QUICK_SECONDS if options.quick else RUNS)
    bench: Bench | L7Bench = L7Bench(options.quick, say) if options.name == "l7" else Bench(options.quick)
    try:
        noise_line = bench.run()
    except LabError as error:
        say(str(error))
        return 1
    write(options.name, bench, noise_line, time.monotonic() - started)
    return 0 if bench.results.samples else 1


if __name__ == "__main__":
    sys.exit(main())
