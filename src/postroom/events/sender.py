"""Telling one callback: read the log behind its place, post a batch, move the place; over and over.

One request is on its way at a time, so a batch is recorded before the next is cut, and events arrive in their order.
Where it ends is written down before it is sent: the next attempt, of this process or its successor, is the same batch
with the same id. Nothing a callback does concerns another: each has its own task, its own connection and its own place.

    wait for events -> read -> nothing wanted: move the place -> wait
                            -> begin -> post -> 2xx: move the place -> read
                                             -> else: record, wait (Patience), read again: the same batch, signed anew
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import msgspec
import structlog

from postroom.events.cursor import CallbackState, Cursor, LoggedEvent, LogPage, PostedBatch
from postroom.events.patience import Patience
from postroom.events.payloads import KINDS, Notice, notices
from postroom.events.poster import Posted, Poster
from postroom.events.reach import UrlRefused, read_url
from postroom.events.signature import KeyReading, signature_headers
from postroom.events.subscriptions import subscriptions_of
from postroom.store.isolation import apart
from postroom.store.pool import Pool
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

ANSWERS = frozenset({200, 201, 202, 203, 204})

# A place that passes only what nobody wants is written down now and then, not with every look.
_IDLE_MOVE = timedelta(seconds=5)
_DATABASE_SECONDS = 1.0
_LONGEST_REFUSED_SECONDS = 60.0
_LOOK_SECONDS = 1.0

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class SendingRules:
    """How callbacks are told. ``seconds`` is how long an answer may take."""

    private: bool
    reading: KeyReading
    seconds: float = 3.0
    patience: Patience = field(default_factory=Patience)


class CallbackSender:
    """Tells one callback until `close`, or until it is gone or somebody else's.

    ``wall_clock`` gives seconds since the epoch, for signatures; ``rand`` gives [0, 1).
    """

    def __init__(
        self,
        pool: Pool,
        account_id: int,
        callback_id: UUID,
        owner: str,
        rules: SendingRules,
        *,
        poster: Poster,
        wall_clock: Callable[[], float],
        rand: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._account_id = account_id
        self._callback_id = callback_id
        self._cursor = Cursor(pool, account_id, callback_id, owner)
        self._rules = rules
        self._poster = poster
        self._wall_clock = wall_clock
        self._clock = asyncio.get_running_loop().time
        self._rand = rand
        self._news = asyncio.Event()
        self._closed = asyncio.Event()
        self._log = structlog.get_logger("events").bind(callback_id=str(callback_id), account_id=account_id)

    def wake(self) -> None:
        """There may be events to send."""
        self._news.set()

    def close(self) -> None:
        """End after the request that is on its way."""
        self._closed.set()
        self._news.set()

    async def run(self) -> None:
        """Send until there is a reason to end."""
        refusals = 0
        try:
            while not self._closed.is_set():
                self._news.clear()
                try:
                    state = await self._cursor.state()
                    if state is None:
                        return
                    wait = (state.due_at - state.now).total_seconds()
                    if wait <= 0 and await self._step(state):
                        refusals = 0
                        continue
                    refusals = 0
                except DATABASE_TROUBLE as error:
                    wait = _DATABASE_SECONDS
                    if not tell_trouble(self._log, "webhooks_wait_for_database", error).passes:
                        # What was posted and not recorded is posted again, so not too often.
                        refusals += 1
                        wait = min(_DATABASE_SECONDS * 2**refusals, _LONGEST_REFUSED_SECONDS)
                    await self._pause_whatever(wait)
                    continue
                if not self._closed.is_set():
                    await self._pause(wait if wait > 0 else None)
        finally:
            self._poster.close()

    async def _pause(self, seconds: float | None) -> None:
        """Wait for news, or while the endpoint fails for its time; a replay shortens that, so look every second."""
        try:
            async with asyncio.timeout(None if seconds is None else min(seconds, _LOOK_SECONDS)):
                await (self._news.wait() if seconds is None else self._closed.wait())
        except TimeoutError:
            pass

    async def _pause_whatever(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closed.wait()

    async def _step(self, state: CallbackState) -> bool:
        """Send one batch, or find that there is none; True when the next look should follow at once."""
        subscriptions = await subscriptions_of(self._pool, self._account_id, self._callback_id)
        kinds = [kind for kind, name in KINDS.items() if any(name in each.event_types for each in subscriptions)]
        since = max(state.events_from, min((each.events_from for each in subscriptions), default=state.now))
        given_up = state.now - self._rules.patience.days
        if state.patient_from < given_up and since < given_up:
            since = given_up
        page = await self._cursor.read(state, kinds=kinds, since=since, limit=state.max_batch_size)
        told = await self._notices(page.events)
        batch = [
            notice
            for notice in told
            if any(each.wants(notice.event_type, notice.occurred_at, notice.values) for each in subscriptions)
        ]
        if not batch:
            return await self._skip(state, page)
        if page.behind != state.begun and not await self._cursor.begin(state.place, page.behind):
            return True
        begun = self._clock()
        posted = await self._post(state, batch)
        taken = posted.status in ANSWERS
        problem = "" if taken else posted.problem or f"it answered {posted.status}; 200 to 204 is expected"
        failures, wait = 0, 0.0
        if taken:
            await self._cursor.move(state.place, page.behind, sent=True)
        else:
            failures = state.attempt + 1
            wait = self._rules.patience.wait(failures, self._rand)
            await self._cursor.failed(failures, wait, problem)
        # Behind the place: a repeat would be worse than an attempt that no timeline tells of.
        await self._note(
            PostedBatch(
                webhook_id=webhook_id(self._callback_id, batch),
                event_ids=[notice.event_id for notice in batch],
                attempt=state.attempt + 1,
                milliseconds=round((self._clock() - begun) * 1000),
                status=posted.status,
                problem=problem,
            )
        )
        if not taken:
            self._log.warning(
                "webhook_failed",
                url=state.url,
                events=len(batch),
                failures=failures,
                retry_in=round(wait, 1),
                why=problem,
            )
        elif state.attempt:
            self._log.info("webhook_works_again", url=state.url, failures=state.attempt)
        return True

    async def _notices(self, events: Sequence[LoggedEvent]) -> list[Notice]:
        """What is told of events. One that can't be read is left out, and must not hold up those behind it."""
        told: list[Notice] = []

        async def make(part: Sequence[LoggedEvent]) -> None:
            told.extend(await notices(self._pool, self._account_id, part))

        for place, why in await apart(events, make):
            tell_trouble(self._log, "event_left_out", why, event_id=events[place].event_id)
        return told

    async def _note(self, posted: PostedBatch) -> None:
        try:
            await self._cursor.note(posted)
        except DATABASE_TROUBLE as error:
            # A line of timelines: the batch itself is recorded.
            tell_trouble(self._log, "webhook_attempt_not_noted", error, webhook_id=posted.webhook_id)

    async def _skip(self, state: CallbackState, page: LogPage) -> bool:
        if page.events or state.begun or page.behind.at - state.place.at > _IDLE_MOVE:
            await self._cursor.move(state.place, page.behind, sent=False)
        return page.full

    async def _post(self, state: CallbackState, batch: list[Notice]) -> Posted:
        try:
            endpoint = read_url(state.url, private=self._rules.private)
        except UrlRefused as refused:
            # It was registered under other settings.
            return Posted(0, str(refused))
        body = _encode([notice.body for notice in batch])
        headers = signature_headers(
            body,
            state.signature_key,
            self._rules.reading,
            webhook_id=webhook_id(self._callback_id, batch),
            timestamp=int(self._wall_clock()),
        )
        return await self._poster.post(endpoint, body, headers, seconds=self._rules.seconds)


def webhook_id(callback_id: UUID, batch: list[Notice]) -> str:
    """The id of a batch: the same for the same events of the same callback."""
    return f"msg_{callback_id.hex}_{batch[0].event_id}_{batch[-1].event_id}_{len(batch)}"
