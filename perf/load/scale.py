"""Ten thousand connections that do nothing, a thousand that do, and what is left of them in memory afterwards.

A proxy that has both ends of each needs 22,000 descriptors: where the limit is lower, that sample is missing and noted.
"""

from __future__ import annotations

import time

from perf.load import memory
from perf.load.peers import Peer
from perf.load.scenarios import Figures, Scenario, fortio

IDLE, ACTIVE = 10_000, 1_000
# What a proxy may keep of a burst, each: tables that have grown, and receive buffers that were touched.
KEPT_BYTES_MAX = 4 << 20
RETURN_TIMEOUT_S, LOOK_INTERVAL_S = 30.0, 0.5


def _measure(peer: Peer, seconds: int) -> Figures:
    memory.warm_up(peer)
    before = memory.steady(peer)
    streams = memory.open_connections(peer, IDLE)
    try:
        idle = memory.steady(peer) - before
        report = fortio(peer, seconds, "-qps", "0", "-c", str(ACTIVE))
        at_peak = memory.own_bytes(peer) - before
    finally:
        memory.close_all(streams)
    times = {entry["Percentile"]: entry["Value"] * 1e6 for entry in report["DurationHistogram"]["Percentiles"]}
    figures = {"scale.rate": report["ActualQPS"], "scale.p99": times[99]}
    if not peer.proxies:
        return figures
    returned = _seconds_until_returned(peer, before)
    kept = memory.own_bytes(peer) - before
    return figures | {"scale.idle": idle / IDLE / 1024, "scale.peak": at_peak / (1 << 20),
                      "scale.kept": kept / (1 << 20), "scale.returned": returned}  # fmt: skip


def _seconds_until_returned(peer: Peer, before: int) -> float:
    """The whole timeout when it was not returned by then."""
    start = time.monotonic()
    allowed = before + KEPT_BYTES_MAX * len(peer.proxies)
    while memory.own_bytes(peer) > allowed and time.monotonic() - start < RETURN_TIMEOUT_S:
        time.sleep(LOOK_INTERVAL_S)
    return time.monotonic() - start


SCALE = Scenario("scale", _measure)
