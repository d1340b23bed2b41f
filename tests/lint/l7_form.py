"""Every field that istiod sends to a waypoint has a row in docs/l7-form.md, and every row is about such a field.

istiod_fields.txt lists them: `MESSAGE: FIELD FIELD...`, as they were seen on the wire.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.lint.source import Finding, Source

FIELDS = Path(__file__).with_name("istiod_fields.txt")
DOCUMENT = "docs/l7-form.md"
_ROW = re.compile(r"^\| `(?P<message>[\w.]+)` \|(?P<fields>[^|]*)\| (?P<place>.+) \|$")


def sent() -> set[tuple[str, str]]:
    pairs = set()
    for line in FIELDS.read_text().splitlines():
        message, _, fields = line.partition(":")
        pairs.update((message, field) for field in fields.split() or [""])
    return pairs


def rows(text: str) -> list[tuple[int, str, str]]:
    """Line number, message and field ("" for a message without fields) of each row of the last chapter."""
    found = []
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            inside = line == "## From istiod"
        match = _ROW.match(line) if inside else None
        if match:
            fields = re.findall(r"`(\w+)`", match["fields"])
            found.extend((number, match["message"], field) for field in fields or [""])
    return found


def check(sources: list[Source]) -> list[Finding]:
    document = next((source for source in sources if source.path == DOCUMENT), None)
    if document is None:
        return [Finding(DOCUMENT, 0, "is missing")]
    wanted = sent()
    present = rows(document.text)
    findings = [
        Finding(DOCUMENT, number, f"{message}: {field or 'the message'} is nothing that istiod sends")
        for number, message, field in present
        if (message, field) not in wanted
    ]
    missing = wanted - {(message, field) for _, message, field in present}
    findings += [Finding(DOCUMENT, 0, f"{message}: {field or 'the message'} has no row") for message, field in sorted(missing)]
    return findings
