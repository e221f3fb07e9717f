"""Keys for tests, made once a process, and dkimpy as the one who verifies."""

import base64
import functools
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

import dkim  # type: ignore[import-untyped]
from postroom.delivery.dkim.key import SigningKey

RSA, ED25519 = "rsa1", "ed1"


@functools.cache
def rsa_der(bits: int = 2048) -> bytes:
    return generate_private_key(65537, bits).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@functools.cache
def ed25519_der() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def rsa_key() -> SigningKey:
    return SigningKey(RSA, rsa_der())


def ed25519_key() -> SigningKey:
    return SigningKey(ED25519, ed25519_der())


@functools.cache
def records() -> Mapping[bytes, bytes]:
    """The DNS of example.com. Loading an RSA key takes five times as long as verifying with it."""
    rsa = load_der_private_key(rsa_der(), None).public_key()
    ed25519 = load_der_private_key(ed25519_der(), None).public_key()
    rsa_text = base64.b64encode(rsa.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    ed25519_text = base64.b64encode(ed25519.public_bytes(Encoding.Raw, PublicFormat.Raw))
    return {
        b"rsa1._domainkey.example.com.": b"v=DKIM1; k=rsa; p=" + rsa_text,
        b"ed1._domainkey.example.com.": b"v=DKIM1; k=ed25519; p=" + ed25519_text,
    }


def verified(mail: bytes, which: int = 0) -> bool:
    """What dkimpy says about one signature of ``mail``."""
    known = records()
    try:
        return bool(dkim.DKIM(mail).verify(which, dnsfunc=lambda name, timeout=5: known.get(name)))
    except dkim.ValidationError:
        return False
