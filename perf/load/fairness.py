"""Small requests beside bulk: how long they take alone, and while ten streams send to the same server all they can."""

from __future__ import annotations

import json
import threading
from typing import Any

from perf.load.peers import Peer
from perf.load.scenarios import SLACK_S, Figures, Scenario, fortio
from tests.lab import LabError

BULK_STREAMS = 10
# Few enough that the requests themselves are no load.
RATE, CONNECTIONS = 200, 4
# iperf3 has started when the requests begin, and has not ended before them.
LEAD_S, TAIL_S = 1.0, 1


def _measure(peer: Peer, seconds: int) -> Figures:
    alone = _times(peer, seconds)
    bulk: dict[str, Any] = {}

    def send() -> None:
        length = seconds + int(LEAD_S) + TAIL_S
        command = ["iperf3", "-c", peer.address, "-p", str(peer.bulk_port), "-J", "-t", str(length)]
        done = peer.client.run([*command, "-P", str(BULK_STREAMS)], check=False, timeout=length + SLACK_S)
        bulk.update(json.loads(done.stdout or "{}"))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        sender.join(LEAD_S)
        beside = _times(peer, seconds)
    finally:
        sender.join()
    if "error" in bulk or "end" not in bulk:
        raise LabError(f"iperf3: {bulk.get('error', 'no report')}")
    return {
        "fair.alone": alone[99], "fair.p50": beside[50], "fair.p99": beside[99], "fair.times": beside[99] / alone[99],
        "fair.gbit": bulk["end"]["sum_received"]["bits_per_second"] / 1e9,
    }  # fmt: skip


def _times(peer: Peer, seconds: int) -> dict[float, float]:
    report = fortio(peer, seconds, "-qps", str(RATE), "-c", str(CONNECTIONS))
    return {entry["Percentile"]: entry["Value"] * 1e6 for entry in report["DurationHistogram"]["Percentiles"]}


FAIRNESS = Scenario("fairness", _measure)
