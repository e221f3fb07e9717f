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
from datetime import datetime

import argon2

from postroom.store.database import Database, Pool

_CREATE = """
    insert into api_client (client_id, account_id, name, secret_hash, scopes) values ($1, $2, $3, $4, $5)
"""

_FIND = """
    select account_id, name, secret_hash, scopes from api_client where client_id = $1 and revoked_at is null
"""

_LIST = """
    select client_id, account_id, name, scopes, rate_per_minute, created_at, revoked_at from api_client
     where $1::bigint is null or account_id = $1 order by created_at, client_id
"""

_ROTATE = """
    update api_client set secret_hash = $2 where client_id = $1 and revoked_at is null returning true
"""

_REVOKE = "update api_client set revoked_at = now() where client_id = $1 and revoked_at is null returning true"

_SET_SCOPES = "update api_client set scopes = $2 where client_id = $1 and revoked_at is null returning true"

_SET_RATE = "update api_client set rate_per_minute = $2 where client_id = $1 and revoked_at is null returning true"

_SECRET_CHARACTERS = 32

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


@dataclass(frozen=True, slots=True)
class ClientSummary:
    """A client as it is listed; ``rate_per_minute`` is None for no limit."""

    client_id: str
    account_id: int
    name: str
    scopes: frozenset[str]
    rate_per_minute: int | None
    created_at: datetime
    revoked_at: datetime | None


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
    client_id, secret = make_text(24), make_text(_SECRET_CHARACTERS)
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


async def find_client(database: Database, account_id: int, client_id: str) -> Client | None:
    """The client of this business unit, unless it was revoked."""
    row = await database.fetchrow(_FIND, client_id)
    if row is None or row["account_id"] != account_id:
        return None
    return Client(client_id, account_id, row["name"], frozenset(row["scopes"]))


async def list_clients(database: Database, account_id: int | None = None) -> list[ClientSummary]:
    """The clients of a business unit, or of all, oldest first; revoked ones too."""
    rows = await database.fetch(_LIST, account_id)
    return [ClientSummary(**{**dict(row), "scopes": frozenset(row["scopes"])}) for row in rows]


async def rotate_secret(
    database: Database, client_id: str, *, hasher: SecretHasher, random_text: Callable[[int], str] | None = None
) -> str:
    """Give the client a new secret, which is the answer; the old one is of no use any more. Raises ClientUnknown.

    Tokens asked for with the old secret stay valid until they expire.
    """
    secret = (random_text or random_alphanumerics)(_SECRET_CHARACTERS)
    await _change(database, _ROTATE, client_id, await hasher.hash(secret))
    return secret


async def revoke_client(database: Database, client_id: str) -> None:
    """End the client for good. Raises ClientUnknown. API processes refuse its tokens within seconds."""
    await _change(database, _REVOKE, client_id)


async def set_scopes(database: Database, client_id: str, scopes: frozenset[str]) -> None:
    """What the client's tokens may do from the next one on. Raises ClientUnknown."""
    await _change(database, _SET_SCOPES, client_id, sorted(scopes))


async def set_rate(database: Database, client_id: str, per_minute: int | None) -> None:
    """How many calls a minute each API process takes from the client; None for any number. Raises ClientUnknown."""
    await _change(database, _SET_RATE, client_id, per_minute)


async def _change(database: Database, statement: str, client_id: str, *values: object) -> None:
    if await database.fetchval(statement, client_id, *values) is None:
        raise ClientUnknown(client_id)


def random_alphanumerics(length: int) -> str:
    """Unguessable text in the look of the vendor's client ids and secrets: lower case letters and digits."""
    alphabet = string.ascii_lowercase + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(length))
