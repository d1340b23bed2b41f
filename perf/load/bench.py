#!/usr/bin/env python3
"""Aquifer beside other proxies, on one mesh in one run. Run it as `./dev bench`.

bench.py              everything below but the profile, in one table; about forty minutes
bench.py l4           bytes, requests, connections and memory, in turn over the peers; about twelve minutes
bench.py l7           requests through a waypoint, beside Envoy, HAProxy and nginx; about ten minutes
bench.py same-node    the same with both pods on one node, beside the way through two
bench.py fairness     small requests beside ten bulk streams
bench.py scale        ten thousand idle connections and a thousand busy ones; what memory is left of them
bench.py micro        decisions with 100,000 workloads and 10,000 policies
bench.py profile      where the proxies' CPU time goes in each scenario, with flame graphs (--backend uring|epoll)

--quick measures each figure once and shorter. --debian13 adds a column with this tree built on Debian 13, whose OpenSSL
is 3.5. Prints a table with ratios to no proxy at all; that, JSON and a chart are in build/bench.
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
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Run as a script, it finds the packages it uses from the root of the repository.
sys.path[0] = str(ROOT)

from perf.load import chart, flamegraph, memory, micro, noise, peers, profile  # noqa: E402
from perf.load.fairness import FAIRNESS  # noqa: E402
from perf.load.figures import Results  # noqa: E402
from perf.load.l7 import L7Bench  # noqa: E402
from perf.load.scale import SCALE  # noqa: E402
from perf.load.scenarios import Scenario, load_scenarios  # noqa: E402
from tests.lab import Lab, LabError  # noqa: E402
from tests.lab.ztunnel import ztunnel_binary  # noqa: E402
from tools.dev import debian13  # noqa: E402
from tools.dev.common import Failed  # noqa: E402

OUTPUT = ROOT / "build" / "bench"
RUNS, SECONDS = 3, 4
QUICK_RUNS, QUICK_SECONDS = 1, 2
# Leaves of a profile that are named.
PROFILE_LEAVES = 12
# What one sample of one peer may take on the average, beyond the seconds that it measures.
SAMPLE_LIMIT_S = 6.0
START_LIMIT_S = 150.0
BASES = ["uring", "epoll", "others"]


@dataclass(frozen=True)
class Plan:
    """What a name on the command line stands for: who is measured, and by what in each round, or once at the end."""

    peers: list[str]
    each_round: list[Scenario]
    once: list[Scenario] = field(default_factory=list)
    memory: bool = True


def plan_of(name: str) -> Plan:
    match name:
        case "l4":
            return Plan(BASES, load_scenarios())
        case "same-node":
            return Plan(["uring", "near"], load_scenarios())
        case "fairness":
            return Plan(BASES, [FAIRNESS], memory=False)
        case "scale":
            return Plan(["uring", "epoll", "near"], [], [SCALE], memory=False)
        case _:
            return Plan([*BASES, "near"], [*load_scenarios(), FAIRNESS], [SCALE])


class Bench:
    """One run: its results, what did not work, and the time after which nothing more is begun."""

    def __init__(self, name: str, quick: bool, debian13: Path | None) -> None:
        self.name, self.quick, self.debian13 = name, quick, debian13
        self.plan = plan_of(name)
        self.runs, self.seconds = (QUICK_RUNS, QUICK_SECONDS) if quick else (RUNS, SECONDS)
        self.deadline = 0.0
        self.notes: list[str] = []
        self.results = Results([])

    def run(self) -> str:
        """Measures everything that time allows; gives the sentence about noise."""
        with Lab.new() as lab:
            say("building the mesh and starting the proxies")
            peers.plan(lab)
            compared = peers.start_all(lab, self.plan.peers, self.debian13, self.note)
            samples = len(compared) * (self.runs * len(self.plan.each_round) + 10 * len(self.plan.once))
            self.deadline = time.monotonic() + START_LIMIT_S + samples * (self.seconds + SAMPLE_LIMIT_S)
            self.results.peers = [peer.name for peer in compared]
            before = noise.busy_share()
            if self.plan.memory:
                say("memory")
                for peer in compared:
                    if peer.proxies:
                        self.attempt(peer, "memory", lambda peer=peer: memory.measure(peer))
            for number in range(1, self.runs + 1):
                self.round(number, self.plan.each_round, compared)
            self.round(1, self.plan.once, compared)
            return noise.sentence(before, noise.busy_share(), self.results.relative_spreads())

    def round(self, number: int, scenarios: list[Scenario], compared: list[peers.Peer]) -> None:
        """Every scenario once, and for each the peers right after one another: they share the machine's weather."""
        for scenario in scenarios:
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
        for scenario in load_scenarios():
            say(f"profiling {scenario.name}")
            figures: dict[str, float] = {}
            done = profile.record(peer, scenario.name, lambda: figures.update(scenario.measure(peer, seconds)), OUTPUT)
            graph = OUTPUT / f"profile-{backend}-{scenario.name}.svg"
            title = f"{scenario.name}, both proxies, {backend}: {done.samples} samples"
            graph.write_text(flamegraph.draw(done.stacks, title))
            measured = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
            print(f"{done.table(PROFILE_LEAVES)}\n  {measured}\n  {graph.relative_to(ROOT)}\n", flush=True)
    return 0


def write(bench: Bench | L7Bench, noise_line: str, seconds: float, decisions: str) -> None:
    """The table on standard output; with JSON and the chart also as files."""
    name = bench.name or "all"
    title = f"./dev bench {name}{' --quick' if bench.quick else ''}, {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC"
    explained = "median [largest - smallest] of the samples, xRATIO to direct"
    lines = [title, explained, "", bench.results.table(), "", noise_line, *(f"Note: {note}" for note in bench.notes)]
    if decisions:
        lines += ["", decisions.rstrip()]
    text = "\n".join([*lines, f"Took {seconds:.0f} s."])
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / f"{name}.txt").write_text(text + "\n")
    (OUTPUT / f"{name}.svg").write_text(chart.draw(bench.results, title))
    report = {
        "title": title, "runs": bench.runs, "seconds": bench.seconds, "noise": noise_line, "notes": bench.notes,
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "binary": str(ztunnel_binary()),
                    "congestion_control": Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()},
        "figures": bench.results.as_json(), "decisions": decisions.splitlines(),
    }  # fmt: skip
    (OUTPUT / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    print(text)
    print(f"Files: build/bench/{name}.txt, {name}.json, {name}.svg", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measures Aquifer beside other proxies.")
    parser.add_argument("name", nargs="?", default="", choices=["", "l4", "l7", "same-node", "fairness", "scale", "micro", "profile"],
                        help="what to measure; everything but the profile when it is left out")
    parser.add_argument("--quick", action="store_true", help="each figure once")
    parser.add_argument("--debian13", action="store_true", help="also this tree built on Debian 13, with OpenSSL 3.5")
    parser.add_argument("--backend", choices=["uring", "epoll"], default="uring", help="whose profile")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("it makes network namespaces: run it as root")
    # Ten thousand idle connections, at both of their ends; what we start inherits it.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard < 65536 and hard > 0 else 65536, hard))
    started = time.monotonic()
    try:
        if options.name == "micro":
            print(micro.run_all(), end="", flush=True)
            return 0
        if options.name == "profile":
            return profile_all(options.backend, QUICK_SECONDS if options.quick else RUNS)
        bench: Bench | L7Bench
        other_build = debian13.build() if options.debian13 else None
        if options.name == "l7":
            bench = L7Bench(options.quick, other_build, say)
        else:
            bench = Bench(options.name, options.quick, other_build)
        noise_line = bench.run()
        decisions = "" if options.name else micro.run_all()
    except (LabError, Failed) as error:
        say(str(error))
        return 1
    write(bench, noise_line, time.monotonic() - started, decisions)
    return 0 if bench.results.samples else 1


if __name__ == "__main__":
    sys.exit(main())
