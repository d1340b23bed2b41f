"""What is measured under load: each scenario runs one program in the client's pod and gives named figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from perf.load.peers import Peer
from tests.lab import LabError

# What a program may need beyond the time it measures, on a machine that does other things too.
SLACK_S = 15.0
FIXED_RATE, FIXED_RATE_CONNECTIONS = 2000, 16
SATURATION_CONNECTIONS = 32
NEW_CONNECTION_CLIENTS = 8

Figures = dict[str, float]


@dataclass(frozen=True)
class Scenario:
    name: str
    measure: Callable[[Peer, int], Figures]


def load_scenarios() -> list[Scenario]:
    """Bytes, requests and connections, in the order of the table; those that need fortio are left out where it is not."""
    bulk = [_bulk(streams, reverse) for streams in (1, 8) for reverse in (False, True)]
    return bulk + ([FIXED, SATURATION, NEW_CONNECTIONS] if shutil.which("fortio") else [])


def _bulk(streams: int, reverse: bool) -> Scenario:
    name = f"bulk-{streams}-{'down' if reverse else 'up'}"

    def measure(peer: Peer, seconds: int) -> Figures:
        options = ["-t", str(seconds), "-P", str(streams), *(["-R"] if reverse else [])]
        command = ["iperf3", "-c", peer.address, "-p", str(peer.bulk_port), "-J", *options]
        with _cpu_of(peer) as cpu:
            done = peer.client.run(command, check=False, timeout=seconds + SLACK_S)
        report: dict[str, Any] = json.loads(done.stdout or "{}")
        if done.returncode != 0 or "error" in report:
            raise LabError(f"iperf3: {report.get('error') or done.stderr.strip()}")
        arrived = report["end"]["sum_received"]
        return {f"{name}.gbit": arrived["bits_per_second"] / 1e9, **cpu(f"{name}.cpu", arrived["bytes"] / 1e9)}

    return Scenario(name, measure)


def _fixed_rate(peer: Peer, seconds: int) -> Figures:
    with _cpu_of(peer) as cpu:
        report = fortio(peer, seconds, "-qps", str(FIXED_RATE), "-c", str(FIXED_RATE_CONNECTIONS))
    times = {entry["Percentile"]: entry["Value"] * 1e6 for entry in report["DurationHistogram"]["Percentiles"]}
    # Fewer requests than asked for: the percentiles are those of another load.
    if report["ActualQPS"] < 0.9 * FIXED_RATE:
        raise LabError(f"only {report['ActualQPS']:.0f} of {FIXED_RATE} requests a second were made")
    return {"fixed.p50": times[50], "fixed.p99": times[99], **cpu("fixed.cpu", _count(report) / 1e6)}


def _saturation(peer: Peer, seconds: int) -> Figures:
    with _cpu_of(peer) as cpu:
        report = fortio(peer, seconds, "-qps", "0", "-c", str(SATURATION_CONNECTIONS))
    return {"saturation.rate": report["ActualQPS"], **cpu("saturation.cpu", _count(report) / 1e6)}


def _new_connections(peer: Peer, seconds: int) -> Figures:
    with _cpu_of(peer) as cpu:
        report = fortio(peer, seconds, "-qps", "0", "-c", str(NEW_CONNECTION_CLIENTS), "-keepalive=false")
    return {"new.rate": report["ActualQPS"], **cpu("new.cpu", _count(report) / 1e6)}


FIXED = Scenario("fixed-rate", _fixed_rate)
SATURATION = Scenario("saturation", _saturation)
NEW_CONNECTIONS = Scenario("new-connections", _new_connections)


def fortio(peer: Peer, seconds: int, *options: str) -> dict[str, Any]:
    """One run of it, whose requests must all succeed."""
    command = ["fortio", "load", "-quiet", "-json", "-", "-t", f"{seconds}s", "-p", "50,99", "-r", "0.00001"]
    url = f"http://{peer.address}:{peer.http_port}/"
    done = peer.client.run([*command, *options, url], check=False, timeout=seconds + SLACK_S)
    if done.returncode != 0:
        raise LabError(f"fortio: {done.stderr.strip()[-300:]}")
    report: dict[str, Any] = json.loads(done.stdout)
    failed = _count(report) - report["RetCodes"].get("200", 0)
    if failed:
        raise LabError(f"{failed} of {_count(report)} requests failed: {report['RetCodes']}")
    return report


def _count(report: dict[str, Any]) -> int:
    return int(report["DurationHistogram"]["Count"])


@contextmanager
def _cpu_of(peer: Peer) -> Iterator[Callable[[str, float], Figures]]:
    """Gives, once over, a function that makes the proxies' CPU seconds per unit of work a figure."""
    before = peer.cpu_seconds()
    spent: list[float] = []

    def figure(name: str, work: float) -> Figures:
        return {name: spent[0] / work} if peer.proxies and work else {}

    yield figure
    spent.append(peer.cpu_seconds() - before)
