"""What a waypoint enforces on requests: AuthorizationPolicy with HTTP attributes, and tokens, from manifests to answers."""

from __future__ import annotations

import base64
import datetime
import http.server
import ipaddress
import itertools
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID

from tests.e2e.helpers import Mesh
from tests.lab import Pod, wait_until
from tests.lab.mesh import Manifest
from tests.lab.waypoint import Waypoint, add_waypoint, start_waypoint, use_waypoint
from tests.lab.ztunnel import ztunnel_binary

GATEWAY = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "guarded"}
SERVICE = {"group": "", "kind": "Service", "name": "server-b"}
LOADS = "aquifer_config_loads_total"
ISSUER = "https://issuer.example"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Signs tokens by ES256."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def jwks(self) -> str:
        point = self._key.public_key().public_numbers()
        key = {"kty": "EC", "crv": "P-256", "x": b64(point.x.to_bytes(32, "big")), "y": b64(point.y.to_bytes(32, "big"))}
        return json.dumps({"keys": [key]})

    def token(self, *, issuer: str = ISSUER, lifetime: float = 600, **claims: Any) -> str:
        payload = {"iss": issuer, "sub": "alice", "exp": int(time.time() + lifetime), **claims}
        text = b64(b'{"alg":"ES256"}') + "." + b64(json.dumps(payload).encode())
        r, s = utils.decode_dss_signature(self._key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return text + "." + b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def policy(name: str, action: str, *rules: dict[str, Any], target: dict[str, str] = SERVICE, dry_run: bool = False) -> Manifest:
    metadata: dict[str, Any] = {"name": name, "namespace": "mesh" if target is SERVICE else "infra"}
    if dry_run:
        metadata["annotations"] = {"istio.io/dry-run": "true"}
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": metadata,
        "spec": {"targetRefs": [target], "action": action, "rules": list(rules)},
    }


def authentication(**rule: Any) -> Manifest:
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "RequestAuthentication",
        "metadata": {"name": "tokens", "namespace": "mesh"},
        "spec": {"targetRefs": [SERVICE], "jwtRules": [{"issuer": ISSUER, **rule}]},
    }


@dataclass
class Answer:
    status: int
    head: str
    body: str


@dataclass
class World:
    mesh: Mesh
    waypoint: Waypoint
    vip: str
    tls: tuple[Path, Path]
    issuer: Issuer = field(default_factory=Issuer)
    versions: Iterator[int] = field(default_factory=itertools.count)

    def ask(self, path: str = "/", *options: str, pod: Pod | None = None) -> Answer:
        command = ["curl", "-sS", "-i", "--path-as-is", "--max-time", "10", *options, f"http://{self.vip}:80{path}"]
        text = (pod or self.mesh.client).run(command, timeout=15).stdout
        head, _, body = text.replace("\r\n", "\n").partition("\n\n")
        return Answer(int(head.split()[1]), head.lower(), body)

    def status(self, path: str = "/", *options: str, pod: Pod | None = None) -> int:
        return self.ask(path, *options, pod=pod).status

    def explained(self, path: str, *options: str) -> dict[str, Any]:
        """What `ztunnel explain` says of a GET."""
        mesh = self.mesh.lab.mesh.path
        command = [ztunnel_binary(), "explain", "--json", "--mesh", str(mesh), "--from", "mesh/client", "--to", f"{self.vip}:80"]
        answer = subprocess.run(
            [*command, "--method", "GET", "--path", path, *options], capture_output=True, text=True, timeout=30, check=False
        )
        assert answer.returncode == 0, answer.stderr
        said: dict[str, Any] = json.loads(answer.stdout)
        return said

    def bearer(self, token: str) -> int:
        return self.status("/", "-H", f"authorization: Bearer {token}")

    def apply(self, *manifests: Manifest) -> None:
        """Exactly these from now on; the waypoint has read them when this returns."""
        before = self.waypoint.metrics().total(LOADS)
        text = f"# version {next(self.versions)}\n" + yaml.safe_dump_all(list(manifests))
        self.mesh.lab.mesh.write_raw("guard.yaml", text)
        wait_until("the waypoint to read the policies", lambda: self.waypoint.metrics().total(LOADS) > before)

    def becomes(self, status: int, path: str = "/", *options: str) -> None:
        wait_until(f"{path} to be answered by {status}", lambda: self.status(path, *options) == status)


def logs(waypoint: Waypoint) -> str:
    return waypoint.stdout() + waypoint.stderr()


def certificate(folder: Path, address: str) -> tuple[Path, Path]:
    """A self-signed certificate of a server at an address, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "keys")])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / "keys.pem", folder / "keys.key"
    cert.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return cert, secret


@contextmanager
def key_server(pod: Pod, port: int, body: str, tls: tuple[Path, Path] | None = None) -> Iterator[None]:
    """Answers every GET with `body`, from inside a pod."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = pod.listen(port)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def world(mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    pod = add_waypoint(mesh.lab, "infra", "guarded", node="node2")
    folder = tmp_path_factory.mktemp("keys")
    tls = certificate(folder, mesh.outside.ip)
    running = start_waypoint(
        mesh.lab, pod, "infra/guarded", backend=mesh.backend, env={"SSL_CERT_FILE": str(tls[0])}
    )
    vip = str(mesh.lab.mesh.find("Service", "mesh", "server-b")["spec"]["clusterIP"])
    use_waypoint(mesh.lab, "Service", "mesh", "server-b", "infra/guarded")
    world = World(mesh, running, vip, tls)
    world.apply(policy("probe", "DENY", {"to": [{"operation": {"paths": ["/probe"]}}]}))
    # Only a waypoint that stands between can say so.
    world.becomes(403, "/probe")
    yield world
    running.stop()


def test_requests_are_denied_by_path_and_method_and_the_answer_is_envoys(world: World) -> None:
    world.apply(policy("deny", "DENY", {"to": [{"operation": {"paths": ["/admin*"], "methods": ["GET"]}}]}))
    world.becomes(403, "/admin/x")
    denied = world.ask("/admin/x?q=1")
    assert (denied.status, denied.body) == (403, "RBAC: access denied")
    details = "rbac_access_denied_matched_policy[ns[mesh]-policy[deny]-rule[0]]"
    wait_until("the log to name policy and rule", lambda: details in world.waypoint.stdout())
    said = world.explained("/x/../admin/x")
    assert said["verdict"] == "denied"
    assert "explicitly denied by: mesh/deny rule 0" in json.dumps(said)
    assert "would pass if the method were not GET" in json.dumps(said)
    assert world.explained("/")["verdict"] == "allowed"
    # Another spelling of the same path is the same path.
    for path in ("/x/../admin/x", "/%61dmin/x", "/./admin/x"):
        assert world.status(path) == 403, path
    assert world.status("/") == 200
    assert world.status("/admin/x", "-X", "POST") != 403


def test_only_the_named_principal_may_call_and_policies_of_gateway_and_service_count_alike(world: World) -> None:
    account = world.mesh.lab.mesh.find("Pod", "mesh", "client")["spec"]["serviceAccountName"]
    principal = f"cluster.local/ns/mesh/sa/{account}"
    world.apply(policy("allow", "ALLOW", {"from": [{"source": {"principals": ["cluster.local/ns/mesh/sa/other"]}}]}))
    world.becomes(403)
    world.apply(policy("allow", "ALLOW", {"from": [{"source": {"principals": [principal]}}]}))
    world.becomes(200)
    everybody = {"from": [{"source": {"namespaces": ["mesh"]}}]}
    world.apply(policy("everywhere", "DENY", everybody, target=GATEWAY))
    world.becomes(403)


def test_a_policy_on_trial_denies_nothing(world: World) -> None:
    world.apply(
        policy("trial", "DENY", {}, dry_run=True),
        policy("probe", "DENY", {"to": [{"operation": {"paths": ["/probe"]}}]}),
    )
    world.becomes(403, "/probe")
    assert world.status() == 200
    wait_until("the log to say what would be denied", lambda: "would be denied by mesh/trial" in logs(world.waypoint))


def test_tokens_are_valid_expired_foreign_or_missing(world: World) -> None:
    somebody = {"from": [{"source": {"requestPrincipals": [f"{ISSUER}/*"]}}]}
    world.apply(authentication(jwks=world.issuer.jwks()))
    world.becomes(401, "/", "-H", "authorization: Bearer nonsense")
    assert world.bearer(world.issuer.token()) == 200
    assert world.status() == 200
    expired = world.ask("/", "-H", f"authorization: Bearer {world.issuer.token(lifetime=-120)}")
    assert (expired.status, expired.body) == (401, "Jwt is expired")
    assert 'www-authenticate: bearer realm="http://' in expired.head
    assert 'error="invalid_token"' in expired.head
    assert world.bearer(world.issuer.token(lifetime=-30)) == 200, "within the grace of a minute"
    assert world.bearer(world.issuer.token(issuer="https://other.example")) == 401
    assert world.bearer(Issuer().token()) == 401
    world.apply(authentication(jwks=world.issuer.jwks()), policy("known", "ALLOW", somebody))
    world.becomes(403)
    assert world.bearer(world.issuer.token()) == 200
    assert world.status(f"/?access_token={world.issuer.token()}") == 200


def test_claims_decide(world: World) -> None:
    admins = {"when": [{"key": "request.auth.claims[groups]", "values": ["admin"]}]}
    scoped = {"when": [{"key": "request.auth.claims[scope]", "values": ["write"]}]}
    world.apply(authentication(jwks=world.issuer.jwks()), policy("claims", "ALLOW", admins, scoped))
    world.becomes(403)
    assert world.bearer(world.issuer.token(groups=["dev", "admin"])) == 200
    assert world.bearer(world.issuer.token(groups=["dev"])) == 403
    assert world.bearer(world.issuer.token(scope="read write")) == 200
    assert world.bearer(world.issuer.token(scope="rewrite")) == 403


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_keys_are_fetched_and_until_then_tokens_are_refused(world: World, scheme: str) -> None:
    port = 9443 if scheme == "https" else 9080
    world.apply(authentication(jwksUri=f"{scheme}://{world.mesh.outside.ip}:{port}/keys", timeout="2s"))
    good = world.issuer.token()
    wait_until("tokens to be refused", lambda: world.bearer(good) == 401)
    tls = world.tls if scheme == "https" else None
    with key_server(world.mesh.outside, port, world.issuer.jwks(), tls):
        wait_until("the keys to be fetched", lambda: world.bearer(good) == 200, 30)
    assert world.bearer(Issuer().token()) == 401


def test_a_connection_that_is_not_http_does_not_pass_by_a_policy_about_http(world: World) -> None:
    def answers() -> bool:
        with world.mesh.client.connect(world.vip, 80) as stream:
            stream.settimeout(10)
            stream.sendall(b"\x00\x01 no request\r\n\r\n")
            try:
                return stream.recv(64).startswith(b"HTTP/1.1 400")
            except ConnectionResetError:
                return False

    world.apply()
    wait_until("bytes to reach the server", answers)
    world.apply(policy("post", "DENY", {"to": [{"operation": {"methods": ["POST"]}}]}))
    wait_until("the connection to be refused", lambda: not answers())
    assert world.status() == 200
