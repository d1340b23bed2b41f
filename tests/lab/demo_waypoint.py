"""The demo's chapters on the waypoint: requests that are shared out, failed, saved, copied and refused, each with its proof."""

from __future__ import annotations

import secrets
import subprocess
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.lab.apps import HttpServer
from tests.lab.demo_report import Report
from tests.lab.mesh import Manifest
from tests.lab.pods import Pod
from tests.lab.requestlog import RequestLine, request_lines, wait_request
from tests.lab.shell import LabError, wait_until
from tests.lab.topology import Lab
from tests.lab.waypoint import Waypoint, add_waypoint, http_route, start_waypoint, use_waypoint
from tests.lab.ztunnel import ztunnel_binary

GATEWAY = "shop/waypoint"
SERVICES = ("web", "web-v1", "web-v2")
# Of 200 requests a share of 10 % is between 3 and 20 % but once in some thousand runs; half is between 35 and 65 %.
CANARY_REQUESTS = 200
TEN_PERCENT, HALF = (0.03, 0.20), (0.35, 0.65)
# With one of two endpoints dead, every second request needs its retry: none of 40 would once in 10^12 runs.
RETRY_REQUESTS = 40
URL = "http://web.shop"


def canary(new_percent: int) -> Manifest:
    backends = [{"name": "web-v1", "port": 80, "weight": 100 - new_percent}, {"name": "web-v2", "port": 80, "weight": new_percent}]
    return http_route("shop", "canary", "web", [{"backendRefs": backends}])


@dataclass
class WaypointChapters:
    """They leave the mesh as they found it; `servers` are nginx of web-1 (version v1) and web-2 (v2)."""

    lab: Lab
    report: Report
    client: Pod
    servers: list[HttpServer]

    def play(self) -> None:
        self.waypoint = self._start()
        self.shifts_live()
        self.explained()
        self.mirrored()
        self.fault()
        self.refused()
        self.saved()
        for service in SERVICES:
            use_waypoint(self.lab, "Service", "shop", service, None)
        self.waypoint.stop()

    def _start(self) -> Waypoint:
        self.report.step("kubectl apply: a waypoint for the services of shop")
        pod = add_waypoint(self.lab, "shop", "waypoint", node="node2")
        running = start_waypoint(self.lab, pod, GATEWAY, env={"LOG_FORMAT": "json"})
        for service in SERVICES:
            if service != "web":
                version = {"app": "web", "version": service.removeprefix("web-")}
                self.lab.mesh.service("shop", service, selector=version, ports=[(80, "http")])
            use_waypoint(self.lab, "Service", "shop", service, GATEWAY)
        self.lab.mesh.apply(canary(10))

        def passes() -> bool:
            mark = running.log_mark()
            return self._who(5)[0] == 5 and any(line["route_name"] != "default" for line in request_lines(running, mark))

        wait_until("requests to pass the waypoint", passes)
        return running

    # --- chapters ------------------------------------------------------------------------------

    def shifts_live(self) -> None:
        self.report.step("An HTTPRoute sends 10 % of web to the new version, then half of it")
        _, before = self._who(CANARY_REQUESTS)
        outcome: list[tuple[int, float]] = []
        load = threading.Thread(target=lambda: outcome.append(self._who(CANARY_REQUESTS)))
        load.start()
        self.lab.mesh.apply(canary(50))
        load.join()
        wait_until("half of the requests to go to the new version", lambda: self._who(40)[1] >= HALF[0])
        _, after = self._who(CANARY_REQUESTS)
        self.report.claim(
            "A canary of 90/10 gets its share",
            f"web-2 answered {before:.0%} of {CANARY_REQUESTS} requests",
            TEN_PERCENT[0] <= before <= TEN_PERCENT[1],
        )
        answered = outcome[0][0] if outcome else 0
        self.report.claim(
            "It shifts live, and no request is lost",
            f"{answered} of {CANARY_REQUESTS} requests during the change were answered; then web-2 had {after:.0%}",
            answered == CANARY_REQUESTS and HALF[0] <= after <= HALF[1],
        )

    def explained(self) -> None:
        arguments = ["--from", self.client.key, "--to", "web.shop:80", "--method", "GET", "--path", "/"]
        self.report.step(f"ztunnel explain --mesh DIRECTORY {' '.join(arguments)}")
        command = [str(ztunnel_binary()), "explain", "--mesh", str(self.lab.mesh.path), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        self.report.show(done.stdout or done.stderr)
        mark = self.waypoint.log_mark()
        self._curl("/")
        line = wait_request(self.waypoint, mark)
        route = str(line["route_name"])
        named = [text.strip() for text in done.stdout.splitlines() if "HTTPRoute shop/canary" in text]
        self.report.claim(
            "explain names the route that the waypoint takes",
            f"explain: {named[0] if named else 'no route'}; the waypoint's log: route {route}",
            done.returncode == 0 and bool(named) and "canary" in route,
        )

    def mirrored(self) -> None:
        self.report.step("A copy of each request goes to the new version, which nobody waits for")
        mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "web-v2", "port": 80}}}
        rule = {"filters": [mirror], "backendRefs": [{"name": "web-v1", "port": 80}]}
        self.lab.mesh.apply(http_route("shop", "canary", "web", [rule]))
        wait_until("only the old version to answer", lambda: self._who(20)[1] == 0)
        path = f"/mirrored-{secrets.token_hex(4)}"
        body = self._curl(path).stdout.strip()
        second = self.servers[1]
        try:
            wait_until("the copy to arrive", lambda: any(path in line for line in second.requests_seen()))
            copied = next(line for line in second.requests_seen() if path in line)
        except LabError:
            copied = ""
        self.report.show(f"{body}\n{copied}")
        self.report.claim(
            "A mirrored request reaches both versions",
            f"the client heard: {body}; nginx of web-2 logged GET {path}: {'yes' if copied else 'no'}",
            body.startswith("hello from web-1") and bool(copied),
        )
        self.lab.mesh.delete("HTTPRoute", "shop", "canary")

    def fault(self) -> None:
        self.report.step("A VirtualService lets every request of /fragile fail")
        abort = {"abort": {"httpStatus": 418, "percentage": {"value": 100}}}
        spec = {"hosts": ["web"], "http": [
            {"name": "fragile", "match": [{"uri": {"prefix": "/fragile"}}], "fault": abort,
             "route": [{"destination": {"host": "web"}}]},
            {"name": "rest", "route": [{"destination": {"host": "web"}}]},
        ]}  # fmt: skip
        self._apply("networking.istio.io/v1", "VirtualService", "fragile", spec)
        wait_until("the fault to be injected", lambda: self._status("/fragile") == 418)
        line = self._last_line("/fragile")
        other = self._status("/sound")
        self.report.claim(
            "A fault is injected where it was asked for",
            f"/fragile: {line['response_code']} with flag {line['response_flags']} ({line['response_code_details']}); "
            f"/sound: {other}",
            line["response_flags"] == "FI" and other == 200,
        )
        self.lab.mesh.delete("VirtualService", "shop", "fragile")

    def refused(self) -> None:
        self.report.step("An AuthorizationPolicy refuses /admin, whoever asks")
        spec = {
            "targetRefs": [{"group": "", "kind": "Service", "name": "web"}],
            "action": "DENY",
            "rules": [{"to": [{"operation": {"paths": ["/admin*"]}}]}],
        }
        self._apply("security.istio.io/v1", "AuthorizationPolicy", "no-admin", spec)
        wait_until("the policy to be in force", lambda: self._status("/admin/users") == 403)
        line = self._last_line("/admin/users")
        self.report.claim(
            "A request is refused by its path, and the log says by which policy",
            f"403; {line.get('policy_refusal')}; /shop: {self._status('/shop')}",
            "shop/no-admin" in str(line.get("policy_refusal")) and self._status("/shop") == 200,
        )
        self.lab.mesh.delete("AuthorizationPolicy", "shop", "no-admin")

    def saved(self) -> None:
        self.report.step("The application of web-2 is killed")
        second = self.servers[1]
        second.process.kill()
        mark = self.waypoint.log_mark()
        answered, _ = self._who(RETRY_REQUESTS)
        try:
            retried = wait_request(self.waypoint, mark, where=lambda line: int(line.get("upstream_tries", 1)) > 1)
        except LabError:
            retried = {}
        self.servers[1] = HttpServer(self.lab, second.pod, second.port)
        self.report.claim(
            "A retry saves a request from an endpoint that died",
            f"{answered} of {RETRY_REQUESTS} were answered; of one the log says: {retried.get('upstream_tries', 1)} "
            f"tries, {retried.get('response_code')} by {retried.get('upstream_host')}",
            answered == RETRY_REQUESTS and retried.get("response_code") == 200,
        )

    # --- tools ---------------------------------------------------------------------------------

    def _apply(self, version: str, kind: str, name: str, spec: dict[str, Any]) -> None:
        self.lab.mesh.apply(
            {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": spec}
        )

    def _who(self, count: int) -> tuple[int, float]:
        """Asks so many times; how many were answered, and the share of web-2 in them."""
        url = f"{URL}/[1-{count}]"
        done = self.client.run(["curl", "-sS", "--fail", "--max-time", "20", url], check=False, timeout=60)
        seen = Counter(line.split(",")[0].removeprefix("hello from ") for line in done.stdout.splitlines())
        answered = seen["web-1"] + seen["web-2"]
        return answered, seen["web-2"] / answered if answered else 0.0

    def _curl(self, path: str) -> subprocess.CompletedProcess[str]:
        return self.client.run(["curl", "-sS", "--max-time", "10", URL + path], check=False)

    def _status(self, path: str) -> int:
        command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "10", URL + path]
        return int(self.client.run(command, check=False).stdout or "0")

    def _last_line(self, path: str) -> RequestLine:
        wait_request(self.waypoint, path=path)
        line = [line for line in request_lines(self.waypoint) if line["path"] == path][-1]
        self.report.show(f"{line['method']} {line['path']} {line['response_code']} {line['response_flags']} "
                         f"{line['response_code_details']} {line.get('policy_refusal', '')}")  # fmt: skip
        return line
