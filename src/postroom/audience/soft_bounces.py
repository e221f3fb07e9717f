"""Soft bounces counted by address: how one that is full for weeks comes to be suppressed, where a setting asks it.

Only what the recipient's own mailbox says for now counts (full, over quota), and each message once. A count is kept
for an address from its first such bounce on, found by the keyed hash that suppressions are found by. It ends with a
mail that was delivered: one that was handed over and of which no bounce came, though one came of a later mail or a
week has passed. So mail to addresses without a count costs nothing, and those with one are few.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from postroom.audience.suppression import AddressHash, Entry, load_address_hash, suppress
from postroom.content.address import fold_address
from postroom.store.database import Connection, Database, Pool

DELIVERED_AFTER = timedelta(days=7)
"""A mail of which no bounce has come for so long was delivered: systems give up after five days (RFC 5321 §4.5.4)."""

FORGOTTEN_AFTER = timedelta(days=365)

_MOST_SENT = 20

# In the order of hashes, and the row locked first, so that processes wait for each other and never deadlock.
_LOCK = """
insert into soft_bounce as b (account_id, address_hash, bounces, first_at, last_at) values ($1, $2, 0, $3, $3)
on conflict (account_id, address_hash) do update set last_at = greatest(b.last_at, excluded.last_at)
"""

_OWN = """
delete from soft_bounce_sent
where account_id = $1 and address_hash = $2 and request_id = $3 and position = $4
returning sent_at
"""

_DELIVERED = "delete from soft_bounce_sent where account_id = $1 and address_hash = $2 and sent_at < $3 returning true"

_COUNT = """
update soft_bounce
set bounces = case when $3 then 1 else bounces + 1 end, first_at = case when $3 or bounces = 0 then $4 else first_at end
where account_id = $1 and address_hash = $2
returning bounces, first_at
"""

_END = "delete from soft_bounce where account_id = $1 and address_hash = any($2::bytea[])"

_SWITCH_ON = "update account set counts_bounces = true where account_id = $1 and not counts_bounces"

# The row of the count is locked, since it may end at the same time.
_SENT = """
insert into soft_bounce_sent (account_id, address_hash, request_id, position, sent_at)
select b.account_id, b.address_hash, $3, $4, $5
from (select account_id, address_hash from soft_bounce where account_id = $1 and address_hash = $2 for key share) b
where (select count(*) from soft_bounce_sent where account_id = $1 and address_hash = $2) < $6
on conflict do nothing
"""

_COUNTED = """
select k.place
from unnest($2::bytea[]) with ordinality as k(address_hash, place)
cross join lateral (select from soft_bounce where account_id = $1 and address_hash = k.address_hash limit 1) b
"""

# Rows that a settlement holds come next time: waiting for them in another order than its own could be a deadlock.
_OVER = """
delete from soft_bounce
where (account_id, address_hash) in (
    select account_id, address_hash from soft_bounce b
    where last_at < $2 or exists (
        select from soft_bounce_sent s
        where s.account_id = b.account_id and s.address_hash = b.address_hash and s.sent_at < $1)
    for update of b skip locked)
"""


@dataclass(frozen=True, slots=True)
class SoftBounceRule:
    """An address is suppressed after ``bounces`` soft bounces, the last at least ``over`` after the first."""

    bounces: int
    over: timedelta


@dataclass(frozen=True, slots=True)
class SoftBounce:
    """A message that the recipient's mailbox did not take for now, for good; ``evidence`` is what it said."""

    address: str
    request_id: UUID
    position: int
    at: datetime
    evidence: str
    rule: SoftBounceRule


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A message to an address with a count was taken by its receiver; whether it is delivered shows later."""

    address: str
    request_id: UUID
    position: int
    at: datetime


Consequence: TypeAlias = Entry | SoftBounce | HandedOver
"""What an outcome means for an address."""


class SoftBounceCounts:
    """Which addresses have a count, as a long-lived process asks; the key of the hash is read once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._hash: AddressHash | None = None

    async def counted(self, account_id: int, addresses: Iterable[str]) -> frozenset[str]:
        """Those of the addresses that have one."""
        if self._hash is None:
            self._hash = await load_address_hash(self._pool)
        folded = [(address, fold_address(address)) for address in set(addresses)]
        wanted = [(address, self._hash.of(account_id, own)) for address, own in folded if own is not None]
        rows = await self._pool.fetch(_COUNTED, account_id, [address_hash for _, address_hash in wanted])
        return frozenset(wanted[row["place"] - 1][0] for row in rows)


async def carry_out(connection: Connection, account_id: int, consequences: Sequence[Consequence]) -> None:
    """Count and suppress, in the caller's transaction."""
    entries = [each for each in consequences if isinstance(each, Entry)]
    hashes = await load_address_hash(connection)
    counted = [
        (hashes.of(account_id, folded), each)
        for each in consequences
        if isinstance(each, SoftBounce | HandedOver) and (folded := fold_address(each.address)) is not None
    ]
    if any(isinstance(each, SoftBounce) for _, each in counted):
        await connection.execute(_SWITCH_ON, account_id)
    for address_hash, each in sorted(counted, key=lambda pair: (pair[0], pair[1].at)):
        if isinstance(each, HandedOver):
            place = (each.request_id, each.position)
            await connection.execute(_SENT, account_id, address_hash, *place, each.at, _MOST_SENT)
        elif (entry := await _count(connection, account_id, address_hash, each)) is not None:
            entries.append(entry)
    if entries:
        await suppress(connection, account_id, entries)


async def end_counts(connection: Connection, account_id: int, addresses: Iterable[str]) -> None:
    """Forget what was counted of these addresses."""
    hashes = await load_address_hash(connection)
    folded = filter(None, map(fold_address, addresses))
    await connection.execute(_END, account_id, sorted(hashes.of(account_id, each) for each in folded))


async def end_old_counts(database: Database, now: datetime) -> None:
    """End the counts of addresses that a mail was delivered to, and of those that nothing bounced from for a year."""
    await database.execute(_OVER, now - DELIVERED_AFTER, now - FORGOTTEN_AFTER)


async def _count(connection: Connection, account_id: int, address_hash: bytes, bounce: SoftBounce) -> Entry | None:
    await connection.execute(_LOCK, account_id, address_hash, bounce.at)
    sent_at = await connection.fetchval(_OWN, account_id, address_hash, bounce.request_id, bounce.position)
    before = bounce.at if sent_at is None else sent_at
    delivered = await connection.fetch(_DELIVERED, account_id, address_hash, before)
    row = await connection.fetchrow(_COUNT, account_id, address_hash, bool(delivered), bounce.at)
    assert row is not None
    rule = bounce.rule
    if row["bounces"] < rule.bounces or bounce.at - row["first_at"] < rule.over:
        return None
    await connection.execute(_END, account_id, [address_hash])
    evidence = f"{row['bounces']} soft bounces since {row['first_at']:%Y-%m-%d}; at last {bounce.evidence}"
    return Entry(bounce.address, "bounce", evidence)
