"""The key store of a business unit: secrets that templates use by name and never see.

They are for EncryptSymmetric, GetJWTByKeyName and the parameters of CloudPagesURL. Sealed at rest
(`tenancy.sealing`); nothing gives a secret back.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, get_args

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from postroom.content.attributes import fold_name
from postroom.store.database import Connection, Database
from postroom.tenancy.sealing import Seal

KeyKind: TypeAlias = Literal["symmetric", "salt", "iv", "jwt", "rsa", "page"]
KEY_KINDS: tuple[KeyKind, ...] = get_args(KeyKind)

_LONGEST_NAME = 100
_LONGEST_SECRET = 16_384
_SHORTEST = {"symmetric": 1, "salt": 8, "jwt": 1, "page": 16}
_HEX = frozenset({"salt", "iv"})

_ACCOUNT_EXISTS = "select true from account where account_id = $1"

_CREATE = """
    insert into template_key (account_id, folded_name, name, kind, sealed) values ($1, $2, $3, $4, $5)
    on conflict do nothing returning true
"""

_PAGE_KEY = "select name from template_key where account_id = $1 and kind = 'page'"

_LIST = "select name, kind, created_at from template_key where account_id = $1 order by folded_name"

_DELETE = "delete from template_key where account_id = $1 and folded_name = $2 returning true"


class KeyRejected(ValueError):
    """The key can't be stored; the text says what is wrong and what to give."""


@dataclass(frozen=True, slots=True)
class TemplateKey:
    """A stored key without its secret."""

    name: str
    kind: str
    created_at: datetime


def read_secret(kind: KeyKind, text: str) -> bytes:
    """The bytes of a secret as it is written: salts and initialization vectors in hexadecimal digits, an RSA key in
    PEM, the others as they are. Raises KeyRejected, whose text never repeats the secret."""
    written = text.removesuffix("\n").removesuffix("\r")
    if len(written) > _LONGEST_SECRET:
        raise KeyRejected(f"the secret is longer than {_LONGEST_SECRET:,} characters")
    try:
        secret = bytes.fromhex(written) if kind in _HEX else written.encode()
    except ValueError:
        raise KeyRejected(f"a key of the kind {kind} is written in hexadecimal digits, such as 00ff…") from None
    if kind == "iv" and len(secret) not in {8, 16}:
        raise KeyRejected("an initialization vector has 16 hexadecimal digits for des and tripledes, 32 for aes")
    if len(secret) < _SHORTEST.get(kind, 0):
        raise KeyRejected(f"a key of the kind {kind} has at least {_SHORTEST[kind]} bytes; this one has {len(secret)}")
    if kind == "rsa" and not _is_rsa(secret):
        raise KeyRejected("a key of the kind rsa is an RSA private key in PEM, without a password")
    return secret


def _is_rsa(pem: bytes) -> bool:
    try:
        return isinstance(load_pem_private_key(pem, password=None), RSAPrivateKey)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def place_of_key(account_id: int, folded_name: str) -> str:
    """What a secret is sealed for."""
    return f"{account_id} template key {folded_name}"


async def create_key(
    connection: Connection, account_id: int, name: str, kind: KeyKind, secret: bytes, *, seal: Seal
) -> None:
    """Store a key under a name that is still free; a business unit has one of the kind ``page``. Raises KeyRejected."""
    shown, folded = name.strip(), fold_name(name)
    if not shown or len(shown) > _LONGEST_NAME or not shown.isprintable():
        raise KeyRejected(f"{shown[:40]!r} is no name of a key; write 1 to {_LONGEST_NAME} printable characters")
    if await connection.fetchval(_ACCOUNT_EXISTS, account_id) is None:
        raise KeyRejected(f"there is no business unit {account_id}; make it with postroom account create")
    sealed = seal.close(secret, place_of_key(account_id, folded))
    if await connection.fetchval(_CREATE, account_id, folded, shown, kind, sealed) is None:
        taken = await connection.fetchval(_PAGE_KEY, account_id) if kind == "page" else None
        what = f"the page key {taken!r}" if taken else f"a key {shown!r}"
        raise KeyRejected(f"business unit {account_id} has {what} already; delete it first")


async def list_keys(database: Database, account_id: int) -> list[TemplateKey]:
    """The keys of a business unit by name, without their secrets."""
    return [TemplateKey(*row) for row in await database.fetch(_LIST, account_id)]


async def delete_key(database: Database, account_id: int, name: str) -> bool:
    """Forget a key; False when there is none of that name."""
    return bool(await database.fetchval(_DELETE, account_id, fold_name(name)))
