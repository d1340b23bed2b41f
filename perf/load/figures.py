"""The figures of a run: what they are called, all their samples, and the table of medians."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """`key` is what scenarios call it. `digits` after the point are what the measurement resolves."""

    key: str
    label: str
    unit: str
    digits: int
    more_is_better: bool = False


def _bulk(streams: int, direction: str, words: str) -> list[Figure]:
    name = f"bulk-{streams}-{direction}"
    plural = "stream" if streams == 1 else "streams"
    return [
        Figure(f"{name}.gbit", f"iperf3, {streams} {plural}, {words}", "Gbit/s", 2, more_is_better=True),
        Figure(f"{name}.cpu", "  CPU of both proxies", "s/GB", 2),
    ]


FIGURES = [
    *_bulk(1, "up", "to the server"),
    *_bulk(1, "down", "to the client"),
    *_bulk(8, "up", "to the server"),
    *_bulk(8, "down", "to the client"),
    Figure("fixed.p50", "2,000 requests/s, 16 connections: p50", "us", 0),
    Figure("fixed.p99", "  p99", "us", 0),
    Figure("fixed.cpu", "  CPU of both proxies", "us/request", 1),
    Figure("saturation.rate", "requests, 32 connections", "1/s", 0, more_is_better=True),
    Figure("saturation.cpu", "  CPU of both proxies", "us/request", 1),
    Figure("new.rate", "new connections, 8 clients", "1/s", 0, more_is_better=True),
    Figure("new.cpu", "  CPU of both proxies", "us/connection", 0),
    Figure("fair.alone", "200 requests/s alone: p99", "us", 0),
    Figure("fair.p50", "  beside 10 bulk streams: p50", "us", 0),
    Figure("fair.p99", "  beside 10 bulk streams: p99", "us", 0),
    Figure("fair.times", "  p99 beside them, in times of that alone", "", 1),
    Figure("fair.gbit", "  the bulk streams", "Gbit/s", 2, more_is_better=True),
    Figure("memory.resting", "memory of both proxies after their start", "MiB", 1),
    Figure("memory.connection", "  for each idle connection", "KiB", 1),
    Figure("scale.rate", "10,000 idle and 1,000 active connections: requests", "1/s", 0, more_is_better=True),
    Figure("scale.p99", "  p99", "us", 0),
    Figure("scale.idle", "  memory for each idle connection, all proxies", "KiB", 1),
    Figure("scale.peak", "  memory at the peak", "MiB", 1),
    Figure("scale.kept", "  memory kept when all are closed", "MiB", 1),
    Figure("scale.returned", "  time until the rest was returned", "s", 1),
]

BASE = "direct"


@dataclass
class Results:
    """Samples by figure and peer."""

    peers: list[str]
    figures: list[Figure] = field(default_factory=lambda: FIGURES)
    samples: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, peer: str, figures: dict[str, float]) -> None:
        for key, value in figures.items():
            self.samples.setdefault((key, peer), []).append(value)

    def median(self, key: str, peer: str) -> float | None:
        values = self.samples.get((key, peer))
        return statistics.median(values) if values else None

    def spread(self, key: str, peer: str) -> float | None:
        """Largest minus smallest; None for a single sample."""
        values = self.samples.get((key, peer), [])
        return max(values) - min(values) if len(values) > 1 else None

    def ratio(self, key: str, peer: str) -> float | None:
        """To direct, where direct has the figure too."""
        own, base = self.median(key, peer), self.median(key, BASE)
        return own / base if peer != BASE and own is not None and base else None

    def relative_spreads(self) -> list[float]:
        """Spread over median, of everything that was measured more than once."""
        pairs = [(self.spread(*place), self.median(*place)) for place in self.samples]
        return [spread / median for spread, median in pairs if spread is not None and median]

    def table(self) -> str:
        """A line for each figure: `median [spread] xratio`, where spread is largest minus smallest."""
        rows = [["", "", *self.peers]]
        rows += [[one.label, one.unit, *(self._cell(one, peer) for peer in self.peers)] for one in self._measured()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = []
        for row in rows:
            cells = list(zip(row, widths))
            words = [text.ljust(width) for text, width in cells[:2]] + [text.rjust(width) for text, width in cells[2:]]
            lines.append("  ".join(words).rstrip())
        lines.insert(1, "-" * max(len(line) for line in lines))
        return "\n".join(lines)

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {
                "figure": one.key, "label": one.label.strip(), "unit": one.unit, "more_is_better": one.more_is_better,
                "peers": {
                    peer: {
                        "median": self.median(one.key, peer), "spread": self.spread(one.key, peer),
                        "ratio_to_direct": self.ratio(one.key, peer), "samples": self.samples[one.key, peer],
                    }
                    for peer in self.peers if (one.key, peer) in self.samples
                },
            }
            for one in self._measured()
        ]  # fmt: skip

    def _measured(self) -> list[Figure]:
        return [one for one in self.figures if any((one.key, peer) in self.samples for peer in self.peers)]

    def _cell(self, figure: Figure, peer: str) -> str:
        value = self.median(figure.key, peer)
        if value is None:
            return "-"
        text = f"{value:,.{figure.digits}f}"
        spread, ratio = self.spread(figure.key, peer), self.ratio(figure.key, peer)
        if spread is not None:
            text += f" [{spread:,.{figure.digits}f}]"
        if ratio is not None:
            text += f" x{ratio:.2f}"
        return text
