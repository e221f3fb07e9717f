"""What the sandbox has captured: a bounded table of mails, newest first, oldest dropped first.

Writes are serialised by one advisory lock, so `capture_id` grows in the order of commits and "everything after
this id" never misses a mail that commits late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

import asyncpg

from postroom.inbound.smtp_grammar import Arrival
from postroom.sandbox.headers import Origin, Summary, origin_of, summarize

CHANNEL = "postroom_captured_mail"
"""The NOTIFY channel that says: something was captured."""

PART = "\x1f"

_LOCK = "select pg_advisory_xact_lock(hashtextextended('captured_mail', 0))"

# The lock is taken before the first id is drawn: ids of another writer are then either committed or not drawn yet.
_LOCK_AND_NUMBER = """
with alone as materialized (select pg_advisory_xact_lock(hashtextextended('captured_mail', 0)))
select nextval(pg_get_serial_sequence('captured_mail', 'capture_id')) as capture_id
from alone cross join generate_series(1, $1)"""

# LIMIT keeps the look-up a nested loop over the primary key, whatever the planner thinks of a partition that
# filled up a second ago; so does one day at a time, where `any` of two takes the index by message key and reads
# all messages of the account. The request's day is that of its id; accepting it may have crossed midnight.
_KEYS = """
select sent.request_id, sent.position, known.message_key
from unnest($2::date[], $3::uuid[], $4::integer[]) as sent (day, request_id, position)
cross join lateral (values (sent.day), (sent.day + 1)) as accepted (day)
cross join lateral (
    select message_key from message
    where account_id = $1 and accepted_on = accepted.day
      and request_id = sent.request_id and position = sent.position
    limit 1) as known"""

_GREW = """
with total as (update captured_total set messages = messages + $1, bytes = bytes + $2 returning messages, bytes)
select messages, bytes, pg_notify('postroom_captured_mail', '') from total"""

_DROP_OLDEST = """
with oldest as (
    select capture_id, size, row_number() over (order by capture_id) as nth,
           sum(size) over (order by capture_id) - size as bytes_before
    from (select capture_id, size from captured_mail order by capture_id limit 1000) as first_in_line),
dropped as (
    delete from captured_mail
    where capture_id in (select capture_id from oldest where nth <= $1::bigint or bytes_before < $2::bigint)
    returning size)
update captured_total
set messages = messages - (select count(*) from dropped),
    bytes = bytes - (select coalesce(sum(size), 0) from dropped)
returning messages, bytes"""

_TOTAL = "select messages, bytes from captured_total"

_DELETE_ONE = """
with dropped as (delete from captured_mail where capture_id = $1 returning size)
update captured_total set messages = messages - 1, bytes = bytes - dropped.size from dropped
returning true"""

_DELETE_ACCOUNT = """
with dropped as (delete from captured_mail where account_id = $1 returning size)
update captured_total
set messages = messages - (select count(*) from dropped),
    bytes = bytes - (select coalesce(sum(size), 0) from dropped)
returning (select count(*) from dropped)"""

# Ids go on from where they were, so a cursor taken before stays good.
_DELETE_ALL = "truncate captured_mail continue identity"
_EMPTIED = """
with held as (select messages from captured_total for update)
update captured_total set messages = 0, bytes = 0 from held returning held.messages"""

_ONE = """
select capture_id, captured_at, sender, recipients, account_id, request_id, position, message_key,
       subject, header_from, header_to, size, raw
from captured_mail where capture_id = $1"""
_RAW = "select raw from captured_mail where capture_id = $1"
_LIST = """
select capture_id, captured_at, sender, recipients, account_id, request_id, position, message_key,
       subject, header_from, header_to, size
from captured_mail"""
_ARRIVED = "select capture_id, recipient_keys, message_key, search_text, account_id from captured_mail"
_NEWEST = "select coalesce(max(capture_id), 0) from captured_mail"

_COLUMNS = (
    "capture_id", "captured_at", "sender", "recipients", "recipient_keys", "account_id", "request_id", "position",
    "message_key", "subject", "header_from", "header_to", "search_text", "size", "raw",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the mailbox: how many mails, how many bytes together, how many bytes in one."""

    messages: int = 100_000
    bytes: int = 1 << 30
    message_bytes: int = 25 << 20

    def __post_init__(self) -> None:
        if min(self.messages, self.bytes, self.message_bytes) < 1:
            raise ValueError(f"limits of the mailbox must be 1 or more, got {self}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A captured mail as lists show it. The last four of the envelope part are None for mail from elsewhere."""

    capture_id: int
    captured_at: datetime
    sender: str
    recipients: tuple[str, ...]
    account_id: int | None
    request_id: UUID | None
    position: int | None
    message_key: str | None
    subject: str
    header_from: str
    header_to: str
    size: int


@dataclass(frozen=True, slots=True)
class Total:
    messages: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a filter looks at."""

    capture_id: int
    recipient_keys: tuple[str, ...]
    message_key: str | None
    search_text: str
    account_id: int | None = None


@dataclass(frozen=True, slots=True)
class MailFilter:
    """Which mails are meant; what is None does not restrict.

    to: an envelope recipient, whole, in any case.
    message_key: whole, ASCII letters in any case (contract §0).
    subject: occurs in the subject, in any case.
    words: each occurs in subject, from, to or recipients, in any case.
    after: captured later than the mail with this id.
    before: captured earlier than the mail with this id.
    account_id: of a message of this business unit.
    """

    to: str | None = None
    message_key: str | None = None
    subject: str | None = None
    words: tuple[str, ...] = ()
    after: int | None = None
    before: int | None = None
    account_id: int | None = None

    def matches(self, mail: Arrived) -> bool:
        """The same verdict the SQL of this filter gives."""
        return (
            (self.to is None or fold(self.to) in mail.recipient_keys)
            and (self.message_key is None or _ascii_lower(self.message_key) == _ascii_lower(mail.message_key))
            and (self.subject is None or fold(self.subject) in mail.search_text.partition(PART)[0])
            and all(fold(word) in mail.search_text for word in self.words)
            and (self.after is None or mail.capture_id > self.after)
            and (self.before is None or mail.capture_id < self.before)
            and (self.account_id is None or mail.account_id == self.account_id)
        )

    def where(self) -> tuple[str, list[object]]:
        """` where ...` with numbered parameters, and their values."""
        conditions: list[str] = []
        values: list[object] = []

        def add(condition: str, value: object) -> None:
            values.append(value)
            conditions.append(condition.replace("?", f"${len(values)}"))

        if self.to is not None:
            add("recipient_keys @> array[?::text]", fold(self.to))
        if self.message_key is not None:
            add('lower(message_key collate "C") = ?', _ascii_lower(self.message_key))
        if self.subject is not None:
            add("strpos(split_part(search_text, chr(31), 1), ?) > 0", fold(self.subject))
        for word in self.words:
            add("strpos(search_text, ?) > 0", fold(word))
        if self.after is not None:
            add("capture_id > ?", self.after)
        if self.before is not None:
            add("capture_id < ?", self.before)
        if self.account_id is not None:
            add("account_id = ?", self.account_id)
        return (" where " + " and ".join(conditions) if conditions else ""), values


def fold(text: str) -> str:
    """Text for comparing without regard to case, in a form PostgreSQL takes."""
    return text.casefold().replace("\0", "").encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mail ready to be stored."""

    arrival: Arrival
    captured_at: datetime
    summary: Summary = field(init=False)
    origin: Origin | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "summary", summarize(self.arrival.raw))
        object.__setattr__(self, "origin", origin_of(self.summary.message_id))

    @property
    def size(self) -> int:
        return len(self.arrival.raw)

    def record(self, capture_id: int, message_key: str | None) -> tuple[object, ...]:
        """The row, in the order of `_COLUMNS`."""
        summary, recipients = self.summary, self.arrival.recipients
        ours = self.origin if message_key is not None else None
        search = PART.join((summary.subject, summary.header_from, summary.header_to, *recipients))
        return (
            capture_id,
            self.captured_at,
            self.arrival.sender,
            recipients,
            [fold(recipient) for recipient in recipients],
            ours.account_id if ours else None,
            ours.request_id if ours else None,
            ours.position if ours else None,
            message_key,
            summary.subject,
            summary.header_from,
            summary.header_to,
            fold(search),
            self.size,
            self.arrival.raw,
        )


class Mailbox:
    """The captured mails in the database of `pool`. Errors of the database are passed on as asyncpg raises them."""

    def __init__(self, pool: asyncpg.Pool, limits: Limits) -> None:
        self._pool = pool
        self.limits = limits

    @property
    def pool(self) -> asyncpg.Pool:
        return self._pool

    @property
    def max_message_bytes(self) -> int:
        """The largest mail there is room for."""
        return min(self.limits.message_bytes, self.limits.bytes)

    async def store(self, mails: Sequence[Incoming]) -> list[int]:
        """Commits all `mails` together and gives their ids, in order; drops the oldest beyond the limits."""
        async with self._pool.acquire() as connection:
            keys = await self._message_keys(connection, mails)
            async with connection.transaction():
                ids = [row["capture_id"] for row in await connection.fetch(_LOCK_AND_NUMBER, len(mails))]
                records = [
                    mail.record(
                        number, keys.get((mail.origin.request_id, mail.origin.position)) if mail.origin else None
                    )
                    for number, mail in zip(ids, mails, strict=True)
                ]
                await connection.copy_records_to_table("captured_mail", records=records, columns=_COLUMNS)
                total = await connection.fetchrow(_GREW, len(mails), sum(mail.size for mail in mails))
                assert total is not None
                await self._drop_oldest(connection, Total(total["messages"], total["bytes"]))
        return ids

    async def _drop_oldest(self, connection: asyncpg.pool.PoolConnectionProxy, held: Total) -> None:
        """Drops mails until the limits hold, up to 1,000 a statement."""
        while held.messages > self.limits.messages or held.bytes > self.limits.bytes:
            row = await connection.fetchrow(
                _DROP_OLDEST, max(held.messages - self.limits.messages, 0), max(held.bytes - self.limits.bytes, 0)
            )
            assert row is not None
            left = Total(row["messages"], row["bytes"])
            if left == held:
                raise RuntimeError(f"captured_total says {held} but captured_mail is empty")
            held = left

    async def _message_keys(
        self, connection: asyncpg.pool.PoolConnectionProxy, mails: Sequence[Incoming]
    ) -> dict[tuple[UUID, int], str]:
        """Message keys by request id and position, of those mails that are Postroom's own."""
        by_account: dict[int, list[Origin]] = {}
        for mail in mails:
            if mail.origin is not None:
                by_account.setdefault(mail.origin.account_id, []).append(mail.origin)
        keys: dict[tuple[UUID, int], str] = {}
        for account_id, origins in by_account.items():
            days: list[date] = [origin.day for origin in origins]
            requests = [origin.request_id for origin in origins]
            positions = [origin.position for origin in origins]
            for row in await connection.fetch(_KEYS, account_id, days, requests, positions):
                keys[row["request_id"], row["position"]] = row["message_key"]
        return keys

    async def total(self) -> Total:
        """How many mails and bytes are held; costs the same however many there are."""
        row = await self._pool.fetchrow(_TOTAL)
        assert row is not None
        return Total(row["messages"], row["bytes"])

    async def newest_id(self) -> int:
        """The id of the newest mail, 0 when there is none."""
        return int(await self._pool.fetchval(_NEWEST))

    async def find(self, wanted: MailFilter, *, limit: int) -> list[Entry]:
        """Up to `limit` mails, newest first. The next page is `before` the last one's id."""
        where, values = wanted.where()
        rows = await self._pool.fetch(
            f"{_LIST}{where} order by capture_id desc limit ${len(values) + 1}", *values, limit
        )
        return [_entry(row) for row in rows]

    async def arrived_after(self, capture_id: int, *, limit: int) -> list[Arrived]:
        """Up to `limit` mails captured after the given one, oldest first."""
        rows = await self._pool.fetch(
            f"{_ARRIVED} where capture_id > $1 order by capture_id limit $2", capture_id, limit
        )
        return [
            Arrived(
                row["capture_id"],
                tuple(row["recipient_keys"]),
                row["message_key"],
                row["search_text"],
                row["account_id"],
            )
            for row in rows
        ]

    async def get(self, capture_id: int) -> tuple[Entry, bytes] | None:
        """One mail and its bytes as they arrived; None when it is not there (any more)."""
        row = await self._pool.fetchrow(_ONE, capture_id)
        return None if row is None else (_entry(row), row["raw"])

    async def raw(self, capture_id: int) -> bytes | None:
        """The bytes of one mail as they arrived, without envelope and dot-stuffing."""
        raw: bytes | None = await self._pool.fetchval(_RAW, capture_id)
        return raw

    async def delete(self, capture_id: int) -> bool:
        """Deletes one mail; False when it was not there."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK)
            return await connection.fetchval(_DELETE_ONE, capture_id) is True

    async def delete_account(self, account_id: int) -> int:
        """Deletes the mails of one business unit's messages; tells how many there were."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK)
            return int(await connection.fetchval(_DELETE_ACCOUNT, account_id))

    async def delete_all(self) -> int:
        """Empties the mailbox and gives its space back; tells how many mails were there."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK)
            await connection.execute(_DELETE_ALL)
            return int(await connection.fetchval(_EMPTIED))


def _entry(row: asyncpg.Record) -> Entry:
    return Entry(
        capture_id=row["capture_id"],
        captured_at=row["captured_at"],
        sender=row["sender"],
        recipients=tuple(row["recipients"]),
        account_id=row["account_id"],
        request_id=row["request_id"],
        position=row["position"],
        message_key=row["message_key"],
        subject=row["subject"],
        header_from=row["header_from"],
        header_to=row["header_to"],
        size=row["size"],
    )


def _ascii_lower(text: str | None) -> str | None:
    """lower() of PostgreSQL's C locale."""
    if text is None:
        return None
    return "".join(c.lower() if c.isascii() else c for c in text).replace("\0", "")
