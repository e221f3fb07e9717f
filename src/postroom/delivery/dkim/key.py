"""A private key in the form that signs: RSA with SHA-256 (RFC 8301) or Ed25519 (RFC 8463)."""

from typing import Literal, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_der_private_key

Algorithm: TypeAlias = Literal["rsa-sha256", "ed25519-sha256"]

LEAST_RSA_BITS = 1024  # RFC 8301 §3.2: receivers must not count anything shorter as signed


class KeyUnusable(ValueError):
    """The key can't sign mail, and why."""


class SigningKey:
    """A key under its selector."""

    def __init__(self, selector: str, private: bytes, *, checked: bool = False) -> None:
        """``private`` is PKCS #8, unencrypted; ``checked`` says that its numbers were found right before. Raises
        KeyUnusable."""
        try:
            key = load_der_private_key(private, None, unsafe_skip_rsa_key_validation=checked)
        except (ValueError, TypeError, UnsupportedAlgorithm) as wrong:
            raise KeyUnusable(f"the key of selector {selector} is no PKCS #8 private key") from wrong
        self.selector = selector
        self.private = private
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
        self._sha256 = Prehashed(hashes.SHA256())

    @property
    def quick(self) -> bool:
        """Whether a signature takes no longer than composing the mail: some 40 us with Ed25519, 300 with RSA-2048."""
        return self._rsa is None

    @property
    def rsa_numbers(self) -> RSAPrivateNumbers | None:
        """The numbers of an RSA key."""
        return None if self._rsa is None else self._rsa.private_numbers()

    def sign(self, digest: bytes) -> bytes:
        """The signature over what has this SHA-256 (RFC 6376 §3.3.1, RFC 8463 §3); the same for the same."""
        if self._rsa is not None:
            return self._rsa.sign(digest, self._padding, self._sha256)
        assert self._ed25519 is not None
        return self._ed25519.sign(digest)
