"""Jobs over whatever messages a filter finds: hold, release, cancel, retry, resend.

A job is counted first and does nothing before it is confirmed. Then any process goes through the messages, the newest
first, so many at a time; what is done to them and the place that was reached are one transaction. So after the death of
a process another goes on where it stopped, and no message is dealt with twice. It ends at messages that were accepted
before it was counted: a job never meets its own.

Whether a message matches is asked when its turn comes. One that a worker has at this moment is left to it.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias, get_args
from uuid import UUID

import asyncpg
import msgspec
import structlog
from uuid_utils.compat import uuid7

from postroom.events.codes import StatusCode
from postroom.events.search import FoundMessage, Place, Wanted, search_messages, search_on
from postroom.intake import holding
from postroom.intake.ledger import Ledger
from postroom.intake.resending import resend
from postroom.store.database import Database, Pool
from postroom.store.isolation import apart
from postroom.store.pool import PooledConnection
from postroom.store.trouble import DATABASE_TROUBLE, Trouble, tell_trouble

Action: TypeAlias = Literal["hold", "release", "cancel", "retry", "resend"]
State: TypeAlias = Literal["counted", "running", "finished", "cancelled"]

ACTIONS: Sequence[Action] = get_args(Action)

MATCHING = ("queued", "held", "sent", "notSent")
"""What is counted: each message is one of these."""

MEANT: Mapping[Action, Sequence[str]] = {
    "hold": ("queued",),
    "release": ("held",),
    "retry": ("queued",),
    "cancel": ("queued", "held"),
    "resend": ("sent", "notSent"),
}
"""Which of them an action is for."""

RESULTS = ("done", "claimed", "erased", "definitionGone", "otherState", "refused")
"""What becomes of messages. ``otherState``: its state was none that the action is for. ``refused``: by the database."""

MOST_COUNTED = 10_000
"""Messages; and so many pages of a search are looked at, some of which may be nearly empty."""

AT_ONCE = 500
"""Messages of one transaction."""

_MOST_PAGES = 40
_UNCONFIRMED = timedelta(days=1)
_ENDED = timedelta(days=30)
_FORGET_SECONDS = 600.0
_REFUSED_TURNS = 30

_INSERT = """
insert into message_job (account_id, job_id, action, address, contact_key, definition_key, status, accepted_from,
                         accepted_before, requested_by, counted_at, matching, complete)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::jsonb, $13)
returning *
"""

_FIND = "select * from message_job where account_id = $1 and job_id = $2"

_LATEST = "select * from message_job where account_id = $1 order by job_id desc limit $2"

_CONFIRM = """
update message_job set state = 'running', confirmed_at = now()
where account_id = $1 and job_id = $2 and state = 'counted'
"""

_CANCEL = """
update message_job set state = 'cancelled', ended_at = now(), address = null, contact_key = null
where account_id = $1 and job_id = $2 and state in ('counted', 'running')
"""

_LOCK = """
select * from message_job where account_id = $1 and job_id = $2 and state = 'running' for update skip locked
"""

_NOTE = """
update message_job set results = $3::jsonb, place_day = $4, place_request = $5, place_position = $6
where account_id = $1 and job_id = $2
"""

_FINISH = """
update message_job set results = $3::jsonb, state = 'finished', ended_at = now(), address = null, contact_key = null
where account_id = $1 and job_id = $2
"""

_LINK = """
insert into resent_message (account_id, job_id, number, message_key, resent_as)
select $1, $2, $3::integer + k.place, k.message_key, k.resent_as
from unnest($4::text[], $5::text[]) with ordinality as k(message_key, resent_as, place)
"""

_RESENT = """
select number, message_key, resent_as from resent_message
where account_id = $1 and job_id = $2 and number > $3
order by number
limit $4
"""

_RUNNING = "select account_id, job_id from message_job where state = 'running' order by confirmed_at limit 100"

_FORGET = """
delete from message_job
where (state = 'counted' and counted_at < now() - $1::interval) or ended_at < now() - $2::interval
"""

_decode_counts = msgspec.json.Decoder(dict[str, int]).decode


@dataclass(frozen=True, slots=True)
class MessageJob:
    """One job. ``matching`` is what was counted, and everything when ``complete``; ``results`` is what was done."""

    job_id: UUID
    action: Action
    state: State
    wanted: Wanted
    requested_by: str
    counted_at: datetime
    confirmed_at: datetime | None
    ended_at: datetime | None
    matching: dict[str, int]
    complete: bool
    results: dict[str, int]

    @property
    def meant(self) -> int:
        """How many of those that were counted its action is for."""
        return sum(self.matching[name] for name in MEANT[self.action])


class ResentMessage(NamedTuple):
    """A message that a job sent again, and its new key. Numbers rise from 1."""

    number: int
    message_key: str
    resent_as: str


async def count_job(
    pool: Pool, account_id: int, action: Action, wanted: Wanted, *, new_id: UUID, requested_by: str
) -> MessageJob:
    """Note a job and count what it would find now; it waits for `confirm_job`."""
    counted_at: datetime = await pool.fetchval("select clock_timestamp()")
    before = counted_at if wanted.accepted_before is None else min(wanted.accepted_before, counted_at)
    wanted = replace(wanted, accepted_before=before)
    counts: Counter[str] = Counter()
    after: Place | None = None
    pages = 0
    while True:
        page = await search_messages(pool, account_id, wanted, after=after, limit=AT_ONCE, now=counted_at)
        counts.update(_state(each) for each in page.messages)
        after = page.behind
        pages += 1
        if after is None or pages == _MOST_PAGES or counts.total() >= MOST_COUNTED:
            break
    row = await pool.fetchrow(
        _INSERT,
        account_id,
        new_id,
        action,
        wanted.address,
        wanted.contact_key,
        wanted.definition_key,
        wanted.status,
        wanted.accepted_from,
        before,
        requested_by,
        counted_at,
        _encoded(counts),
        after is None,
    )
    assert row is not None
    return _job(row)


async def find_job(database: Database, account_id: int, job_id: UUID) -> MessageJob | None:
    """The job of this id."""
    row = await database.fetchrow(_FIND, account_id, job_id)
    return None if row is None else _job(row)


async def latest_jobs(database: Database, account_id: int, limit: int) -> list[MessageJob]:
    """The newest jobs that are kept, newest first."""
    return [_job(row) for row in await database.fetch(_LATEST, account_id, limit)]


async def confirm_job(database: Database, account_id: int, job_id: UUID) -> MessageJob | None:
    """Let a counted job begin; its state says whether it has. None when there is no such job."""
    await database.execute(_CONFIRM, account_id, job_id)
    return await find_job(database, account_id, job_id)


async def cancel_job(database: Database, account_id: int, job_id: UUID) -> MessageJob | None:
    """Let a job do no more; what it has done stays. Its state says whether it was in time."""
    await database.execute(_CANCEL, account_id, job_id)
    return await find_job(database, account_id, job_id)


async def resent_messages(
    database: Database, account_id: int, job_id: UUID, *, after: int, limit: int
) -> list[ResentMessage]:
    """What a job has sent again, behind a number, in order."""
    rows = await database.fetch(_RESENT, account_id, job_id, after, limit)
    return [ResentMessage(row["number"], row["message_key"], row["resent_as"]) for row in rows]


async def take_step(pool: Pool, ledger: Ledger, account_id: int, job_id: UUID, *, at_once: int = AT_ONCE) -> bool:
    """Deal with the next messages of a job; False when it is not running any more, or another process is at it."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(_LOCK, account_id, job_id)
        if row is None:
            return False
        job = _job(row)
        after = (
            None if row["place_day"] is None else Place(row["place_day"], row["place_request"], row["place_position"])
        )
        page = await search_on(connection, account_id, job.wanted, after=after, limit=at_once, now=datetime.now(UTC))
        results = _encoded(await _work_apart(connection, ledger, account_id, job, page.messages))
        if page.behind is None:
            await connection.execute(_FINISH, account_id, job_id, results)
            return False
        await connection.execute(_NOTE, account_id, job_id, results, *page.behind)
        return True


async def keep_jobs(
    pool: Pool, ledger: Ledger, *, announce: Callable[[int], Awaitable[None]], every: float = 1.0
) -> None:
    """Work on confirmed jobs in turns, and forget old ones, until cancelled.

    ``announce`` is called with the business unit after each step, so that delivery looks at once.
    """
    log = structlog.get_logger("intake")
    now = asyncio.get_running_loop().time
    forget_at = now()
    while True:
        goes_on, refused = False, False
        try:
            for row in await pool.fetch(_RUNNING):
                try:
                    goes_on = await take_step(pool, ledger, row["account_id"], row["job_id"]) or goes_on
                    await announce(row["account_id"])
                except Exception as error:
                    # It must not stop the others; this one is tried again with them.
                    trouble = tell_trouble(log, "message_job_failed", error, job_id=str(row["job_id"]))
                    if trouble is Trouble.AWAY:
                        raise
                    refused = refused or not trouble.passes
            if now() >= forget_at:
                await pool.execute(_FORGET, _UNCONFIRMED, _ENDED)
                forget_at = now() + _FORGET_SECONDS
        except DATABASE_TROUBLE as error:
            tell_trouble(log, "message_jobs_wait_for_database", error)
        if not goes_on:
            await asyncio.sleep(every * _REFUSED_TURNS if refused else every)


async def _work_apart(
    connection: PooledConnection, ledger: Ledger, account_id: int, job: MessageJob, messages: Sequence[FoundMessage]
) -> Counter[str]:
    """Deal with messages in the caller's transaction, and leave those as they are that the database refuses; the job's
    results with them."""
    results = Counter(job.results)

    async def work(part: Sequence[FoundMessage]) -> None:
        async with connection.transaction():
            done = await _work(connection, ledger, account_id, replace(job, results=results), part)
        results.update(done)

    for place, why in await apart(messages, work):
        message = messages[place]
        tell_trouble(
            structlog.get_logger("intake"),
            "message_left_by_job",
            why,
            account_id=account_id,
            job_id=str(job.job_id),
            message_key=message.message_key,
        )
        results["refused"] += 1
    return results


async def _work(
    connection: PooledConnection, ledger: Ledger, account_id: int, job: MessageJob, messages: Sequence[FoundMessage]
) -> Counter[str]:
    if not messages:
        return Counter()
    if job.action == "resend":
        counts = await _resend(connection, ledger, account_id, job, messages)
    else:
        counts = await _decide(connection, account_id, job.action, messages)
    return counts + Counter(otherState=len(messages) - counts.total())


async def _decide(
    connection: PooledConnection, account_id: int, action: Action, messages: Sequence[FoundMessage]
) -> Counter[str]:
    places = [holding.Place(each.place.request_id, each.place.position) for each in messages if each.status == "queued"]
    if action == "cancel":
        done, busy = await holding.end_waiting(connection, account_id, places, StatusCode.SUBSCRIBER_QUEUE_CLEARED)
        return Counter(done=done, claimed=len(busy))
    move = {"hold": holding.hold_waiting, "release": holding.release_held, "retry": holding.hasten_waiting}[action]
    done = await move(connection, account_id, places)
    return Counter(done=done, claimed=len(await holding.claimed(connection, account_id, places)))


async def _resend(
    connection: PooledConnection, ledger: Ledger, account_id: int, job: MessageJob, messages: Sequence[FoundMessage]
) -> Counter[str]:
    over = [each.place for each in messages if each.status != "queued"]
    resent = await resend(connection, ledger, account_id, over, new_request_id=uuid7, random_bytes=os.urandom)
    old, new = [old for old, _ in resent.keys], [new for _, new in resent.keys]
    await connection.execute(_LINK, account_id, job.job_id, job.results["done"], old, new)
    return Counter(done=len(new), erased=resent.erased, definitionGone=resent.definition_gone)


def _state(found: FoundMessage) -> str:
    if found.status == "queued":
        return "held" if found.held else "queued"
    return "sent" if found.status == "sent" else "notSent"


def _encoded(counts: Mapping[str, int]) -> str:
    return msgspec.json.encode(dict(counts)).decode()


def _counted(text: str, names: Sequence[str]) -> dict[str, int]:
    counts = _decode_counts(text)
    return {name: counts.get(name, 0) for name in names}


def _job(row: "asyncpg.Record | Mapping[str, Any]") -> MessageJob:
    return MessageJob(
        job_id=row["job_id"],
        action=row["action"],
        state=row["state"],
        wanted=Wanted(
            address=row["address"],
            contact_key=row["contact_key"],
            definition_key=row["definition_key"],
            status=row["status"],
            accepted_from=row["accepted_from"],
            accepted_before=row["accepted_before"],
        ),
        requested_by=row["requested_by"],
        counted_at=row["counted_at"],
        confirmed_at=row["confirmed_at"],
        ended_at=row["ended_at"],
        matching=_counted(row["matching"], MATCHING),
        complete=row["complete"],
        results=_counted(row["results"], RESULTS),
    )
