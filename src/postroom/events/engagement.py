"""Opens and clicks on their way into the event log: answered first, gathered, judged, and written many at a time.

What is gathered is in memory for ``interval`` and lost when the process is killed. It is bounded: of one mail at most
``MOST_A_MINUTE`` are kept a minute, and while the database is away at most ``MOST_WAITING`` in all.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec
import structlog

from postroom.content.link_tokens import LinkMessage, Token
from postroom.events.log import Event, append_events
from postroom.events.machines import MachineRules, Visit
from postroom.store.errors import DATABASE_AWAY
from postroom.store.pool import Pool

MOST_A_MINUTE = 60
MOST_WAITING = 100_000
LONGEST_USER_AGENT = 512

_BATCH = 5_000
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
    """Takes hits from the edge and writes them. ``private`` leaves out address and user agent."""

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
        self._woken = asyncio.Event()
        self._seen: OrderedDict[LinkMessage, Seen] = OrderedDict()
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
                if not await self._write(self._waiting[:_BATCH]):
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
        try:
            await self._find_definitions(hits)
            events = [self._event(hit, links) for hit, links in zip(hits, self._bursts(hits), strict=True)]
            async with self._pool.acquire() as connection, connection.transaction():
                await append_events(connection, [event for event in events if event is not None])
        except DATABASE_AWAY as error:
            self._log.warning("opens_and_clicks_wait_for_database", count=len(self._waiting), error=repr(error))
            return False
        except Exception:
            # Whatever it is, it would come again: better these few are lost than all that follow.
            self._log.exception("opens_and_clicks_lost", count=len(hits))
        del self._waiting[: len(hits)]
        return True

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

    def _event(self, hit: Hit, links: int) -> Event | None:
        token, message = hit.token, hit.token.message
        definition_id = self._definitions.get((message.account_id, message.version_id))
        if definition_id is None or links < 0:
            return None
        kind: Literal["opened", "clicked"] = "clicked" if token.kind == "click" else "opened"
        verdict, reason = self._rules.judge(Visit(kind, hit.method, hit.user_agent, hit.hints, links))
        detail: dict[str, object] = {"verdict": verdict}
        if reason:
            detail["verdict_reason"] = reason
        if not self._private:
            detail["address"] = hit.address
            detail["user_agent"] = hit.user_agent[:LONGEST_USER_AGENT]
        if kind == "clicked":
            detail["link"] = token.number
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
            message.contact_id or None,
            None,
            _encode(detail).decode(),
        )

    def _bursts(self, hits: Sequence[Hit]) -> list[int]:
        """`_count` of each hit; those that began a burst have the number of all that it came to."""
        counts = [self._count(hit) for hit in hits]
        later: dict[LinkMessage, tuple[float, int]] = {}
        for place in range(len(hits) - 1, -1, -1):
            message, at = hits[place].token.message, hits[place].at
            if counts[place] < 0:
                continue
            then, links = later.get(message, (at, 0))
            if then - at <= _BURST_SECONDS:
                counts[place] = max(counts[place], links)
            later[message] = (at, counts[place])
        return counts

    def _count(self, hit: Hit) -> int:
        """How many different links of the mail were asked for within the second before; -1 when there were too many
        hits of the mail in this minute."""
        message = hit.token.message
        seen = self._seen.get(message)
        if seen is None:
            seen = self._seen[message] = Seen()
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        if hit.at - seen.minute >= 60.0:
            seen.minute, seen.count = hit.at, 0
        seen.count += 1
        if seen.count > MOST_A_MINUTE:
            return -1
        if hit.token.kind == "click":
            seen.links[hit.token.number] = hit.at
        seen.links = {number: at for number, at in seen.links.items() if hit.at - at <= _BURST_SECONDS}
        return len(seen.links)
