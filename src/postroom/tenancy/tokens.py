"""Access tokens: opaque to clients, signed by the server, checked without the database.

A token carries account, client, scopes and the time it was issued, signed with HMAC-SHA256 under a key that is
made once and kept in the database. Every API process can check every token. A token is valid for a fixed time;
those of a revoked client are refused by `rules`, which looks at the clients every few seconds.
"""

import hashlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable

import msgspec
from itsdangerous import BadSignature, Signer

from postroom.store.database import Pool
from postroom.tenancy.scopes import scope_bits, scopes_of_bits
from postroom.tenancy.server_secrets import server_secret

LONGEST_TOKEN = 512  # characters, contract §2
_KEY_BYTES = 32
_CACHED_TOKENS = 1024


class Access(msgspec.Struct, frozen=True, gc=False):
    """What a valid token allows: whose keys are seen, by which client, with which scopes, until when."""

    account_id: int
    client_id: str
    scopes: frozenset[str]
    issued_at: float
    expires_at: float


class _Payload(msgspec.Struct, array_like=True, frozen=True):
    account_id: int
    client_id: str
    scopes: int
    issued_at_ms: int
    nonce: int


class TokenSigner:
    """Issues and checks tokens. ``clock`` gives seconds since the epoch."""

    def __init__(self, key: bytes, *, lifetime_seconds: int, clock: Callable[[], float]) -> None:
        self._signer = Signer(key, salt=b"postroom.access-token", key_derivation="hmac", digest_method=hashlib.sha256)
        self._lifetime = lifetime_seconds
        self._clock = clock
        self._decoder = msgspec.msgpack.Decoder(_Payload)
        self._checked: dict[str, Access] = {}

    @property
    def announced_seconds(self) -> int:
        """`expires_in` of the token reply: shorter than the true lifetime, as the vendor has it (1079 of 1200)."""
        return max(1, self._lifetime * 9 // 10 - 1)

    def issue(self, account_id: int, client_id: str, scopes: frozenset[str]) -> str:
        """A new token, at most `LONGEST_TOKEN` characters."""
        issued_at_ms = int(self._clock() * 1000)
        payload = _Payload(account_id, client_id, scope_bits(scopes), issued_at_ms, secrets.randbits(32))
        body = urlsafe_b64encode(msgspec.msgpack.encode(payload)).rstrip(b"=")
        return self._signer.sign(body).decode("ascii")

    def check(self, token: str) -> Access | None:
        """What the token allows, or None when it is forged, damaged or out of date."""
        access = self._checked.get(token)
        if access is None:
            access = self._read(token)
            if access is None:
                return None
            if len(self._checked) >= _CACHED_TOKENS:
                # Clients use one token for minutes: the oldest entry is the one least likely to come again.
                del self._checked[next(iter(self._checked))]
            self._checked[token] = access
        if self._clock() >= access.expires_at:
            self._checked.pop(token, None)
            return None
        return access

    def _read(self, token: str) -> Access | None:
        if len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        try:
            body = self._signer.unsign(token)
            payload = self._decoder.decode(urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
        except (BadSignature, ValueError, msgspec.MsgspecError):
            return None
        issued_at = payload.issued_at_ms / 1000
        scopes = scopes_of_bits(payload.scopes)
        return Access(payload.account_id, payload.client_id, scopes, issued_at, issued_at + self._lifetime)


async def token_signing_key(pool: Pool) -> bytes:
    """The key of this installation, made at the first call."""
    return await server_secret(pool, "token_signing_key", lambda: secrets.token_bytes(_KEY_BYTES))
