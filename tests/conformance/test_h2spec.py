"""The tunnel's HTTP/2 framing against h2spec, a public suite of what RFC 9113 and RFC 7541 demand."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conformance.tls_front import TlsFront
from tests.e2e.hbone_peer import HBONE_PORT
from tests.e2e.helpers import APP_PORT, Mesh
from tests.e2e.peer_certs import Mint

# What h2spec v2.2.1 holds; fewer mean that it ended early.
CASES = 146
# How long a case waits for the answer it wants: a case that passes seldom waits.
CASE_TIMEOUT_S = 5
RUN_TIMEOUT_S = 240.0
# Characters that no XML document may hold.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
EXCEPTIONS_FILE = Path(__file__).with_name("h2spec_exceptions.txt")


@dataclass(frozen=True)
class Case:
    """One case of h2spec's report: `name` as h2spec's own section and sentence, `verdict` of three words."""

    name: str
    verdict: str
    detail: str


def read_exceptions() -> set[tuple[str, str]]:
    """VERDICT and NAME of each case that is known not to pass; reasons are the file's comments."""
    lines = (line.strip() for line in EXCEPTIONS_FILE.read_text().splitlines())
    split = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return {(verdict, name) for verdict, _, name in split}


def read_report(path: Path) -> list[Case]:
    """h2spec prints bytes of frames into its report which XML does not allow: they are left out."""
    text = _NOT_XML.sub("?", path.read_text(errors="replace"))
    return [_case(element) for element in ElementTree.fromstring(text.encode()).iter("testcase")]


def _case(element: ElementTree.Element) -> Case:
    name = f"{element.get('package')}: {element.get('classname')}"
    for verdict in ("failure", "error", "skipped"):
        found = element.find(verdict)
        if found is not None:
            return Case(name, "skipped" if verdict == "skipped" else "failed", "".join(found.itertext()))
    return Case(name, "passed", "")


@dataclass(frozen=True)
class Run:
    """One start of h2spec: its cases, and how it and the front in between are set."""

    cases: tuple[str, ...]
    options: tuple[str, ...] = ()
    drop_ack: bool = False


# We announce an HPACK table of no bytes. h2spec acknowledges that and uses 4096 bytes all the same, for which
# RFC 9113 (4.3.1) wants the connection ended: most cases would see only that. It is run as what it acts like.
EVERYTHING = Run((), drop_ack=True)
# The case that asks for a larger table than we announced means something only after the acknowledgement.
LARGER_TABLE = Run(("hpack/6.3/1",))
# We allow frames of 1 MiB: h2spec's usual headers are no frame that is too large.
LARGE_HEADERS = Run(("http2/4.2/3",), ("--max-header-length", "300000"))


def test_every_case_of_h2spec_passes_but_the_listed_ones(mesh: Mesh) -> None:
    if shutil.which("h2spec") is None:
        pytest.skip("h2spec could not be had")
    found = {case.name: case for case in run_h2spec(mesh, EVERYTHING)}
    assert len(found) == CASES
    for special in (LARGER_TABLE, LARGE_HEADERS):
        (case,) = run_h2spec(mesh, special)
        assert case.name in found
        found[case.name] = case
    bad = [case for case in found.values() if case.verdict != "passed"]
    details = "\n".join(f"{case.verdict} {case.name}\n{case.detail}" for case in bad)
    assert {(case.verdict, case.name) for case in bad} == read_exceptions(), details
    # After all that abuse others are served, and nothing is held for those that are gone.
    assert "hello from server-b" in mesh.client.curl(f"http://{mesh.server_b.ip}:{APP_PORT}/")
    mesh.check_alive()
    mesh.settles()


def run_h2spec(mesh: Mesh, run: Run) -> list[Case]:
    """The cases that ran, from a pod of another node."""
    peer = Mint(mesh.lab.ca_dir, mesh.lab.work_dir / "h2spec").leaf("spiffe://cluster.local/ns/outside/sa/outside")
    report = mesh.lab.work_dir / "h2spec.xml"
    target = (mesh.server_b.ip, HBONE_PORT)
    with TlsFront(mesh.outside, peer.client_context(), target, drop_ack=run.drop_ack) as front:
        where = ["-h", "127.0.0.1", "-p", str(front.port), "-o", str(CASE_TIMEOUT_S), "-j", str(report)]
        command = ["h2spec", "--strict", *where, *run.options, *run.cases]
        ended = mesh.outside.run(command, check=False, timeout=RUN_TIMEOUT_S)
    assert not front.failures
    cases = read_report(report)
    assert cases, ended.stdout + ended.stderr
    # h2spec lists the cases beside the wanted one too, as skipped.
    return [case for case in cases if case.verdict != "skipped"] if run.cases else cases
