"""Real servers for pods: nginx and iperf3, ready when the constructor returns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.pods import Pod
from tests.lab.process import Process
from tests.lab.shell import LabError, wait_until

if TYPE_CHECKING:
    from tests.lab.topology import Lab

START_TIMEOUT_S = 30.0
# What iperf3 needs beyond the time it measures.
IPERF3_SLACK_S = 20.0

_NGINX = """\
daemon off;
user root;
worker_processes 1;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 16384; }}
http {{
  default_type text/plain;
  access_log {access_log};
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 0;
  keepalive_requests 10000000;
  sendfile on;
  server {{
    listen {port} reuseport backlog=4096;
    listen [::]:{port} reuseport backlog=4096 ipv6only=on;
    location / {{ return 200 "hello from {name}, you are $remote_addr\\n"; }}
    location /files/ {{ alias {folder}/files/; }}
    location /put/ {{ dav_methods PUT; alias {folder}/files/; create_full_put_path on; }}
  }}
}}
"""


class HttpServer:
    """nginx in a pod.

    `/` names the pod and the address it saw, /files/NAME is a file of `files`, and PUT /put/NAME adds one.
    """

    def __init__(self, lab: Lab, pod: Pod, port: int = 8080, *, log_requests: bool = True) -> None:
        self.pod, self.port = pod, port
        self.folder = lab.work_dir / f"nginx-{pod.ns.name}-{port}"
        self.files = self.folder / "files"
        self.files.mkdir(parents=True, exist_ok=True)
        config = self.folder / "nginx.conf"
        config.write_text(_nginx_config(self.folder, port, pod.key.split("/")[1], log_requests))
        command = ["/usr/sbin/nginx", "-c", str(config), "-p", str(self.folder), "-e", str(self.folder / "error.log")]
        self.process: Process = lab.spawn(f"nginx-{pod.ns.name}", pod, command)
        wait_for_port(pod, port, self.process)

    def requests_seen(self) -> list[str]:
        """Lines of nginx's own access log."""
        log = self.folder / "access.log"
        return log.read_text().splitlines() if log.exists() else []

    def stop(self) -> None:
        self.process.stop()


class Iperf3Server:
    """iperf3 -s in a pod."""

    def __init__(self, lab: Lab, pod: Pod, port: int = 5201) -> None:
        self.pod, self.port = pod, port
        self.process: Process = lab.spawn(f"iperf3-{pod.ns.name}", pod, ["iperf3", "-s", "-p", str(port)])
        wait_for_port(pod, port, self.process)

    def measure(
        self, client: Pod, *, seconds: int = 5, streams: int = 1, reverse: bool = False, address: str | None = None
    ) -> float:
        """Gbit/s that arrived, client to server, or server to client when reversed."""
        command = ["iperf3", "-c", address or self.pod.ip, "-p", str(self.port), "-J",
                   "-t", str(seconds), "-P", str(streams), *(["-R"] if reverse else [])]  # fmt: skip
        done = client.run(command, check=False, timeout=seconds + IPERF3_SLACK_S)
        report: dict[str, Any] = json.loads(done.stdout or "{}")
        if done.returncode != 0 or "error" in report:
            raise LabError(f"iperf3: {report.get('error') or done.stderr}")
        return float(report["end"]["sum_received"]["bits_per_second"]) / 1e9

    def stop(self) -> None:
        self.process.stop()


def wait_for_port(pod: Pod, port: int, process: Process) -> None:
    """Until something listens on the port inside the pod, without connecting to it."""

    def listens() -> bool:
        process.require_alive()
        return any(line.state == "LISTEN" and line.local.endswith(f":{port}") for line in pod.sockets())

    wait_until(f"{process.name} to listen on {port}", listens, START_TIMEOUT_S)


def _nginx_config(folder: Path, port: int, name: str, log_requests: bool) -> str:
    access_log = folder / "access.log" if log_requests else "off"
    return _NGINX.format(folder=folder, port=port, name=name, access_log=access_log)
