"""ztunnel's access log, in both of its formats, as values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

# TIME<TAB>level<TAB>target<TAB>message<TAB>fields; TIME is RFC 3339 in UTC with microseconds.
_LINE = re.compile(
    r"^(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)\t(?P<level>[a-z]+)\t(?P<target>access)"
    r"\t(?P<message>[^\t]+)\t(?P<fields>.*)$"
)
# Names in quotes with backslash escapes, addresses bare.
_FIELD = re.compile(r'(?P<key>[\w.]+)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s"]+))(?:\s|$)')
_ESCAPE = re.compile(r"\\(.)")
_JSON_HEAD = ("level", "time", "scope", "message")


@dataclass(frozen=True)
class AccessLine:
    """One event. `fields` keep the order they were printed in."""

    time: str
    level: str
    message: str
    fields: dict[str, str]
    raw: str

    def __getitem__(self, key: str) -> str:
        return self.fields[key]

    def get(self, key: str, default: str = "") -> str:
        return self.fields.get(key, default)

    def matches(self, **fields: str) -> bool:
        """Dots of a field's name are written as underscores: matches(src_workload="client")."""
        return all(self._named(key) == value for key, value in fields.items())

    def _named(self, key: str) -> str | None:
        return self.fields.get(key, self.fields.get(key.replace("_", ".", 1)))


def parse_access_log(text: str) -> list[AccessLine]:
    """The access lines of a log; other lines are left out."""
    return list(_parse(text))


def _parse(text: str) -> Iterator[AccessLine]:
    # Not splitlines(): that also breaks at characters which a quoted field may hold.
    for raw in text.split("\n"):
        line = _parse_json(raw) if raw.startswith("{") else _parse_plain(raw)
        if line is not None:
            yield line


def _parse_plain(raw: str) -> AccessLine | None:
    match = _LINE.match(raw)
    if match is None:
        return None
    fields: dict[str, str] = {}
    position = 0
    text = match["fields"]
    while position < len(text):
        found = _FIELD.match(text, position)
        if found is None:
            raise ValueError(f"access log line with a field that cannot be read at {text[position:]!r}: {raw}")
        quoted = found["quoted"]
        fields[found["key"]] = found["bare"] if quoted is None else _ESCAPE.sub(r"\1", quoted)
        position = found.end()
    return AccessLine(match["time"], match["level"], match["message"], fields, raw)


def _parse_json(raw: str) -> AccessLine | None:
    try:
        event = json.loads(raw)
    except json.JSONDecodeError:
        return None
    if event.get("scope") != "access":
        return None
    fields = {key: str(value) for key, value in event.items() if key not in _JSON_HEAD}
    return AccessLine(event["time"], event["level"], event["message"], fields, raw)
