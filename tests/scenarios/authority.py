"""A certificate authority of the tests' own."""

from __future__ import annotations

import datetime
import hashlib
import ssl
import tempfile
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Identity:
    """A certificate with its key and those above it; ``sent`` is what its server shows."""

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, above: Sequence[x509.Certificate] = ()
    ) -> None:
        self.key = key
        self.certificate = certificate
        self.sent = (certificate, *above)

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def public_key(self) -> bytes:
        """Its SubjectPublicKeyInfo."""
        return self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def tlsa(self, usage: int, selector: int = 1, matching: int = 1) -> str:
        """A TLSA record as text."""
        data = self.public_key if selector else self.der
        if matching:
            data = hashlib.new({1: "sha256", 2: "sha512"}[matching], data).digest()
        return f"{usage} {selector} {matching} {data.hex()}"

    def server(self) -> ssl.SSLContext:
        """TLS for a server with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "server.pem"
            path.write_bytes(self.pem())
            context.load_cert_chain(path)
        return context

    def pem(self) -> bytes:
        """The key and what is sent, in one file."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return key + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in self.sent)


class Authority:
    """``issue`` makes certificates, ``trusting`` a client's context that takes only those."""

    def __init__(self, name: str = "Test Authority") -> None:
        self.identity = _make(name, (), None, (-DAY, 3 * DAY))

    def issue(
        self,
        *names: str,
        common_name: str = "mail host",
        valid: tuple[datetime.timedelta, datetime.timedelta] = (-DAY, DAY),
        sends_authority: bool = False,
    ) -> Identity:
        """A certificate for host names and addresses."""
        made = _make(common_name, names, self.identity, valid)
        return Identity(made.key, made.certificate, (self.identity.certificate,)) if sends_authority else made

    def trusting(self) -> ssl.SSLContext:
        """For a client."""
        pem = self.identity.certificate.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)


def _make(
    common_name: str,
    names: Sequence[str],
    issuer: Identity | None,
    valid: tuple[datetime.timedelta, datetime.timedelta],
) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    signer = key if issuer is None else issuer.key
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + valid[0])
        .not_valid_after(now + valid[1])
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), critical=False)
    return Identity(key, builder.sign(signer, hashes.SHA256()))


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
