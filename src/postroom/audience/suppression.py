"""Suppression: the addresses that a business unit sends nothing to, and why.

A row stands for one address and one cause; an address may have several. It is found by a keyed hash of business unit
and folded address, so that what was erased is still recognised: of an erased address nothing but the hash is kept, and
nothing that comes later brings it back. The key lies in the same database (`server_secret`): the hash keeps addresses
out of dumps of this table and tells nothing across business units, but whoever reads the whole database can try
guesses.
"""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_bytes
from typing import Literal, NamedTuple, TypeAlias, get_args

import asyncpg

from postroom.content.address import fold_address
from postroom.store.database import Connection, Database, Pool
from postroom.tenancy.server_secrets import server_secret

Cause: TypeAlias = Literal["complaint", "bounce", "unsubscribe", "erasure", "manual", "import"]

CAUSES: Sequence[Cause] = get_args(Cause)
"""The heaviest first: of an address with several, this order decides which one is named."""

HOLDING_CAUSES: frozenset[Cause] = frozenset({"bounce", "complaint"})
"""Those that make a contact with the address Held, as long as they last."""

EVIDENCE_CHARACTERS = 1_000

_KEY_NAME = "suppression_key"
_KEY_BYTES = 32

_LOOK_UP = """
select k.place, s.cause
from unnest($2::bytea[]) with ordinality as k(address_hash, place)
cross join lateral (
    select cause from suppression
    where account_id = $1 and address_hash = k.address_hash and (expires_at is null or expires_at > now())
    limit 6) s
"""

_IN_FORCE = """
select address_hash, cause, expires_at from suppression
where account_id = $1 and address_hash = any($2::bytea[]) and (expires_at is null or expires_at > now())
"""

# A row that is over counts as new. Of an erased address no row has more than the hash.
_STORE = """
insert into suppression as s (account_id, address_hash, cause, address, evidence, expires_at)
select $1, n.address_hash, n.cause, case when e.erased then null else n.address end,
       case when e.erased then '' else n.evidence end, n.expires_at
from unnest($2::bytea[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
     as n(address_hash, cause, address, evidence, expires_at)
cross join lateral (
    select n.cause = 'erasure' or exists (
        select from suppression where account_id = $1 and address_hash = n.address_hash and address is null
    ) as erased) e
on conflict (account_id, address_hash, cause) do update
   set evidence = excluded.evidence,
       changed_at = now(),
       created_at = case when s.expires_at <= now() then now() else s.created_at end,
       expires_at = case when s.expires_at is null or excluded.expires_at is null then null
                         else greatest(s.expires_at, excluded.expires_at) end
returning xmax = 0 as added
"""

_SWITCH_ON = "update account set suppresses = true where account_id = $1 and not suppresses"

_FORGET_ADDRESSES = """
update suppression set address = null, evidence = '', changed_at = now()
where account_id = $1 and address_hash = any($2::bytea[]) and address is not null
"""

_LIFT = """
delete from suppression
where account_id = $1 and address_hash = any($2::bytea[]) and ($3::text[] is null or cause = any($3))
returning true
"""

_COLUMNS = "suppression_id, address, cause, evidence, created_at, changed_at, expires_at"

_LIFT_ONE = f"delete from suppression where account_id = $1 and suppression_id = $2 returning {_COLUMNS}"  # noqa: S608

_ONE = f"select {_COLUMNS} from suppression where account_id = $1 and suppression_id = $2"  # noqa: S608

_PAGE = f"""
select {_COLUMNS} from suppression
where account_id = $1 and suppression_id > $2
  and ($3::text is null or cause = $3)
  and ($4::text is null or position($4 in address) > 0)
  and ($5 or expires_at is null or expires_at > now())
order by suppression_id limit $6
"""  # noqa: S608

_OF_ADDRESS = f"""
select {_COLUMNS} from suppression
where account_id = $1 and address_hash = $2 and ($3::text is null or cause = $3)
  and ($4 or expires_at is null or expires_at > now())
order by suppression_id
"""  # noqa: S608


class AddressInvalid(ValueError):
    """A text that is no email address; the argument is a sentence for whoever gave it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An address to suppress. ``expires_at`` None is for ever; ``evidence`` is the reply, or who did it and when."""

    address: str
    cause: Cause
    evidence: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Suppression:
    """One address with one cause, as it is stored; ``address`` is folded, None when it was erased."""

    suppression_id: int
    address: str | None
    cause: Cause
    evidence: str
    created_at: datetime
    changed_at: datetime
    expires_at: datetime | None


class Written(NamedTuple):
    """How many rows are new, and how many were there already."""

    added: int
    known: int


class AddressHash:
    """Makes the keyed hashes of one server."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, account_id: int, folded_address: str) -> bytes:
        """32 bytes; the same address gives another hash in each business unit."""
        return hmac.digest(self._key, f"{account_id}/{folded_address}".encode(), "sha256")


async def load_address_hash(database: Database) -> AddressHash:
    """The server's hash; its key is made at the first call."""
    return AddressHash(await server_secret(database, _KEY_NAME, lambda: token_bytes(_KEY_BYTES)))


async def suppress(connection: Connection, account_id: int, entries: Iterable[Entry]) -> Written:
    """Suppress addresses from the next claim on. Call it in a transaction.

    An address that has the cause already keeps its row: evidence is replaced, and the later expiry stands. With the
    cause ``erasure`` all rows of the address keep nothing but hash, cause and times. Raises AddressInvalid, with
    nothing written.
    """
    hashes = await load_address_hash(connection)
    rows: dict[tuple[bytes, Cause], tuple[bytes, Cause, str, str, datetime | None]] = {}
    for each in entries:
        folded = folded_address(each.address)
        address_hash = hashes.of(account_id, folded)
        earlier = rows.get((address_hash, each.cause))
        expires_at = each.expires_at if earlier is None else _later(earlier[4], each.expires_at)
        # What a peer said: NUL and lone surrogates are no text for PostgreSQL.
        said = each.evidence[:EVIDENCE_CHARACTERS].replace("\0", "")
        evidence = said.encode("utf-8", "replace").decode()
        rows[address_hash, each.cause] = (address_hash, each.cause, folded, evidence, expires_at)
    if not rows:
        return Written(0, 0)
    await connection.execute(_SWITCH_ON, account_id)
    erased = sorted(address_hash for address_hash, cause in rows if cause == "erasure")
    if erased:
        await connection.execute(_FORGET_ADDRESSES, account_id, erased)
    # In the order of keys, so that two that write the same addresses wait for each other and never deadlock.
    columns = [list(column) for column in zip(*(rows[key] for key in sorted(rows)), strict=True)]
    written = await connection.fetch(_STORE, account_id, *columns)
    added = sum(row["added"] for row in written)
    return Written(added, len(written) - added)


async def forget_addresses(connection: Connection, account_id: int, addresses: Iterable[str]) -> int:
    """Keep of these addresses' suppressions nothing but hash, cause and times; answers how many rows that changed."""
    hashes = await _hashes(connection, account_id, addresses)
    status = await connection.execute(_FORGET_ADDRESSES, account_id, hashes)
    return int(status.rpartition(" ")[2])


async def lift(
    connection: Connection, account_id: int, addresses: Iterable[str], causes: Iterable[Cause] | None = None
) -> int:
    """Send to these addresses again, as far as these causes go (all of them when None); answers how many rows went.

    Raises AddressInvalid.
    """
    hashes = await _hashes(connection, account_id, addresses)
    return len(await connection.fetch(_LIFT, account_id, hashes, None if causes is None else list(causes)))


async def lift_one(database: Database, account_id: int, suppression_id: int) -> Suppression | None:
    """Remove one row; what it was, or None when there is none of this number."""
    row = await database.fetchrow(_LIFT_ONE, account_id, suppression_id)
    return None if row is None else _suppression(row)


async def find_suppression(database: Database, account_id: int, suppression_id: int) -> Suppression | None:
    """By its number; one that has expired is still found."""
    row = await database.fetchrow(_ONE, account_id, suppression_id)
    return None if row is None else _suppression(row)


async def list_suppressions(
    database: Database,
    account_id: int,
    *,
    after: int = 0,
    limit: int,
    cause: Cause | None = None,
    containing: str | None = None,
    expired: bool = False,
) -> list[Suppression]:
    """Up to ``limit`` rows with numbers above ``after``, oldest first; ``expired`` ones only when asked for.

    ``containing`` is part of the address; erased addresses are not found by it.
    """
    wanted = None if containing is None else containing.lower()
    rows = await database.fetch(_PAGE, account_id, after, cause, wanted, expired, limit)
    return [_suppression(row) for row in rows]


async def suppressions_of(
    database: Database, account_id: int, address: str, *, cause: Cause | None = None, expired: bool = False
) -> list[Suppression]:
    """Every row of one address, an erased one's too. Raises AddressInvalid."""
    (address_hash,) = await _hashes(database, account_id, [address])
    return [_suppression(row) for row in await database.fetch(_OF_ADDRESS, account_id, address_hash, cause, expired)]


async def suppressed(database: Database, account_id: int, addresses: Iterable[str]) -> dict[str, Cause]:
    """Which of these addresses are suppressed, by the text that was given, each with its heaviest cause."""
    return await _look_up(database, await load_address_hash(database), account_id, addresses)


async def held_addresses(database: Database, account_id: int, addresses: Iterable[str]) -> frozenset[str]:
    """Those of the addresses whose contacts are Held."""
    found = await suppressed(database, account_id, addresses)
    return frozenset(address for address, cause in found.items() if cause in HOLDING_CAUSES)


async def missing_entries(database: Database, account_id: int, entries: Sequence[Entry]) -> list[Entry]:
    """Those that are not in force, or not for as long. Raises AddressInvalid."""
    hashes = await load_address_hash(database)
    keys = [(hashes.of(account_id, folded_address(each.address)), each.cause) for each in entries]
    rows = await database.fetch(_IN_FORCE, account_id, [address_hash for address_hash, _ in keys])
    until = {(row["address_hash"], row["cause"]): row["expires_at"] for row in rows}
    return [
        each
        for each, key in zip(entries, keys, strict=True)
        if key not in until or _later(until[key], each.expires_at) != until[key]
    ]


class SuppressionList:
    """The look-up as a long-lived process has it: one statement a call, the key being read once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._hash: AddressHash | None = None

    async def suppressed(self, account_id: int, addresses: Iterable[str]) -> dict[str, Cause]:
        """As the function of this name."""
        if self._hash is None:
            self._hash = await load_address_hash(self._pool)
        return await _look_up(self._pool, self._hash, account_id, addresses)


def folded_address(text: str) -> str:
    """The form in which addresses are compared. Raises AddressInvalid."""
    folded = fold_address(text)
    if folded is None:
        raise AddressInvalid(f"{text[:100]!r} is not an email address")
    return folded


async def _look_up(
    database: Database, hashes: AddressHash, account_id: int, addresses: Iterable[str]
) -> dict[str, Cause]:
    given: list[str] = []
    wanted: list[bytes] = []
    for address in set(addresses):
        folded = fold_address(address)
        if folded is not None:
            given.append(address)
            wanted.append(hashes.of(account_id, folded))
    found: dict[str, Cause] = {}
    for row in await database.fetch(_LOOK_UP, account_id, wanted):
        address, cause = given[row["place"] - 1], row["cause"]
        if address not in found or CAUSES.index(cause) < CAUSES.index(found[address]):
            found[address] = cause
    return found


async def _hashes(database: Database, account_id: int, addresses: Iterable[str]) -> list[bytes]:
    hashes = await load_address_hash(database)
    return sorted({hashes.of(account_id, folded_address(address)) for address in addresses})


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else max(one, other)


def _suppression(row: asyncpg.Record) -> Suppression:
    return Suppression(**dict(row))
