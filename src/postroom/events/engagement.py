"""Opens and clicks on their way into the event log: answered first, gathered, judged, and written many at a time.

What is gathered is in memory for ``interval`` and lost when the process is killed. It is bounded: of one mail at most
``MOST_A_MINUTE`` are kept a minute, and while the database is away at most ``MOST_WAITING`` in all. What a commit has
written whose answer was lost is not written again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple, TypeAlias
from uuid import UUID

import msgspec
import structlog

from postroom.content.link_tokens import Token
from postroom.events.log import Event, append_events, without_logged
from postroom.events.machines import MachineRules, Visit
from postroom.store.isolation import apart
from postroom.store.pool import Pool, PooledConnection
from postroom.store.trouble import DATABASE_TROUBLE, Trouble, tell_trouble

MOST_A_MINUTE = 60
MOST_WAITING = 100_000
LONGEST_USER_AGENT = 512

_BATCH = 500  # judging more at once would hold up answers
_TROUBLE_SECONDS = 1.0
_REMEMBERED = 20_000
_BURST_SECONDS = 1.0

_DEFINITIONS = """
select wanted.account_id, wanted.version_id, v.definition_id
  from unnest($1::bigint[], $2::bigint[]) as wanted(account_id, version_id)
 cross join lateral (
    select definition_id from definition_version
     where account_id = wanted.account_id and version_id = wanted.version_id
     limit 1) v
"""

# Who was erased may still open an old mail.
_CONTACTS = """
select wanted.account_id, wanted.contact_id
  from unnest($1::bigint[], $2::bigint[]) as wanted(account_id, contact_id)
 cross join lateral (
    select contact_id from contact
     where account_id = wanted.account_id and contact_id = wanted.contact_id and status <> 'Deleted'
     limit 1) c
"""

_PRIVATE = """
select account_id from account
where account_id = any($1::bigint[])
  and case tracking_privacy when 'server' then $2::boolean else tracking_privacy = 'private' end
"""

_Key: TypeAlias = tuple[int, int]
"""Request and position: one mail."""

_encode = msgspec.json.Encoder().encode


class Hit(NamedTuple):
    """One open or click as it was asked for; ``at`` is in seconds since the epoch."""

    token: Token
    at: float
    method: str
    address: str
    user_agent: str
    hints: tuple[str, ...]


class Seen:
    """What one mail's links were asked for lately."""

    __slots__ = ("count", "links", "minute")

    def __init__(self) -> None:
        self.minute = 0.0
        self.count = 0
        self.links: dict[int, float] = {}


class Engagement:
    """Takes hits from the edge and writes them.

    ``private`` leaves out address and user agent, where the business unit says nothing else.
    """

    def __init__(
        self,
        pool: Pool,
        rules: MachineRules,
        *,
        interval: float,
        private: bool,
    ) -> None:
        self._pool = pool
        self._rules = rules
        self._interval = interval
        self._private = private
        self._waiting: list[Hit] = []
        self._begun: list[int] = []
        """What `_bursts` said of the first hits that wait, when they could not be written."""
        self._woken = asyncio.Event()
        self._seen: OrderedDict[_Key, Seen] = OrderedDict()
        self._definitions: OrderedDict[tuple[int, int], UUID] = OrderedDict()
        self._dropped = 0
        self._closing = False
        self._log = structlog.get_logger("tracking")

    @property
    def hint_names(self) -> frozenset[bytes]:
        """The request headers that are looked at, beside the user agent."""
        return self._rules.headers

    def take(self, hit: Hit) -> None:
        """Keep the hit until it is written, unless there are too many."""
        if len(self._waiting) >= MOST_WAITING:
            self._dropped += 1
            return
        self._waiting.append(hit)
        self._woken.set()

    async def run(self) -> None:
        """Write what comes until `close`; then what is left."""
        while not (self._closing and not self._waiting):
            await self._woken.wait()
            self._woken.clear()
            if not self._closing:
                await asyncio.sleep(self._interval)
            while self._waiting:
                if not await self._write(self._waiting[: len(self._begun) or _BATCH]):
                    if self._closing:
                        self._log.error("opens_and_clicks_lost", count=len(self._waiting))
                        return
                    await asyncio.sleep(_TROUBLE_SECONDS)
            if self._dropped:
                self._log.error("opens_and_clicks_lost", count=self._dropped)
                self._dropped = 0

    def close(self) -> None:
        """Let `run` end once everything is written."""
        self._closing = True
        self._woken.set()

    async def _write(self, hits: Sequence[Hit]) -> bool:
        again = bool(self._begun)
        try:
            self._begun = self._begun or self._bursts(hits)
            await self._find_definitions(hits)
            known = await self._known_contacts(hits)
            private = await self._private_accounts(hits)
            events = [
                self._event(
                    hit,
                    links,
                    known=(hit.token.message.account_id, hit.token.message.contact_id) in known,
                    private=hit.token.message.account_id in private,
                )
                for hit, links in zip(hits, self._begun, strict=True)
            ]
            await self._append_apart([event for event in events if event is not None], again=again)
        except DATABASE_TROUBLE as error:
            trouble = tell_trouble(self._log, "opens_and_clicks_wait_for_database", error, count=len(self._waiting))
            if trouble is not Trouble.VALUE:
                return False
        except Exception:
            # Whatever it is, it would come again: better these few are lost than all that follow.
            self._log.exception("opens_and_clicks_lost", count=len(hits))
        del self._waiting[: len(hits)]
        self._begun = []
        return True

    async def _append_apart(self, events: list[Event], *, again: bool) -> None:
        first = True

        async def append(part: Sequence[Event]) -> None:
            nonlocal first
            look, first = again or not first, False
            async with self._pool.acquire() as connection, connection.transaction():
                await self._append(connection, list(part), again=look)

        for place, why in await apart(events, append):
            event = events[place]
            request_id = str(event.request_id)
            tell_trouble(self._log, "open_or_click_lost", why, request_id=request_id, position=event.position)

    async def _append(self, connection: PooledConnection, events: list[Event], *, again: bool) -> None:
        if again:
            by_account: dict[int, list[Event]] = {}
            for event in events:
                by_account.setdefault(event.account_id, []).append(event)
            events = []
            for account_id, each in by_account.items():
                events += await without_logged(connection, account_id, each)
        await append_events(connection, events)

    async def _find_definitions(self, hits: Sequence[Hit]) -> None:
        wanted = {(hit.token.message.account_id, hit.token.message.version_id) for hit in hits}
        wanted = {key for key in wanted if key not in self._definitions}
        if not wanted:
            return
        rows = await self._pool.fetch(
            _DEFINITIONS, [account_id for account_id, _ in wanted], [version_id for _, version_id in wanted]
        )
        for row in rows:
            self._definitions[row["account_id"], row["version_id"]] = row["definition_id"]
        while len(self._definitions) > _REMEMBERED:
            self._definitions.popitem(last=False)

    async def _known_contacts(self, hits: Sequence[Hit]) -> set[tuple[int, int]]:
        wanted = {(hit.token.message.account_id, hit.token.message.contact_id) for hit in hits}
        rows = await self._pool.fetch(
            _CONTACTS, [account_id for account_id, _ in wanted], [contact_id for _, contact_id in wanted]
        )
        return {(row["account_id"], row["contact_id"]) for row in rows}

    async def _private_accounts(self, hits: Sequence[Hit]) -> set[int]:
        wanted = {hit.token.message.account_id for hit in hits}
        return {row["account_id"] for row in await self._pool.fetch(_PRIVATE, list(wanted), self._private)}

    def _event(self, hit: Hit, links: int, *, known: bool, private: bool) -> Event | None:
        """What is logged; of a contact that is not ``known`` any more, nothing that tells of a person."""
        token, message = hit.token, hit.token.message
        definition_id = self._definitions.get((message.account_id, message.version_id))
        if definition_id is None or links < 0:
            return None
        kind: Literal["opened", "clicked"] = "clicked" if token.kind == "click" else "opened"
        verdict, reason = self._rules.judge(Visit(kind, hit.method, hit.user_agent, hit.hints, links))
        detail: dict[str, object] = {"verdict": verdict}
        if reason:
            detail["verdict_reason"] = reason
        if known and not private:
            detail["ip_address"] = hit.address
            detail["user_agent"] = hit.user_agent
        if kind == "clicked":
            detail["link"] = token.number
            if known:
                detail["target"] = token.target
            if token.name:
                detail["link_name"] = token.name
            if token.region:
                detail["region"] = token.region
        at = datetime.fromtimestamp(hit.at, UTC)
        return Event(
            message.account_id,
            at.date(),
            at,
            message.request_id,
            message.position,
            definition_id,
            kind,
            message.contact_id if known else None,
            None,
            _encode(detail).decode(),
        )

    def _bursts(self, hits: Sequence[Hit]) -> list[int]:
        """`_count` of each hit; those that began a burst have the number of all that it came to."""
        keys = [(hit.token.message.request_id.int, hit.token.message.position) for hit in hits]
        counts = [self._count(hit, key) for hit, key in zip(hits, keys, strict=True)]
        if max(counts, default=0) < 2:
            return counts
        later: dict[_Key, tuple[float, int]] = {}
        for place in range(len(hits) - 1, -1, -1):
            if counts[place] < 0:
                continue
            at = hits[place].at
            then, links = later.get(keys[place], (at, 0))
            if then - at <= _BURST_SECONDS:
                counts[place] = max(counts[place], links)
            later[keys[place]] = (at, counts[place])
        return counts

    def _count(self, hit: Hit, key: _Key) -> int:
        """How many different links of the mail were asked for within the second before; -1 when there were too many
        hits of the mail in this minute."""
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = Seen()
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        at = hit.at
        if at - seen.minute >= 60.0:
            seen.minute, seen.count = at, 0
        seen.count += 1
        if seen.count > MOST_A_MINUTE:
            return -1
        if hit.token.kind == "click":
            seen.links[hit.token.number] = at
        if len(seen.links) > 1:
            seen.links = {number: then for number, then in seen.links.items() if at - then <= _BURST_SECONDS}
        return len(seen.links)
