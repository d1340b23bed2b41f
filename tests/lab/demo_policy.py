"""The demo's chapters on policies: refused live, named in the log, and explained."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from dataclasses import dataclass

from tests.lab.accesslog import AccessLine
from tests.lab.demo_report import Report
from tests.lab.mesh import Manifest
from tests.lab.pods import Pod
from tests.lab.shell import LabError, wait_until
from tests.lab.topology import Lab
from tests.lab.ztunnel import ztunnel_binary

# A busy machine may take the processor away for longer than a change takes; the claim is that it works live.
LIVE_LIMIT_S = 5.0
CURL_SECONDS = 3
POLICY_CHANGE = "connection closed due to policy change"


def _policy(name: str, **spec: Any) -> Manifest:
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec},
    }


def _allow(*accounts: str) -> Manifest:
    principals = [f"cluster.local/ns/shop/sa/{account}" for account in accounts]
    return _policy("web-callers", rules=[{"from": [{"source": {"principals": principals}}]}])


NO_STRANGERS = _policy("no-strangers", action="DENY", rules=[{"from": [{"source": {"notPrincipals": ["*"]}}]}])


@dataclass
class PolicyChapters:
    """They leave the mesh as they found it."""

    lab: Lab
    report: Report
    client: Pod
    visitor: Pod
    server: Pod
    port: int

    def play(self) -> None:
        with self.client.connect(self.server.ip, self.port) as early:
            self.denied(early)
        self.explained()
        self.allowed_again()

    def denied(self, early: socket.socket) -> None:
        self.report.step("kubectl apply: only shop/frontend may call web, and nobody without an identity")
        # The connection is in the mesh and idle: what happens to it is the policy's doing.
        early.sendall(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        wait_until("an answer on the connection that stays open", lambda: bool(early.recv(1)))
        proxy = self.lab.node(self.server.node).proxy
        mark = proxy.log_mark()
        start = time.monotonic()
        # The one that cuts the client off comes last: then the other is in force, too.
        for policy in (NO_STRANGERS, _allow("frontend")):
            self.lab.mesh.apply(policy)
        cut = self._ends(early)
        took = time.monotonic() - start
        closed = proxy.wait_access(mark, error=POLICY_CHANGE)
        self.report.show(_shown(closed))
        self.report.claim(
            "A policy applied live ends an open connection that it forbids",
            f"the client's connection ended {took * 1000:.0f} ms after the policies were written; the log says: "
            f"{closed['error']}",
            cut and took < LIVE_LIMIT_S,
        )
        mark = proxy.log_mark()
        refused = self._curl(self.visitor)
        line = proxy.wait_access(mark, direction="inbound", src_workload="visitor")
        self.report.show(f"{refused.stderr.strip()}\n{_shown(line)}")
        self.report.claim(
            "The log of a denial names the policy",
            f"curl of the visitor ended with {refused.returncode}; the log says: {line['error']}",
            refused.returncode != 0 and "shop/no-strangers" in line["error"],
        )

    def explained(self) -> None:
        arguments = ["--from", self.client.key, "--to", f"{self.server.ip}:{self.port}"]
        self.report.step(f"ztunnel explain --mesh DIRECTORY {' '.join(arguments)}")
        proxy = self.lab.node(self.server.node).proxy
        mark = proxy.log_mark()
        refused = self._curl(self.client)
        line = proxy.wait_access(mark, direction="inbound", src_workload="client")
        self.report.show(self._explain(*arguments))
        answer = json.loads(self._explain(*arguments, "--json"))
        [endpoint] = answer["connections"][0]["endpoints"]
        inbound = endpoint["inbound"]
        self.report.claim(
            "explain says of a connection what the data path does",
            f"curl of the client ended with {refused.returncode}; log: {line['error']}; explain: {inbound['reason']}",
            refused.returncode != 0 and inbound["verdict"] == "denied" and inbound["reason"] == line["error"],
        )
        miss = "would pass if the principal were cluster.local/ns/shop/sa/frontend"
        self.report.claim("It names the nearest miss", inbound.get("nearestMiss", "none"),
                          inbound.get("nearestMiss") == miss)  # fmt: skip

    def allowed_again(self) -> None:
        self.report.step("kubectl apply: shop/client may call web, too")
        self.lab.mesh.apply(_allow("frontend", "client"))
        start = time.monotonic()
        try:
            wait_until("the client to be served", lambda: self._curl(self.client).returncode == 0, LIVE_LIMIT_S)
            served = True
        except LabError:
            served = False
        took = time.monotonic() - start
        self.report.claim("What is then allowed works at once", f"served {took * 1000:.0f} ms later", served)
        for policy in (_allow(), NO_STRANGERS):
            self.lab.mesh.delete("AuthorizationPolicy", "shop", policy["metadata"]["name"])
        wait_until("the visitor to be served again", lambda: self._curl(self.visitor).returncode == 0)

    def _curl(self, pod: Pod) -> subprocess.CompletedProcess[str]:
        url = f"http://{self.server.ip}:{self.port}/"
        return pod.run(["curl", "-sS", "--fail", "--max-time", str(CURL_SECONDS), url], check=False)

    def _explain(self, *arguments: str) -> str:
        command = [str(ztunnel_binary()), "explain", "--mesh", str(self.lab.mesh.path), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise LabError(f"ztunnel explain ended with {done.returncode}: {done.stderr}")
        return done.stdout

    @staticmethod
    def _ends(stream: socket.socket) -> bool:
        """Reads until the other side has ended the connection."""
        stream.settimeout(LIVE_LIMIT_S)
        try:
            while stream.recv(1 << 16):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True


def _shown(line: AccessLine) -> str:
    return line.raw.replace("\t", " ")
