"""Shapes of coroutine code that the style rules out, since compilers and lifetimes punish them."""

from __future__ import annotations

import re

from tests.lint.source import Finding, Source, cpp

# Tries what the compiler makes of each such shape, on purpose.
_DELIBERATE = {"tests/unit/common/coro/shapes_test.cc"}

_AWAITS = re.compile(r"\bco_(?:await|return|yield)\b")
_CLOSERS = {"(": ")", "[": "]", "{": "}", "<": ">"}


def check(sources: list[Source]) -> list[Finding]:
    findings = []
    for source in cpp(sources):
        if "co_" in source.code and source.path not in _DELIBERATE:
            findings += _statements(source) + _lambdas(source)
    return findings


def _statements(source: Source) -> list[Finding]:
    """One co_await in a statement, and no ternary around it."""
    findings = []
    start = 0
    for match in re.finditer(r"[;{}]|\Z", source.code):
        statement = source.code[start:match.start()]
        awaits = [found.start() for found in re.finditer(r"\bco_await\b", statement)]
        if len(awaits) > 1:
            findings.append(Finding(source.path, source.line_at(start + awaits[1]), "two co_await in one statement"))
        elif awaits and "?" in statement:
            findings.append(Finding(source.path, source.line_at(start + awaits[0]), "a ternary around co_await"))
        start = match.end()
    return findings


def _lambdas(source: Source) -> list[Finding]:
    """A lambda that captures must not be a coroutine: its frame outlives the closure it points to."""
    findings = []
    code = source.code
    for match in re.finditer(r"\[", code):
        if not _begins_lambda(code, match.start()):
            continue
        end = _closing(code, match.start())
        if end is None or not code[match.start() + 1:end].strip():
            continue
        body = _body(code, end + 1)
        if body and _awaits_itself(code[body[0] + 1:body[1]]):
            findings.append(Finding(source.path, source.line_at(match.start()),
                                    "a capturing lambda is a coroutine: pass what it needs as arguments"))
    return findings


def _begins_lambda(code: str, at: int) -> bool:
    """Tells a capture list from a subscript, an attribute and an array's size."""
    if code[at + 1:at + 2] == "[" or code[at - 1:at] == "[":
        return False
    before = code[:at].rstrip()
    word = re.search(r"\w+$", before)
    if word:
        return word.group(0) in ("return", "co_return", "co_await", "co_yield", "case", "else")
    return not before.endswith(("]", ")", '"'))


def _closing(code: str, at: int) -> int | None:
    """Where the bracket that opens at `at` closes."""
    opener, closer = code[at], _CLOSERS[code[at]]
    depth = 0
    for index in range(at, len(code)):
        if code[index] == opener:
            depth += 1
        elif code[index] == closer:
            depth -= 1
            if depth == 0:
                return index
    return None


def _body(code: str, at: int) -> tuple[int, int] | None:
    """The braces of the lambda whose capture list ends before `at`."""
    index = at
    while index < len(code):
        character = code[index]
        if character in "(<":
            # `->` and `>` of a return type do not open anything.
            end = _closing(code, index)
            if end is None:
                return None
            index = end + 1
        elif character == "{":
            end = _closing(code, index)
            return (index, end) if end is not None else None
        elif character in ";,)]}":
            return None
        else:
            index += 1
    return None


def _awaits_itself(body: str) -> bool:
    """True exactly when the body awaits outside of lambdas nested in it."""
    for match in re.finditer(r"\[", body):
        if not _begins_lambda(body, match.start()):
            continue
        end = _closing(body, match.start())
        nested = _body(body, end + 1) if end is not None else None
        if nested:
            inner = body[nested[0]:nested[1]]
            blanked = _AWAITS.sub(lambda found: " " * len(found.group(0)), inner)
            body = body[:nested[0]] + blanked + body[nested[1]:]
    return bool(_AWAITS.search(body))
