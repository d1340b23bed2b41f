"""Certificates of foreign peers, signed by the mesh's own CA (or by a stranger's)."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# One file: the root certificate and its key.
CA_FILE = "aquifer-ca.pem"
ROOT_FILE = "aquifer-root-cert.pem"


@dataclass(frozen=True)
class PeerCert:
    """Files of one leaf: certificate chain and key in one, and the roots to verify with."""

    chain: Path
    roots: Path

    def client_context(self, *, alpn: list[str] | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.roots)
        context.load_cert_chain(self.chain)
        context.set_alpn_protocols(["h2"] if alpn is None else alpn)
        return context

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self.roots)
        context.load_cert_chain(self.chain)
        context.set_alpn_protocols(["h2"])
        return context


class Mint:
    """Signs leaves with the CA of a mesh's --ca-dir; `stranger` makes a CA that nobody trusts."""

    def __init__(self, ca_dir: Path, work_dir: Path, *, stranger: bool = False) -> None:
        self._work_dir = work_dir
        work_dir.mkdir(parents=True, exist_ok=True)
        self._roots = ca_dir / ROOT_FILE
        if stranger:
            self._key = ec.generate_private_key(ec.SECP256R1())
            self._issuer = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "stranger")])
            return
        pem = (ca_dir / CA_FILE).read_bytes()
        key = load_pem_private_key(pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        certificate = x509.load_pem_x509_certificate(pem)
        self._issuer = certificate.subject

    def leaf(self, spiffe: str | None, *, valid_from_h: float = -1, valid_to_h: float = 1) -> PeerCert:
        """A leaf with this URI SAN (a DNS name instead when there is none)."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.timezone.utc)
        name = x509.UniformResourceIdentifier(spiffe) if spiffe else x509.DNSName("peer.example")
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + dt.timedelta(hours=valid_from_h))
            .not_valid_after(now + dt.timedelta(hours=valid_to_h))
            .add_extension(x509.SubjectAlternativeName([name]), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        path = self._work_dir / f"leaf-{certificate.serial_number:x}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return PeerCert(path, self._roots)
