"""Private keys at rest: AES-256-GCM under a key the server made for itself.

What is sealed is bound to the place it is stored in: copied to another business unit, domain or selector it can't
be opened. The sealing key lies in the same database (`server_secret`), so this keeps private keys out of dumps of
single tables, out of logs and away from a mix-up of tenants; whoever reads the whole database reads the keys.
"""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from postroom.store.database import Database
from postroom.tenancy.server_secrets import server_secret

_NAME = "dkim_sealing_key"
_KEY_BYTES = 32
_NONCE_BYTES = 12


class SealBroken(Exception):
    """What was stored can't be opened: it was changed, moved, or sealed under another server's key."""


class Seal:
    """Seals with one key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def close(self, plain: bytes, place: str) -> bytes:
        """``plain``, sealed for ``place``."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """What was sealed for ``place``. Raises SealBroken."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            raise SealBroken(f"the key of {place} can't be opened: it was sealed elsewhere, or changed") from None


async def load_seal(database: Database) -> Seal:
    """The server's seal; its key is made at the first call."""
    return Seal(await server_secret(database, _NAME, lambda: secrets.token_bytes(_KEY_BYTES)))
