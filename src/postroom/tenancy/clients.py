"""API clients: who may ask for access tokens, for which business unit, with which scopes.

A secret is random, shown once, and stored only as its argon2id hash. Hashing and checking take milliseconds of
processor time and run in threads, a bounded number at a time, so that a flood of wrong secrets slows other
token requests down but never the sending of mail.
"""

import asyncio
import hashlib
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass

import argon2

from postroom.tenancy.database import Database, Pool

_CREATE = """
    insert into api_client (client_id, account_id, name, secret_hash, scopes) values ($1, $2, $3, $4, $5)
"""

_FIND = """
    select account_id, name, secret_hash, scopes from api_client where client_id = $1 and revoked_at is null
"""

# Secrets are 24 random letters and digits (124 bits) at least: the hash protects a leaked database, and the
# least memory that RFC 9106 and OWASP name is enough for that.
_HASH_MEMORY_KIB = 19 * 1024
_HASH_ROUNDS = 2
_HASHES_AT_A_TIME = 2
_REMEMBERED_MATCHES = 1024


@dataclass(frozen=True, slots=True)
class Client:
    """A client whose secret was right."""

    client_id: str
    account_id: int
    name: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client just created; the only time its secret can be read."""

    client_id: str
    client_secret: str
    account_id: int
    scopes: frozenset[str]


class ClientUnknown(Exception):
    """No client of this id, or it was revoked."""


class SecretWrong(Exception):
    """The client exists and this is not its secret."""


class SecretHasher:
    """argon2id off the event loop.

    Pairs of hash and secret that matched are remembered by a digest under a key of this object's own, so that a
    client that asks for a token with every call costs one hash, not one a call.
    """

    def __init__(self) -> None:
        self._matched: dict[bytes, None] = {}
        self._digest_key = secrets.token_bytes(32)
        self._argon2 = argon2.PasswordHasher(time_cost=_HASH_ROUNDS, memory_cost=_HASH_MEMORY_KIB, parallelism=1)
        self._turn = asyncio.Semaphore(_HASHES_AT_A_TIME)

    async def hash(self, secret: str) -> str:
        """The hash to store."""
        async with self._turn:
            return await asyncio.to_thread(self._argon2.hash, secret)

    async def matches(self, secret_hash: str, secret: str) -> bool:
        """Whether the secret is the one that was hashed."""
        # argon2's text form holds no NUL, so no other pair gives the same message.
        pair = f"{secret_hash}\0{secret}".encode()
        digest = hashlib.blake2b(pair, key=self._digest_key, digest_size=32).digest()
        if digest in self._matched:
            return True
        async with self._turn:
            try:
                await asyncio.to_thread(self._argon2.verify, secret_hash, secret)
            except argon2.exceptions.VerifyMismatchError:
                return False
        if len(self._matched) >= _REMEMBERED_MATCHES:
            del self._matched[next(iter(self._matched))]
        self._matched[digest] = None
        return True


async def store_client(
    connection: Database,
    client_id: str,
    account_id: int,
    name: str,
    secret_hash: str,
    scopes: frozenset[str],
) -> None:
    """Write one client; its account must exist."""
    await connection.execute(_CREATE, client_id, account_id, name, secret_hash, sorted(scopes))


async def create_client(
    connection: Database,
    account_id: int,
    name: str,
    scopes: frozenset[str],
    *,
    hasher: SecretHasher,
    random_text: Callable[[int], str] | None = None,
) -> NewClient:
    """Create a client of an existing account; the secret in the answer is never readable again."""
    make_text = random_text or random_alphanumerics
    client_id, secret = make_text(24), make_text(32)
    await store_client(connection, client_id, account_id, name, await hasher.hash(secret), scopes)
    return NewClient(client_id, secret, account_id, scopes)


async def verify_client(pool: Pool, client_id: str, secret: str, *, hasher: SecretHasher) -> Client:
    """The client these credentials belong to. Raises ClientUnknown or SecretWrong."""
    row = None if "\0" in client_id else await pool.fetchrow(_FIND, client_id)
    if row is None:
        raise ClientUnknown
    if not await hasher.matches(row["secret_hash"], secret):
        raise SecretWrong
    return Client(client_id, row["account_id"], row["name"], frozenset(row["scopes"]))


def random_alphanumerics(length: int) -> str:
    """Unguessable text in the look of the vendor's client ids and secrets: lower case letters and digits."""
    alphabet = string.ascii_lowercase + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(length))
