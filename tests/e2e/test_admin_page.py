"""The page at `/` of the admin port, in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path



from tests.e2e.helpers import Mesh, TcpServer, read_exactly
from tests.lab import wait_until
from tests.lab.ztunnel import ADMIN_PORT

WAIT_S = 20.0
BROWSER_TIMEOUT_S = 90.0
URL = f"http://127.0.0.1:{ADMIN_PORT}/"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
# Where a person may look at the screenshots afterwards.
REPORTS = Path(__file__).resolve().parents[2] / "build" / "reports"


def browser(mesh: Mesh, home: Path, *options: str, url: str = URL) -> str:
    """Chromium inside the node's network namespace, where the admin port is; gives its standard output."""
    program = shutil.which("chromium")
    assert program, "chromium is not installed"
    command = [
        *mesh.lab.node("node1").ns.enter_command(), program, "--headless", "--no-sandbox", "--disable-gpu",
        "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--disable-quic", "--no-first-run", "--hide-scrollbars", f"--user-data-dir={home}", "--window-size=1360,1700",
        *options, url,
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=BROWSER_TIMEOUT_S, env={**os.environ, "HOME": str(home)}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def text_of(dom: str) -> str:
    """What a reader sees, roughly: markup and style taken out."""
    body = re.sub(r"<style>.*?</style>", "", dom, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))




def test_a_browser_shows_what_is_wrong_first_and_then_what_there_is(mesh: Mesh, tmp_path: Path) -> None:
    mesh.lab.mesh.service("mesh", "nobody", selector={"app": "nobody"}, ports=[(80, 8080)])
    proxy = mesh.proxy_of(mesh.client)
    # A name that would be markup if it were not escaped, and a file that is refused.
    hostile = "<img src=x onerror=document.title='owned'>"
    mesh.lab.mesh.write_raw("broken.yaml", f"apiVersion: v1\nkind: Pod\nmetadata: {{name: \"{hostile}\"}}\nspec: [1]\n")
    wait_until("the broken file to be refused", lambda: "broken.yaml" in proxy.get("/")[1], WAIT_S)
    try:
        with TcpServer(mesh.server_b.listen(8081)), mesh.client.connect(mesh.server_b.ip, 8081) as stream:
            stream.sendall(b"x" * 2000)
            read_exactly(stream, 2000)
            dom = browser(mesh, tmp_path, "--dump-dom")
            shot = tmp_path / "page.png"
            browser(mesh, tmp_path, f"--screenshot={shot}")
        seen = text_of(dom)
        assert "<img" not in dom and "owned" not in re.search("<title>(.*?)</title>", dom)[1]
        assert seen.index("Wrong right now") < seen.index("Live connections")
        assert "Changed files are refused" in seen and "broken.yaml" in seen
        for part in (
            "mesh/server-b", "spiffe://cluster.local/ns/mesh/sa/client", "2000 B", "server.mesh.svc.cluster.local",
            "captured", "available", "expires in 23 h", "2 of 2 healthy",
        ):  # fmt: skip
            assert part in seen, part
        assert "<script" not in dom and not re.search(r"(?:src|href)=\"(?:https?:)?//", dom)
        assert shot.read_bytes().startswith(PNG_MAGIC)
        REPORTS.mkdir(parents=True, exist_ok=True)
        shutil.copy(shot, REPORTS / f"admin-page-{mesh.backend}.png")
    finally:
        (mesh.lab.mesh.path / "broken.yaml").unlink()
        wait_until("the mesh to be good again", lambda: "broken.yaml" not in proxy.get("/")[1], WAIT_S)


def test_the_filter_and_the_pages_work_without_script(mesh: Mesh, tmp_path: Path) -> None:
    proxy = mesh.proxy_of(mesh.client)
    documents = [mesh.lab.mesh.make_pod("many", f"pod-{i:04}", node="node9") for i in range(250)]
    import yaml

    for document in documents:
        number = documents.index(document)
        document["status"] = {**document.get("status", {}), "podIP": f"10.99.{number // 200}.{number % 200 + 1}",
                              "podIPs": [{"ip": f"10.99.{number // 200}.{number % 200 + 1}"}]}  # fmt: skip
    mesh.lab.mesh.write_raw("many.yaml", yaml.safe_dump_all(documents))
    try:
        wait_until("the many pods", lambda: "of 25" in proxy.get("/")[1], WAIT_S)
        dom = browser(mesh, tmp_path, "--dump-dom", url=f"{URL}?q=many&workloads=1")
        assert "101 to 200 of 250 that fit the filter" in dom
        assert "pod-0100" in dom and "pod-0099" not in dom
        assert "q=many&amp;workloads=2&amp;services=0#workloads" in dom
        assert text_of(dom).count("pod-0") == 100
    finally:
        (mesh.lab.mesh.path / "many.yaml").unlink()
        wait_until("the many pods to go", lambda: "of 25" not in proxy.get("/")[1], WAIT_S)
