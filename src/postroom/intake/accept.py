"""Accepting send requests durably.

``Accepter.accept`` returns only after the commit that holds the request (design: crash rule 1). Requests that
arrive together are committed together: whoever comes while a commit is on its way joins the next one, so 64
clients with one message each cost a few commits, not 64. A request is never split over two commits.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import structlog

from postroom.intake.ledger import Entry, Ledger
from postroom.intake.once import OnceState
from postroom.intake.request import (
    Accepted,
    DefinitionUnknown,
    NoValidRecipients,
    OnceInFlight,
    OnceKeyReused,
    RecipientError,
    RecipientResult,
    SendRequest,
    VersionUnknown,
)
from postroom.intake.validation import Candidates, attributes_text, examine
from postroom.metrics.counts import Counts
from postroom.metrics.declared import ACCEPTED

_GROUP_ROWS = 2_000  # the largest request; more in one commit would only make the first of them wait longer
_COMMITTERS = 2  # while one group waits for the disk, the next is being inserted


@dataclass(slots=True)
class _Waiting:
    entry: Entry
    candidates: Candidates
    done: asyncio.Future[Entry]


class Accepter:
    """Takes send requests of any business unit and commits them in groups, one business unit a group.

    ``announce`` is called with the account after each commit, so that delivery looks at once; losing that call
    costs a moment, never a message.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        announce: Callable[[int], Awaitable[None]],
        new_request_id: Callable[[], UUID],
        random_bytes: Callable[[int], bytes],
        counts: Counts | None = None,
    ) -> None:
        self._ledger = ledger
        self._announce = announce
        self._new_request_id = new_request_id
        self._random_bytes = random_bytes
        self._counts = counts or Counts()
        self._waiting: dict[int, deque[_Waiting]] = {}
        self._arrived = asyncio.Event()
        self._closing = False
        self._committers: list[asyncio.Task[None]] = []
        self._announcements: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("intake")

    def start(self) -> None:
        self._committers = [asyncio.create_task(self._commit_groups()) for _ in range(_COMMITTERS)]

    async def close(self) -> None:
        """Finish what has been handed in, then stop. Call it when no more requests can arrive."""
        self._closing = True
        self._arrived.set()
        await asyncio.gather(*self._committers)
        await asyncio.gather(*self._announcements, return_exceptions=True)

    async def accept(self, request: SendRequest) -> Accepted:
        """Commit the good recipients of a request, and say what was wrong with the others.

        Raises DefinitionUnknown, VersionUnknown, NoValidRecipients, OnceKeyReused, OnceInFlight or RequestMalformed,
        with nothing stored; a database error passes through, and then the request is committed wholly or not at all.
        """
        candidates = examine(request, self._random_bytes)
        if not candidates.positions:
            raise NoValidRecipients(_results(candidates, candidates.errors))
        attributes = attributes_text(request.attributes, "attributes")
        entry = Entry(
            self._new_request_id(), request.definition_key, attributes, candidates, request.version_id, request.once
        )
        if request.once is not None:
            render = request.once.render
            entry.render = lambda entry: render(_accepted(entry))
        done: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(request.account_id, deque()).append(_Waiting(entry, candidates, done))
        self._arrived.set()
        await done
        match entry.once_state:
            case OnceState.REPLAYED:
                return Accepted(entry.request_id, [], entry.reply, replayed=True)
            case OnceState.REUSED:
                raise OnceKeyReused
            case OnceState.IN_FLIGHT:
                raise OnceInFlight
        if not entry.definition_known:
            raise DefinitionUnknown(request.definition_key)
        if not entry.version_known:
            raise VersionUnknown(request.version_id)
        accepted = _accepted(entry)
        if not entry.stored_positions:
            raise NoValidRecipients(accepted.results)
        self._counts.add(ACCEPTED, by=len(entry.stored_positions))
        return accepted

    async def _commit_groups(self) -> None:
        while True:
            while not self._waiting:
                if self._closing:
                    return
                self._arrived.clear()
                await self._arrived.wait()
            account_id, group = self._next_group()
            await self._commit(account_id, group)

    async def _commit(self, account_id: int, group: list[_Waiting]) -> None:
        try:
            await self._ledger.commit(account_id, [waiting.entry for waiting in group])
        except asyncpg.DataError as error:
            # One request holds what PostgreSQL will not store: the others must not fail with it.
            if len(group) == 1:
                self._fail(account_id, group, error)
            else:
                for waiting in group:
                    await self._commit(account_id, [waiting])
        except Exception as error:
            self._fail(account_id, group, error)
        else:
            for waiting in group:
                if not waiting.done.done():
                    waiting.done.set_result(waiting.entry)
            self._announce_later(account_id)

    def _fail(self, account_id: int, group: list[_Waiting], error: Exception) -> None:
        self._log.error("accept_failed", account_id=account_id, requests=len(group), error=repr(error))
        for waiting in group:
            if not waiting.done.done():
                waiting.done.set_exception(error)

    def _next_group(self) -> tuple[int, list[_Waiting]]:
        # Business units take turns: the one served goes to the end of the dict when it has more.
        account_id = next(iter(self._waiting))
        waiting = self._waiting.pop(account_id)
        group = [waiting.popleft()]
        rows = len(group[0].candidates.positions)
        while waiting and rows + len(waiting[0].candidates.positions) <= _GROUP_ROWS:
            group.append(waiting.popleft())
            rows += len(group[-1].candidates.positions)
        if waiting:
            self._waiting[account_id] = waiting
        return account_id, group

    def _announce_later(self, account_id: int) -> None:
        task = asyncio.ensure_future(self._announce(account_id))
        self._announcements.add(task)
        task.add_done_callback(self._announcements.discard)


def _accepted(entry: Entry) -> Accepted:
    # A group that is tried again finds its duplicates anew: what the request itself got wrong is left as it is.
    errors = entry.candidates.errors | dict.fromkeys(entry.duplicates, RecipientError.DUPLICATE_MESSAGE_KEY)
    return Accepted(entry.request_id, _results(entry.candidates, errors), entry.reply)


def _results(candidates: Candidates, errors: dict[int, RecipientError]) -> list[RecipientResult]:
    if not errors:
        return [RecipientResult(key) for key in candidates.keys]
    return [RecipientResult(key, errors.get(position)) for position, key in enumerate(candidates.keys)]
