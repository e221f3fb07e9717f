"""The pipeline on a database of its own, with the test in the place of SMTP.

`House` is a business unit whose requests are accepted by a real `Accepter`; a `Hand` is a delivery worker that
claims, loads and settles as real ones do, while the test says what became of each message. Time passes by moving
the rows of the queue, never by waiting.
"""

import asyncio
import itertools
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
from uuid_utils.compat import uuid7

from postroom.audience.soft_bounces import SoftBounceRule
from postroom.bounces.verdict import read_rules
from postroom.catalog.sending_options import DEFAULT, SendingOptions
from postroom.catalog.versions import VersionDraft, store_version
from postroom.content.ampscript.dialect import Dialect
from postroom.content.model import Content
from postroom.delivery.claim import Queue
from postroom.delivery.composer import Composer
from postroom.delivery.keyring import Keyring
from postroom.delivery.loading import Loaded, Loader
from postroom.delivery.outcome import Outcome, Sent
from postroom.delivery.record import Recorder
from postroom.delivery.rendering import Renderer
from postroom.delivery.retry import RetrySchedule
from postroom.delivery.settle import Settler
from postroom.delivery.slices import Message, Slice
from postroom.delivery.versions import Sender, Versions
from postroom.events.put_offs import PutOff
from postroom.intake.accept import Accepter
from postroom.intake.ledger import Ledger
from postroom.intake.request import Accepted, SendRequest
from postroom.metrics.counts import Counts
from postroom.store.pool import Pool, open_pool
from postroom.tenancy.accounts import ensure_account

ACCOUNT = 100001
KEY_WINDOW = timedelta(hours=72)
SLICE_SIZE = 100
MOST_CONNECTIONS = 12
LEASE = timedelta(seconds=60)
SCHEDULE = RetrySchedule(waits=(timedelta(minutes=1), timedelta(hours=1)), max_age=timedelta(hours=24))

_DEFINE = """
insert into definition (account_id, definition_id, definition_key, name, status, classification_key, content_key,
                        list_id, auto_add_subscriber, update_subscriber, track_links, version_id)
values ($1, $2, $3, $3, $4, 'Default Transactional', 'content', $5, $6, $7, false, $8)
"""

# By rows, which costs less than truncating hundreds of partitions.
EMPTY = """
do $$ begin
    drop trigger if exists fail on queue;
    delete from queue; delete from event; delete from message; delete from send_request; delete from contact;
    delete from definition_version; delete from definition; delete from profile_attribute; delete from classification;
    delete from suppression; delete from put_off;
    delete from list; delete from data_job; delete from data_extension; delete from asset; delete from account;
    perform setval(pg_get_serial_sequence('queue', 'slice_id'), 1, false);
end $$
"""

# Final events are what the vendor calls statuses.
_FINAL = """
select m.message_key, e.kind, e.status_code
from message m join event e on e.account_id = m.account_id and e.request_id = m.request_id and e.position = m.position
where m.account_id = $1 and e.kind in ('sent', 'not_sent')
order by e.event_id
"""

_KINDS = """
select m.message_key, e.kind
from message m join event e on e.account_id = m.account_id and e.request_id = m.request_id and e.position = m.position
where m.account_id = $1
order by e.event_id
"""


class Person(msgspec.Struct, frozen=True):
    """One recipient, with what the intake reads of it."""

    contact_key: str | None
    to: str | None
    message_key: str | None = None
    attributes: msgspec.Raw = msgspec.Raw()


def people(keys: Sequence[str], attributes: dict[str, object] | None = None) -> list[Person]:
    """A recipient for each message key, contact and address being named after it."""
    raw = msgspec.Raw() if attributes is None else msgspec.Raw(json.dumps(attributes).encode())
    return [Person(f"c-{key}", f"{key.lower()}@example.com", key, raw) for key in keys]


async def _unannounced(_account_id: int) -> None:
    """Nobody listens."""


@asynccontextmanager
async def accepting(
    pool: Pool, announce: Callable[[int], "asyncio.Future[None]"] | None = None
) -> AsyncIterator[Accepter]:
    """An accepter as an API process has one."""
    accepter = Accepter(
        Ledger(pool, key_window=KEY_WINDOW, slice_size=SLICE_SIZE),
        announce=announce or _unannounced,
        new_request_id=uuid7,
        random_bytes=os.urandom,
    )
    accepter.start()
    try:
        yield accepter
    finally:
        await accepter.close()


@asynccontextmanager
async def open_house(dsn: str) -> AsyncIterator["House"]:
    """A house on a fresh database, with one business unit and one active definition, `welcome`."""
    pool = await open_pool(dsn, max_size=MOST_CONNECTIONS, application_name="house")
    try:
        async with furnished(dsn, pool) as house:
            yield house
    finally:
        await pool.close()


@asynccontextmanager
async def furnished(dsn: str, pool: Pool) -> AsyncIterator["House"]:
    """The same on connections to a database that is empty."""
    async with accepting(pool) as accepter:
        house = House(dsn, pool, accepter)
        await house.open_account(ACCOUNT)
        await house.define("welcome")
        yield house


class House:
    """One database with the intake in front of it."""

    def __init__(self, dsn: str, pool: Pool, accepter: Accepter) -> None:
        self.dsn = dsn
        self.pool = pool
        self.accepter = accepter
        self._names = itertools.count(1)

    async def open_account(self, account_id: int) -> None:
        """Make a business unit."""
        async with self.pool.acquire() as connection, connection.transaction():
            await ensure_account(connection, account_id, f"Unit {account_id}")

    async def define(
        self,
        key: str,
        *,
        account_id: int = ACCOUNT,
        status: str = "Active",
        auto_add: bool = True,
        update: bool = True,
        text: str = "Hello %%_subscriberkey%%",
        from_address: str = "shop@example.com",
        data_extension_id: int | None = None,
        cc: tuple[str, ...] = (),
        bcc: tuple[str, ...] = (),
        sending: SendingOptions = DEFAULT,
        content: Content | None = None,
        track_links: bool = False,
    ) -> UUID:
        """Make a definition with one version; of this content, or of a text alone."""
        definition_id = uuid4()
        content = content or Content(subject="Hello", html=None, text=text, from_address=from_address, cc=cc, bcc=bcc)
        async with self.pool.acquire() as connection, connection.transaction():
            list_id = await connection.fetchval("select list_id from list where account_id = $1", account_id)
            version_id = await store_version(
                connection,
                VersionDraft(
                    account_id,
                    definition_id,
                    list_id,
                    auto_add,
                    update,
                    track_links,
                    content,
                    data_extension_id,
                    sending=sending,
                ),
            )
            await connection.execute(
                _DEFINE, account_id, definition_id, key, status, list_id, auto_add, update, version_id
            )
        return definition_id

    async def set_status(self, definition_id: UUID, status: str) -> None:
        """Change what a definition is."""
        await self.pool.execute(
            "update definition set status = $3 where account_id = $1 and definition_id = $2",
            ACCOUNT,
            definition_id,
            status,
        )

    async def accept(
        self, recipients: Sequence[Person], definition_key: str = "welcome", account_id: int = ACCOUNT
    ) -> Accepted:
        """Hand a request in, as the API does."""
        return await self.accepter.accept(SendRequest(account_id, definition_key, recipients, msgspec.Raw()))

    def keys(self, count: int) -> list[str]:
        """So many message keys that nobody has used."""
        return [f"m{next(self._names)}" for _ in range(count)]

    async def accept_many(self, count: int, definition_key: str = "welcome") -> list[str]:
        """Accept so many messages in one request; their keys."""
        keys = self.keys(count)
        await self.accept(people(keys), definition_key)
        return keys

    # -- what the tables hold

    async def count(self, table: str) -> int:
        """Rows of a table."""
        number: int = await self.pool.fetchval(f"select count(*) from {table}")
        return number

    async def final(self) -> dict[str, tuple[str, int | None]]:
        """The final event of each message that has one; fails on a message with two."""
        rows = await self.pool.fetch(_FINAL, ACCOUNT)
        found = {row["message_key"]: (row["kind"], row["status_code"]) for row in rows}
        assert len(found) == len(rows), "a message has two final events"
        return found

    async def finals_by_key(self) -> Counter[str]:
        """How many final events each message has."""
        return Counter(row["message_key"] for row in await self.pool.fetch(_FINAL, ACCOUNT))

    async def kinds(self, key: str) -> list[str]:
        """The events of one message, in the order of the log."""
        return [row["kind"] for row in await self.pool.fetch(_KINDS, ACCOUNT) if row["message_key"] == key]

    # -- time

    async def expire_leases(self) -> None:
        """Every lease has run out."""
        await self.pool.execute(
            "update queue set leased_until = now() - interval '1 second' where leased_until > now()"
        )

    async def make_due(self) -> None:
        """What waits for a retry is due."""
        await self.pool.execute("update queue set due_at = now() where due_at > now()")

    async def age(self, by: timedelta) -> None:
        """Everything queued was accepted so much earlier."""
        await self.pool.execute("update queue set accepted_at = accepted_at - $1::interval", by)


def _not_now(message: Message, _seconds: float, why: PutOff) -> None:
    raise AssertionError(f"{message.message_key} was put off: {why}")


class Hand:
    """A delivery worker without SMTP."""

    def __init__(self, house: House, owner: str, *, pool: "Pool | None" = None, lease: timedelta = LEASE) -> None:
        clock = asyncio.get_running_loop().time
        self.owner = owner
        self.pool = pool or house.pool
        self.queue = Queue(self.pool, owner=owner, lease=lease, clock=clock)
        versions = Versions(self.pool, sender=Sender("Shop", "shop@example.com"), dialect=Dialect(), clock=clock)
        composer = Composer(versions.prepared)
        self.loader = Loader(self.pool, self.queue, versions, composer, Keyring(self.pool))
        self._rendered: asyncio.Queue[list[Message]] = asyncio.Queue()
        self._renderer = Renderer(self.pool, versions, composer, rendered=self._rendered.put_nowait, postponed=_not_now)

    async def claim(self, room: int = 1_000) -> list[Slice]:
        """Up to so many slices of each lane that may be claimed."""
        lanes = [lane.key for lane in await self.queue.due_lanes(ACCOUNT) if lane.status == "Active"]
        return await self.queue.claim(ACCOUNT, [(key, room) for key in lanes]) if lanes else []

    async def load(self, slices: Sequence[Slice]) -> Loaded:
        """The unfinished messages of what was claimed, rendered where that has to wait."""
        loaded = await self.loader.load(ACCOUNT, slices)
        ready = list(self._renderer.take(loaded.messages))
        while len(ready) < len(loaded.messages):
            ready += await self._rendered.get()
        return Loaded(ready, loaded.unsendable)

    async def work(self, outcome: Callable[[Message], Outcome] = lambda _: Sent(), room: int = 1_000) -> list[str]:
        """Claim, load and settle once; the keys of what was tried."""
        slices = await self.claim(room)
        loaded = await self.load(slices)
        await self.settle(slices, loaded, outcome)
        return [message.message_key for message in loaded.messages]

    async def settle(
        self,
        slices: Sequence[Slice],
        loaded: Loaded,
        outcome: Callable[[Message], Outcome | None] = lambda _: Sent(),
        *,
        now: datetime | None = None,
        soft: SoftBounceRule | None = None,
        counts: Counts | None = None,
    ) -> list[Slice]:
        """Settle each message as told, those told None not at all; the slices that are over."""
        over: list[Slice] = []
        settler = Settler(self.pool, interval=0.0, settled=over.append, counts=counts)
        recorder = Recorder(
            settler,
            SCHEDULE,
            rules=read_rules(),
            now=lambda: now or datetime.now(UTC),
            clock=asyncio.get_running_loop().time,
            rand=lambda: 0.5,
            soft=soft,
        )
        for each in slices:
            if each.outstanding == 0:
                recorder.empty(each)
        for unsendable in loaded.unsendable:
            recorder.unsendable(
                unsendable.slice, unsendable.position, unsendable.code, unsendable.reason, unsendable.contact_id
            )
        for message in loaded.messages:
            found = outcome(message)
            if found is not None:
                recorder.outcome(message, found)
        settler.start()
        await settler.close()
        return over
