"""A private key in the form that signs: RSA with SHA-256 (RFC 8301) or Ed25519 (RFC 8463)."""

import hashlib
from typing import Literal, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

Algorithm: TypeAlias = Literal["rsa-sha256", "ed25519-sha256"]

LEAST_RSA_BITS = 1024  # RFC 8301 §3.2: receivers must not count anything shorter as signed


class KeyUnusable(ValueError):
    """The key can't sign mail, and why."""


class SigningKey:
    """A key under its selector. ``sign`` may be called by several threads at a time; it releases the GIL."""

    def __init__(self, selector: str, der: bytes) -> None:
        """``der`` is PKCS #8, unencrypted. Raises KeyUnusable."""
        try:
            key = load_der_private_key(der, None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as wrong:
            raise KeyUnusable(f"the key of selector {selector} is no PKCS #8 private key") from wrong
        self.selector = selector
        self._rsa: RSAPrivateKey | None = None
        self._ed25519: Ed25519PrivateKey | None = None
        if isinstance(key, RSAPrivateKey):
            if key.key_size < LEAST_RSA_BITS:
                raise KeyUnusable(
                    f"the key of selector {selector} has {key.key_size} bits; receivers want {LEAST_RSA_BITS} or more"
                )
            self._rsa = key
            self.algorithm: Algorithm = "rsa-sha256"
        elif isinstance(key, Ed25519PrivateKey):
            self._ed25519 = key
            self.algorithm = "ed25519-sha256"
        else:
            raise KeyUnusable(f"the key of selector {selector} is neither RSA nor Ed25519")
        self._padding = PKCS1v15()
        self._sha256 = hashes.SHA256()

    def sign(self, data: bytes) -> bytes:
        """The signature over ``data``; the same for the same data."""
        if self._rsa is not None:
            return self._rsa.sign(data, self._padding, self._sha256)
        assert self._ed25519 is not None
        # RFC 8463 §3: PureEdDSA over the hash
        return self._ed25519.sign(hashlib.sha256(data).digest())
