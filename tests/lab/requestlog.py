"""The waypoint's access log, in Envoy's text format or as JSON, as values with Istio's field names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tests.lab.shell import WAIT_TIMEOUT_S, LabError, wait_until
from tests.lab.waypoint import Waypoint

RequestLine = dict[str, Any]

# Envoy's format as Istio configures it, in the order of its fields; in quotes with backslash escapes, or bare.
_FIELDS = (
    "request", "response_code", "response_flags", "response_code_details", "connection_termination_details",
    "upstream_transport_failure_reason", "bytes_received", "bytes_sent", "duration", "upstream_service_time",
    "x_forwarded_for", "user_agent", "request_id", "authority", "upstream_host", "upstream_cluster",
    "upstream_local_address", "downstream_local_address", "downstream_remote_address", "requested_server_name",
    "route_name",
)  # fmt: skip
_LINE = re.compile(r"^\[(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\] (?P<rest>.*)$")
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_NUMBERS = {"response_code", "bytes_received", "bytes_sent", "duration"}


def parse_request_log(text: str) -> list[RequestLine]:
    """The lines of requests and connections; other lines are left out."""
    found = (_parse_json(raw) if raw.startswith("{") else _parse_text(raw) for raw in text.split("\n"))
    return [line for line in found if line is not None]


def _parse_json(raw: str) -> RequestLine | None:
    try:
        line: RequestLine = json.loads(raw)
    except json.JSONDecodeError:
        return None
    return line if "start_time" in line else None


def _parse_text(raw: str) -> RequestLine | None:
    match = _LINE.match(raw)
    if match is None:
        return None
    words = [quoted if bare is None else bare for quoted, bare in
             ((found[1], found[2]) for found in _WORD.finditer(match["rest"]))]  # fmt: skip
    if len(words) != len(_FIELDS):
        raise ValueError(f"{len(words)} fields instead of {len(_FIELDS)}: {raw}")
    line: RequestLine = {"start_time": match["time"]}
    for name, word in zip(_FIELDS, words, strict=True):
        line[name] = int(word) if name in _NUMBERS else None if word == "-" and name != "response_flags" else word
    method, path, protocol = str(line.pop("request")).split(" ", 2)
    line.update(method=method, path=path, protocol=protocol)
    return line


def request_lines(waypoint: Waypoint, since: int = 0) -> list[RequestLine]:
    with open(waypoint.stdout_path, "rb") as file:
        file.seek(since)
        text = file.read().decode(errors="replace")
    # A line still being written is not a line yet.
    return parse_request_log(text[: text.rfind("\n") + 1])


def wait_request(
    waypoint: Waypoint,
    since: int = 0,
    *,
    where: Callable[[RequestLine], bool] = lambda line: True,
    timeout: float = WAIT_TIMEOUT_S,
    **fields: Any,
) -> RequestLine:
    """The first line after the mark with these fields for which `where` holds."""

    def look() -> RequestLine | None:
        lines = request_lines(waypoint, since)
        fits = (line for line in lines if all(line.get(key) == value for key, value in fields.items()) and where(line))
        return next(fits, None)

    try:
        found = wait_until(f"a request of {waypoint.name} with {fields}", look, timeout)
    except LabError as error:
        seen = "\n".join(map(str, request_lines(waypoint, since)[-20:]))
        raise LabError(f"{error}; requests since the mark:\n{seen or '(none)'}") from None
    assert found is not None
    return found
