"""Programs that know nothing of the mesh, through it and across nodes: curl and nginx, redis, PostgreSQL, ssh, iperf3."""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.helpers import Mesh, wait_captured
from tests.lab import Iperf3Server, LabError, Pod, Process, wait_until
from tests.lab.apps import wait_for_port

REDIS_PORT = 6379
POSTGRES_PORT = 5432
SSH_PORT = 2222
PROGRAM_TIMEOUT_S = 240.0
DOWNLOAD_BYTES = 128 << 20
FULL_DOWNLOAD_BYTES = 1 << 30


def random_file(path: Path, size: int) -> str:
    """Writes random bytes and returns their digest."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(size >> 20):
            block = secrets.token_bytes(1 << 20)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- HTTP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [DOWNLOAD_BYTES, pytest.param(FULL_DOWNLOAD_BYTES, marks=pytest.mark.full)], ids=["128MiB", "1GiB"]
)
def test_a_large_download_arrives_whole(mesh: Mesh, size: int) -> None:
    expected = random_file(mesh.http_b.files / "large", size)
    target = mesh.lab.work_dir / "downloaded"
    mesh.client.curl(f"http://{mesh.server_b.ip}:8080/files/large", "-o", str(target), timeout=PROGRAM_TIMEOUT_S)
    assert digest_of(target) == expected
    target.unlink()


@pytest.mark.parametrize("how", [[], ["-H", "Transfer-Encoding: chunked"]], ids=["plain", "chunked"])
def test_an_upload_arrives_whole(mesh: Mesh, how: list[str]) -> None:
    source = mesh.lab.work_dir / "to-upload"
    expected = random_file(source, 16 << 20)
    url = f"http://{mesh.server_b.ip}:8080/put/uploaded"
    mesh.client.curl(url, "-T", str(source), *how, timeout=PROGRAM_TIMEOUT_S)
    assert digest_of(mesh.http_b.files / "uploaded") == expected


@pytest.mark.parametrize("reverse", [False, True], ids=["to the server", "from the server"])
def test_iperf3_moves_bytes_in_both_directions(mesh: Mesh, reverse: bool) -> None:
    server = Iperf3Server(mesh.lab, mesh.server_b)
    try:
        assert server.measure(mesh.client, seconds=2, streams=4, reverse=reverse) > 0
    finally:
        server.stop()


# --- redis -----------------------------------------------------------------------------------------


@pytest.fixture
def redis(mesh: Mesh) -> Iterator[str]:
    folder = mesh.lab.work_dir / "redis"
    folder.mkdir(exist_ok=True)
    command = ["redis-server", "--port", str(REDIS_PORT), "--bind", "0.0.0.0", "--protected-mode", "no",
               "--save", "", "--dir", str(folder)]  # fmt: skip
    server = mesh.lab.spawn("redis", mesh.server_b, command)
    wait_for_port(mesh.server_b, REDIS_PORT, server)
    yield mesh.server_b.ip
    server.stop()


@pytest.mark.parametrize("pipeline", [1, 32])
def test_redis_benchmark_runs_and_what_was_written_is_read_again(mesh: Mesh, redis: str, pipeline: int) -> None:
    done = mesh.client.run(
        ["redis-benchmark", "-h", redis, "-q", "-n", "20000", "-c", "20", "-P", str(pipeline), "-t", "set,get,lpush"],
        timeout=PROGRAM_TIMEOUT_S,
    )
    assert done.stdout.count("requests per second") == 3, done.stdout
    value = secrets.token_hex(5000)
    mesh.client.run(["redis-cli", "-h", redis, "set", "key", value])
    assert mesh.client.run(["redis-cli", "-h", redis, "get", "key"]).stdout.strip() == value


# --- PostgreSQL ------------------------------------------------------------------------------------


def postgres_program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    assert found, f"{name} of Debian's postgresql is missing"
    return str(found[-1])


@pytest.fixture
def postgres(mesh: Mesh) -> Iterator[str]:
    # The server refuses to run as root, and its user must reach the folder through every parent.
    user = pwd.getpwnam("postgres")
    folder = Path(f"/tmp/{mesh.lab.prefix}-postgres")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    os.chown(folder, user.pw_uid, user.pw_gid)
    drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
    data = str(folder / "data")
    subprocess.run(
        [*drop, postgres_program("initdb"), "-D", data, "-A", "trust", "--no-sync"],
        check=True, capture_output=True, cwd="/",
    )  # fmt: skip
    with open(f"{data}/pg_hba.conf", "a") as rules:
        rules.write("host all all 0.0.0.0/0 trust\n")
    command = [*drop, postgres_program("postgres"), "-D", data, "-p", str(POSTGRES_PORT), "-h", "0.0.0.0",
               "-k", str(folder), "-c", "fsync=off"]  # fmt: skip
    server = mesh.lab.spawn("postgres", mesh.server_b, command, cwd=folder)
    try:
        wait_for_port(mesh.server_b, POSTGRES_PORT, server)
        yield mesh.server_b.ip
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_pgbench_runs_without_a_failed_transaction(mesh: Mesh, postgres: str) -> None:
    pgbench = [postgres_program("pgbench"), "-h", postgres, "-p", str(POSTGRES_PORT), "-U", "postgres"]
    mesh.client.run([*pgbench, "-i", "-s", "1", "-q", "postgres"], timeout=PROGRAM_TIMEOUT_S)
    done = mesh.client.run([*pgbench, "-c", "8", "-t", "50", "postgres"], timeout=PROGRAM_TIMEOUT_S)
    assert "number of transactions actually processed: 400/400" in done.stdout, done.stdout
    assert "number of failed transactions: 0" in done.stdout, done.stdout


# --- ssh -------------------------------------------------------------------------------------------


class Sshd:
    """An sshd with keys and configuration of its own."""

    def __init__(self, mesh: Mesh, pod: Pod, port: int = SSH_PORT) -> None:
        self.folder = mesh.lab.work_dir / f"ssh-{pod.ns.name}"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.port = port
        for name in ("host", "user"):
            key = self.folder / name
            if not key.exists():
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        shutil.copy(self.folder / "user.pub", self.folder / "authorized_keys")
        Path("/run/sshd").mkdir(exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text(
            f"Port {port}\nHostKey {self.folder}/host\nAuthorizedKeysFile {self.folder}/authorized_keys\n"
            f"PidFile {self.folder}/pid\nPermitRootLogin yes\nStrictModes no\nUsePAM no\n"
            "Subsystem sftp internal-sftp\n"
        )
        self.process: Process = mesh.lab.spawn(
            f"sshd-{pod.ns.name}", pod, ["/usr/sbin/sshd", "-D", "-e", "-f", str(config)]
        )
        wait_for_port(pod, port, self.process)

    def command(self, address: str, *remote: str) -> list[str]:
        options = ["-i", str(self.folder / "user"), "-p", str(self.port), "-F", "/dev/null",
                   "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                   "-o", "BatchMode=yes"]  # fmt: skip
        return ["ssh", *options, f"root@{address}", *remote]


class SshSession:
    """A shell that stays open; say() types a line and waits for its echo."""

    def __init__(self, client: Pod, command: list[str]) -> None:
        self._process = subprocess.Popen(
            [*client.ns.enter_command(), *command, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def say(self, line: str) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().rstrip("\n")

    def close(self) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        return self._process.wait(30)


def test_ssh_works_interactively_and_copies_a_file_whole(mesh: Mesh) -> None:
    server = Sshd(mesh, mesh.server_b)
    try:
        session = SshSession(mesh.client, server.command(mesh.server_b.ip))
        assert [session.say(word) for word in ("one", "two", "three")] == ["one", "two", "three"]
        assert session.close() == 0
        expected = random_file(server.folder / "file", 16 << 20)
        target = mesh.lab.work_dir / "copied"
        copy = f"{' '.join(server.command(mesh.server_b.ip, 'cat', str(server.folder / 'file')))} > {target}"
        mesh.client.run(["sh", "-c", copy], timeout=PROGRAM_TIMEOUT_S)
        assert digest_of(target) == expected
    finally:
        server.process.stop()


# On one backend: most of it is waiting for the capture to go, which knows nothing of backends, and
# test_lifecycle.py has long connections through joining and leaving on both.
@pytest.mark.parametrize("backend", ["uring"], indirect=True)
def test_ssh_sessions_live_across_enrolment_and_release_of_their_pods(mesh: Mesh) -> None:
    lab = mesh.lab
    lab.mesh.namespace("late")
    client = lab.add_pod("late", "client", node="node1", service_account="client")
    server = lab.add_pod("late", "server", node="node2", service_account="server")
    sshd = Sshd(mesh, server)
    try:
        before = SshSession(client, sshd.command(server.ip))
        assert before.say("before the mesh") == "before the mesh"
        lab.mesh.enrol("late")
        wait_captured(client, server)
        during = SshSession(client, sshd.command(server.ip))
        assert during.say("in the mesh") == "in the mesh"
        assert before.say("still here") == "still here"
        lab.mesh.release("late")
        wait_until("the pods to be released", lambda: not client.is_captured() and not server.is_captured(), 20.0)
        for session in (before, during):
            assert session.say("after the mesh") == "after the mesh"
        # Longer than the moments after which a released pod's listeners close.
        deadline = time.monotonic() + 11
        while time.monotonic() < deadline:
            assert during.say("tick") == "tick"
            time.sleep(1)
        assert before.close() == 0
        assert during.close() == 0
        wait_until("the last rule to go", lambda: "AQUIFER" not in client.iptables_save(), 20.0)
    finally:
        sshd.process.stop()


# --- many connections ------------------------------------------------------------------------------


def test_a_thousand_connections_at_once_are_all_served_by_a_few_tunnels(mesh: Mesh) -> None:
    streams: list[socket.socket] = []
    try:
        for _ in range(1000):
            streams.append(mesh.client.connect(mesh.server_b.ip, 8080, timeout=30))
        for stream in streams:
            stream.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        for stream in streams:
            assert stream.recv(4096).startswith(b"HTTP/1.1 200")
        tunnels = [line for line in mesh.client.sockets() if line.state == "ESTAB" and line.peer.endswith(":15008")]
        assert 10 <= len(tunnels) <= 11, f"{len(tunnels)} tunnels for 1000 streams at 100 a tunnel"
    finally:
        for stream in streams:
            stream.close()


def test_everything_comes_to_rest_after_all_of_this(mesh: Mesh) -> None:
    try:
        mesh.settles()
    except LabError as error:
        raise AssertionError(str(error)) from error
