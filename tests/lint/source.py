"""The files of the repository, and C++ text with its comments and literals blanked out."""

from __future__ import annotations

import functools
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent.parent

CPP_SUFFIXES = (".cc", ".h")


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Source:
    """One file: its path from the root with forward slashes, and its text."""

    path: str
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @property
    def folder(self) -> str:
        return str(PurePosixPath(self.path).parent)

    @functools.cached_property
    def code(self) -> str:
        return blank_out(self.text)

    def waived(self, line: int, check: str) -> bool:
        """True exactly when `// NOLINT(CHECK): reason` stands on this line or the one above."""
        near = "\n".join(self.lines[max(0, line - 2):line])
        return re.search(rf"//.*NOLINT\({check}\): \S", near) is not None

    def line_at(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1


def repository() -> list[Source]:
    """Every text file that is committed or could be: what .gitignore names is not ours."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout.decode()
    sources = []
    for path in sorted(set(filter(None, listed.split("\0")))):
        file = ROOT / path
        if not file.is_file():
            continue  # deleted, not yet committed
        content = file.read_bytes()
        if b"\0" in content[:4096] or path.startswith("tests/fuzz/corpus/"):
            continue
        sources.append(Source(path, content.decode(errors="replace")))
    return sources


def cpp(sources: list[Source]) -> list[Source]:
    return [source for source in sources if source.path.endswith(CPP_SUFFIXES)]


_LITERAL = re.compile(
    r'//[^\n]*'
    r'|/\*.*?\*/'
    r'|(?:\b(?:u8|u|U|L))?R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'",
    re.DOTALL)


def blank_out(text: str) -> str:
    """The text with comments and literals turned to blanks; offsets and line breaks stay.

    A string keeps its quotes, so that a literal operator or an #include still looks like one.
    """

    def blank(match: re.Match[str]) -> str:
        found = match.group(0)
        blanked = re.sub(r"[^\n]", " ", found)
        if found.startswith("/"):
            return blanked
        return found[0] + blanked[1:-1] + found[-1]

    return _LITERAL.sub(blank, text)
