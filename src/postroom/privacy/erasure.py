"""Erasing a person's data, with a receipt that names nobody.

An erasure is a row that is committed first and then carried out step by step, each step in a transaction that also
counts what it erased and notes that it is over. So after the death of a process any other goes on where it stopped,
two that go on together do nothing twice, and the receipt's counts are exact. Who is meant is in the row only until
the last step.

Messages that wait in the queue are ended first, as not sent. Those that a worker is sending at this moment are left to
it: the erasure waits until they have their outcome.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, TypeAlias
from uuid import UUID

import asyncpg
import msgspec
import structlog

from postroom.audience.soft_bounces import end_counts
from postroom.audience.suppression import Entry, folded_address, forget_addresses, load_address_hash, suppress
from postroom.content.address import fold_address
from postroom.events.codes import StatusCode
from postroom.intake.holding import end_waiting
from postroom.intake.keys import fold_key
from postroom.privacy import traces
from postroom.privacy.subject import Subject, addresses_of_contacts, subject_of_address, without_used
from postroom.store.database import Connection, Database, Pool
from postroom.store.partitions import message_days
from postroom.store.trouble import DATABASE_TROUBLE, Trouble, tell_trouble

CLASSES = (
    "contacts",
    "listMemberships",
    "queuedMessages",
    "messages",
    "requests",
    "events",
    "dataExtensionRows",
    "capturedMails",
    "suppressions",
)
"""What a receipt counts."""

_COLUMNS = "erasure_id, suppress, requested_by, requested_at, finished_at, counts"

_BEGIN = """
insert into erasure (account_id, erasure_id, subject_hash, contact_keys, addresses, seen, suppress, requested_by)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (account_id, subject_hash) where finished_at is null do nothing
"""

_UNFINISHED_OF = "select erasure_id from erasure where account_id = $1 and subject_hash = $2 and finished_at is null"

_LOCK = """
select contact_keys, addresses, seen, suppress, done, counts from erasure
where account_id = $1 and erasure_id = $2 and finished_at is null
for update
"""

_NOTE = """
update erasure set counts = $3::jsonb, seen = $4, done = case when $5::text is null then done else done || $5::text end
where account_id = $1 and erasure_id = $2
"""

_WIDEN = "update erasure set contact_keys = $3, seen = $4, done = '{}' where account_id = $1 and erasure_id = $2"

_FINISH = """
update erasure set finished_at = now(), contact_keys = '{}', addresses = '{}', seen = '{}'
where account_id = $1 and erasure_id = $2 and finished_at is null
"""

_RECEIPT = f"select {_COLUMNS} from erasure where account_id = $1 and erasure_id = $2"  # noqa: S608

_LATEST = f"""
select {_COLUMNS} from erasure where account_id = $1 order by requested_at desc, erasure_id desc limit $2
"""  # noqa: S608

_UNFINISHED = """
select account_id, erasure_id from erasure where finished_at is null and requested_at < now() - $1::interval
order by requested_at limit 100
"""

# A day's messages of a large business unit are read as a whole.
_PATIENTLY = "set local statement_timeout = 0"

_decode_counts = msgspec.json.Decoder(dict[str, int]).decode


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased, by class of data, when and on whose behalf; nothing in it tells of whom."""

    erasure_id: UUID
    state: Literal["finished", "waiting"]
    suppress: bool
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Found:
    """What a step erased, the addresses it came across, and whether it is over."""

    counts: Mapping[str, int]
    seen: frozenset[str] = frozenset()
    over: bool = True


@dataclass(frozen=True, slots=True)
class _Order:
    """Whom an erasure concerns, while its row is locked."""

    subject: Subject
    seen: frozenset[str]
    suppress: bool


_Work: TypeAlias = "Callable[[Connection, int, _Order], Awaitable[_Found]]"


async def begin_erasure(
    connection: Connection,
    account_id: int,
    *,
    new_id: UUID,
    requested_by: str,
    contact_key: str | None = None,
    address: str | None = None,
    suppress: bool = True,
) -> UUID:
    """Note that a contact, or an address, is to be erased; answers the receipt's id.

    That is the id of an earlier one of the same subject when it is not finished. With ``suppress`` the address gets no
    mail from now on. Call it in a transaction, commit it, then `carry_out`. Raises AddressInvalid.
    """
    if contact_key is not None:
        subject = Subject(frozenset({fold_key(contact_key)}), frozenset())
        asked = f"contact/{fold_key(contact_key)}"
    else:
        assert address is not None, "a contact key or an address"
        subject = await subject_of_address(connection, account_id, address)
        asked = f"address/{folded_address(address)}"
    subject_hash = (await load_address_hash(connection)).of(account_id, asked)
    await connection.execute(
        _BEGIN,
        account_id,
        new_id,
        subject_hash,
        sorted(subject.contact_keys),
        sorted(subject.addresses),
        sorted(_folded(await addresses_of_contacts(connection, account_id, subject.contact_keys))),
        suppress,
        requested_by,
    )
    found: UUID = await connection.fetchval(_UNFINISHED_OF, account_id, subject_hash)
    return found


async def carry_out(pool: Pool, account_id: int, erasure_id: UUID) -> Receipt:
    """Go on with an erasure as far as it goes; ``waiting`` when a message of it is being sent at this moment."""
    over = await _all_messages(pool, account_id, erasure_id)
    while over and await _widened(pool, account_id, erasure_id):
        over = await _all_messages(pool, account_id, erasure_id)
    if over:
        for name, work in (
            ("rows", _rows),
            ("captured", _captured),
            ("contacts", _contacts),
            ("addresses", _addresses),
        ):
            await _step(pool, account_id, erasure_id, name, work)
        await pool.execute(_FINISH, account_id, erasure_id)
    receipt = await find_receipt(pool, account_id, erasure_id)
    assert receipt is not None
    return receipt


async def find_receipt(database: Database, account_id: int, erasure_id: UUID) -> Receipt | None:
    """The receipt of this id."""
    row = await database.fetchrow(_RECEIPT, account_id, erasure_id)
    return None if row is None else _receipt(row)


async def latest_receipts(database: Database, account_id: int, limit: int) -> list[Receipt]:
    """The newest receipts, newest first."""
    return [_receipt(row) for row in await database.fetch(_LATEST, account_id, limit)]


async def keep_erasing(pool: Pool, *, older_than: timedelta = timedelta(seconds=10), every: float = 5.0) -> None:
    """Go on, until cancelled, with erasures that were begun and left: their process died, or they had to wait."""
    log = structlog.get_logger("privacy")
    while True:
        try:
            for row in await pool.fetch(_UNFINISHED, older_than):
                await _resume(pool, row["account_id"], row["erasure_id"])
        except DATABASE_TROUBLE as error:
            tell_trouble(log, "erasures_wait_for_database", error)
        await asyncio.sleep(every)


async def _resume(pool: Pool, account_id: int, erasure_id: UUID) -> None:
    log = structlog.get_logger("privacy")
    try:
        receipt = await carry_out(pool, account_id, erasure_id)
        log.info("erasure_resumed", erasure_id=str(erasure_id), state=receipt.state)
    except Exception as error:
        # It must not stop the others; this one is tried again with them.
        if tell_trouble(log, "erasure_failed", error, erasure_id=str(erasure_id)) is Trouble.AWAY:
            raise


async def _all_messages(pool: Pool, account_id: int, erasure_id: UUID) -> bool:
    """The steps of all days; answers whether they are over."""
    over = True
    for day, _ in await message_days(pool):
        over = await _step(pool, account_id, erasure_id, f"messages of {day}", _messages_of(day)) and over
    return over


async def _widened(pool: Pool, account_id: int, erasure_id: UUID) -> bool:
    """Whether contacts have come by the address since: with a mail that was under way. All is begun anew then."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(_LOCK, account_id, erasure_id)
        if row is None:
            return False
        known = set(row["contact_keys"])
        keys = set(known)
        for address in row["addresses"]:
            keys |= (await subject_of_address(connection, account_id, address)).contact_keys
        if keys == known:
            return False
        seen = _folded(await addresses_of_contacts(connection, account_id, keys)).union(row["seen"])
        await connection.execute(_WIDEN, account_id, erasure_id, sorted(keys), sorted(seen))
    return True


async def _step(pool: Pool, account_id: int, erasure_id: UUID, name: str, work: _Work) -> bool:
    """Do a step unless it is over; answers whether it is."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_PATIENTLY)
        row = await connection.fetchrow(_LOCK, account_id, erasure_id)
        if row is None or name in row["done"]:
            return True
        subject = Subject(frozenset(row["contact_keys"]), frozenset(row["addresses"]))
        found = await work(connection, account_id, _Order(subject, frozenset(row["seen"]), row["suppress"]))
        counts = Counter(_decode_counts(row["counts"])) + Counter(found.counts)
        seen = sorted(found.seen.union(row["seen"]))
        encoded = msgspec.json.encode(dict(counts)).decode()
        await connection.execute(_NOTE, account_id, erasure_id, encoded, seen, name if found.over else None)
    return found.over


def _messages_of(day: date) -> _Work:
    async def messages(connection: Connection, account_id: int, order: _Order) -> _Found:
        found = await traces.find_messages(connection, account_id, day, order.subject)
        ended, busy = await end_waiting(
            connection, account_id, [each.place for each in found], StatusCode.SUBSCRIBER_DELETED
        )
        free = [each for each in found if each.place not in busy]
        counts = await traces.forget_messages(connection, account_id, day, [each.place for each in free])
        seen = _folded(each.address for each in free)
        return _Found(counts | {"queuedMessages": ended}, frozenset(seen), not busy)

    return messages


async def _rows(connection: Connection, account_id: int, order: _Order) -> _Found:
    named = order.seen.union(order.subject.spellings)
    await traces.end_jobs(connection, account_id, order.subject.contact_keys, named)
    return _Found(await traces.forget_rows(connection, account_id, order.subject))


async def _captured(connection: Connection, account_id: int, order: _Order) -> _Found:
    return _Found(await traces.forget_captured(connection, account_id, order.subject.spellings))


async def _contacts(connection: Connection, account_id: int, order: _Order) -> _Found:
    return _Found(await traces.forget_contacts(connection, account_id, order.subject.contact_keys))


async def _addresses(connection: Connection, account_id: int, order: _Order) -> _Found:
    # After the contacts: an address that another contact still has is not only this person's.
    own = order.subject.addresses | await without_used(connection, account_id, order.seen)
    forgotten = await forget_addresses(connection, account_id, own)
    await end_counts(connection, account_id, own)
    if order.suppress:
        await suppress(connection, account_id, [Entry(address, "erasure") for address in own])
    return _Found({"suppressions": forgotten})


def _folded(addresses: Iterable[str]) -> set[str]:
    # What does not fold to itself is longer than an address may be; no suppression can stand for it.
    folded = (fold_address(address) for address in addresses)
    return {each for each in folded if each is not None and fold_address(each) == each}


def _receipt(row: asyncpg.Record) -> Receipt:
    counts = _decode_counts(row["counts"])
    return Receipt(
        row["erasure_id"],
        "waiting" if row["finished_at"] is None else "finished",
        row["suppress"],
        row["requested_by"],
        row["requested_at"],
        row["finished_at"],
        {name: counts.get(name, 0) for name in CLASSES},
    )
