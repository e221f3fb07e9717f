"""The domains a business unit sends from, and their DKIM keys: made, stored sealed, rotated.

Exactly these domains are signed, not those below them. A key signs what is accepted while it is in force, from
`active_from` until `retired_at`, so a mail that is sent again is signed with the same key. What retired keys signed
may still be on its way: they are kept for `KEEP_RETIRED` and their DNS records should be as well.
"""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from postroom.content.address import parse_address
from postroom.store.database import Connection, Database
from postroom.tenancy.sealing import Seal

KeyAlgorithm: TypeAlias = Literal["rsa", "ed25519"]
ALGORITHMS: tuple[KeyAlgorithm, ...] = ("rsa", "ed25519")
RSA_BITS = 2048
KEEP_RETIRED = timedelta(days=31)  # longer than any retry schedule
TAKES_EFFECT = timedelta(seconds=1)
"""How long after its transaction began a key is in force: by then it is committed, so no mail is accepted under a
key that its delivery can't see."""

_CREATE = "insert into sender_domain (account_id, domain) values ($1, $2) on conflict do nothing returning true"

_ACCOUNT_EXISTS = "select true from account where account_id = $1 for no key update"

_ADD_KEY = """
insert into dkim_key (account_id, domain, selector, algorithm, sealed, public_key, active_from)
values ($1, $2, $3, $4, $5, $6, now() + $7::interval)
"""

_RAISE_REVISION = "update account set signing_revision = signing_revision + 1 where account_id = $1"

_KEYS = """
select d.domain, d.created_at as domain_created_at,
       k.selector, k.algorithm, k.public_key, k.created_at, k.active_from, k.retired_at
from sender_domain d left join dkim_key k on k.account_id = $1 and k.domain = d.domain
where d.account_id = $1 and (k.retired_at is null or k.retired_at > now())
order by d.domain, k.created_at, k.selector
"""

_SWITCH_OLD = """
update dkim_key set retired_at = now() + $3::interval
where account_id = $1 and domain = $2 and active_from is not null and retired_at is null
"""

_SWITCH_NEW = """
update dkim_key set active_from = now() + $3::interval
where account_id = $1 and domain = $2 and active_from is null
"""

_FORGET = "delete from dkim_key where account_id = $1 and domain = $2 and retired_at < now() - $3::interval"

_OWNER = """
select d.account_id, a.signing_revision
from sender_domain d join account a using (account_id)
where d.domain = $1
order by d.account_id
limit 1
"""

_SIGNING_KEYS = """
select domain, selector, sealed, active_from, retired_at from dkim_key
where account_id = $1 and active_from is not null and (retired_at is null or retired_at > now() - $2::interval)
order by domain, algorithm desc, selector
"""


class DomainInvalid(ValueError):
    """The text is no domain name that mail can come from."""


class DomainTaken(ValueError):
    """The business unit has this domain already."""


class DomainUnknown(LookupError):
    """The business unit has no such domain, or there is no such business unit."""


@dataclass(frozen=True, slots=True)
class DomainKey:
    """A key without its private half. Waiting until ``active_from`` is set, retired from ``retired_at`` on."""

    selector: str
    algorithm: KeyAlgorithm
    public_key: str
    created_at: datetime
    active_from: datetime | None
    retired_at: datetime | None

    @property
    def waiting(self) -> bool:
        """Whether it was made by a rotation that is not finished."""
        return self.active_from is None


@dataclass(frozen=True, slots=True)
class SenderDomain:
    """A domain with its keys that are waiting or in force."""

    domain: str
    created_at: datetime
    keys: tuple[DomainKey, ...]


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as delivery loads it: in force from ``active_from`` until ``retired_at``."""

    domain: str
    selector: str
    sealed: bytes
    active_from: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key pair that is not stored yet; ``private`` is PKCS #8 in DER."""

    algorithm: KeyAlgorithm
    selector: str
    private: bytes
    public_key: str


def new_key(algorithm: KeyAlgorithm) -> NewKey:
    """A fresh key under a selector of its own. RSA takes up to a second."""
    if algorithm == "rsa":
        rsa = generate_private_key(65537, RSA_BITS)
        der = rsa.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        public = rsa.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        ed25519 = Ed25519PrivateKey.generate()
        der = ed25519.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        # RFC 8463 §4: the bare 32 octets
        public = ed25519.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    selector = f"p{algorithm[0]}{secrets.token_hex(4)}"
    return NewKey(algorithm, selector, der, b64encode(public).decode("ascii"))


def domain_name(text: str) -> str:
    """``text`` as domains are stored: lower case, A-labels, without a dot at the end. Raises DomainInvalid."""
    address = parse_address(f"postmaster@{text.strip().removesuffix('.')}")
    if address is None or address.local != "postmaster":
        raise DomainInvalid(f"{text!r} is no domain name that mail can come from; give one such as example.com")
    return address.domain


def place_of(account_id: int, domain: str, selector: str) -> str:
    """What a private key is sealed for."""
    return f"{account_id} {selector}._domainkey.{domain}"


async def create_domain(
    connection: Connection, account_id: int, domain: str, keys: Sequence[NewKey], *, seal: Seal
) -> None:
    """Store a domain whose mail is signed from now on; call it in a transaction. Raises DomainTaken, DomainUnknown
    when there is no such business unit."""
    if await connection.fetchval(_ACCOUNT_EXISTS, account_id) is None:
        raise DomainUnknown(f"there is no business unit {account_id}; make it with postroom account create")
    if await connection.fetchval(_CREATE, account_id, domain) is None:
        raise DomainTaken(
            f"business unit {account_id} has the domain {domain} already; postroom domain dns {domain} prints its "
            "records, and postroom domain rotate makes new keys"
        )
    await _store(connection, account_id, domain, keys, seal, TAKES_EFFECT)


async def add_waiting_keys(
    connection: Connection, account_id: int, domain: str, keys: Sequence[NewKey], *, seal: Seal
) -> None:
    """Store keys that sign nothing until `switch_keys`; call it in a transaction."""
    await _store(connection, account_id, domain, keys, seal, None)


async def switch_keys(connection: Connection, account_id: int, domain: str) -> None:
    """From now on the waiting keys sign, and those before them no more; call it in a transaction."""
    await connection.execute(_SWITCH_OLD, account_id, domain, TAKES_EFFECT)
    await connection.execute(_SWITCH_NEW, account_id, domain, TAKES_EFFECT)
    await connection.execute(_FORGET, account_id, domain, KEEP_RETIRED)
    await connection.execute(_RAISE_REVISION, account_id)


async def list_domains(database: Database, account_id: int) -> list[SenderDomain]:
    """All domains of a business unit by name; retired keys are left out."""
    found: dict[str, SenderDomain] = {}
    for row in await database.fetch(_KEYS, account_id):
        known = found.get(row["domain"]) or SenderDomain(row["domain"], row["domain_created_at"], ())
        keys = known.keys
        if row["selector"] is not None:
            keys += (
                DomainKey(
                    row["selector"],
                    row["algorithm"],
                    row["public_key"],
                    row["created_at"],
                    row["active_from"],
                    row["retired_at"],
                ),
            )
        found[row["domain"]] = SenderDomain(known.domain, known.created_at, keys)
    return list(found.values())


async def find_domain(database: Database, account_id: int, domain: str) -> SenderDomain:
    """One domain. Raises DomainUnknown."""
    for each in await list_domains(database, account_id):
        if each.domain == domain:
            return each
    raise DomainUnknown(
        f"business unit {account_id} has no domain {domain}; postroom domain create {domain} makes it, and --mid "
        "names another business unit"
    )


async def owner_of_domain(database: Database, domain: str) -> tuple[int, int] | None:
    """The first business unit that this is a sender domain of, and the revision of its keys."""
    row = await database.fetchrow(_OWNER, domain)
    return None if row is None else (row["account_id"], row["signing_revision"])


async def signing_keys(database: Database, account_id: int) -> list[StoredKey]:
    """The keys that may have to sign something, retired ones included; RSA before Ed25519."""
    rows = await database.fetch(_SIGNING_KEYS, account_id, KEEP_RETIRED)
    return [
        StoredKey(row["domain"], row["selector"], row["sealed"], row["active_from"], row["retired_at"]) for row in rows
    ]


async def _store(
    connection: Connection,
    account_id: int,
    domain: str,
    keys: Sequence[NewKey],
    seal: Seal,
    effect: timedelta | None,
) -> None:
    for key in keys:
        sealed = seal.close(key.private, place_of(account_id, domain, key.selector))
        await connection.execute(
            _ADD_KEY, account_id, domain, key.selector, key.algorithm, sealed, key.public_key, effect
        )
    await connection.execute(_RAISE_REVISION, account_id)
