"""Metrics in the Prometheus text format, as numbers that can be asked for by name and labels."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SAMPLE = re.compile(r"^(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Sample:
    name: str
    labels: dict[str, str]
    value: float


@dataclass(frozen=True)
class Metrics:
    """One scrape."""

    samples: tuple[Sample, ...]
    text: str

    @classmethod
    def parse(cls, text: str) -> Metrics:
        found = []
        for line in text.splitlines():
            match = None if line.startswith("#") else _SAMPLE.match(line)
            if match:
                labels = {key: _unescape(value) for key, value in _LABEL.findall(match["labels"] or "")}
                found.append(Sample(match["name"], labels, float(match["value"])))
        return cls(tuple(found), text)

    def select(self, name: str, **labels: str) -> list[Sample]:
        """Samples of that name whose labels include the given ones."""
        return [
            sample
            for sample in self.samples
            if sample.name == name and all(sample.labels.get(key) == value for key, value in labels.items())
        ]

    def total(self, name: str, **labels: str) -> float:
        """Their sum; 0 when there is none."""
        return sum(sample.value for sample in self.select(name, **labels))


def _unescape(value: str) -> str:
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], value)
