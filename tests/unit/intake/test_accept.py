import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from uuid import UUID

import asyncpg
import msgspec
import pytest
from uuid_utils.compat import uuid7

from postroom.intake.accept import Accepter
from postroom.intake.ledger import Entry, Ledger
from postroom.intake.request import (
    Accepted,
    DefinitionUnknown,
    NoValidRecipients,
    RecipientError,
    RequestMalformed,
    SendRequest,
)
from postroom.metrics.counts import Counts
from postroom.metrics.declared import ACCEPTED


class Person(msgspec.Struct, frozen=True):
    message_key: str | None
    contact_key: str | None = "c"
    to: str | None = "c@example.com"
    attributes: msgspec.Raw = msgspec.Raw()


class FakeLedger:
    """Commits when the test lets it. Keys beginning with ``poison`` are data no database takes."""

    def __init__(self) -> None:
        self.groups: list[tuple[int, list[list[str]]]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.begun = asyncio.Condition()
        self.used: set[str] = set()
        self.trouble: Exception | None = None
        self.attempts = 0

    async def commit(self, account_id: int, entries: list[Entry]) -> None:
        self.attempts += 1
        self.groups.append((account_id, [list(entry.candidates.message_keys) for entry in entries]))
        async with self.begun:
            self.begun.notify_all()
        await self.open.wait()
        if self.trouble is not None:
            raise self.trouble
        if any(key.startswith("poison") for entry in entries for key in entry.candidates.message_keys):
            raise asyncpg.CharacterNotInRepertoireError("invalid byte sequence")
        for entry in entries:
            entry.definition_known = entry.definition_key == "d"
            entry.duplicates.clear()
            if entry.definition_known:
                entry.duplicates.update(at for key, at in entry.candidates.supplied.items() if key in self.used)
                self.used.update(entry.candidates.supplied)

    async def commits_begun(self, number: int) -> None:
        async with self.begun:
            await self.begun.wait_for(lambda: self.attempts >= number)


@asynccontextmanager
async def accepting(ledger: FakeLedger, counts: Counts | None = None) -> AsyncIterator[tuple[Accepter, list[int]]]:
    announced: list[int] = []

    async def announce(account_id: int) -> None:
        announced.append(account_id)

    accepter = Accepter(
        cast(Ledger, ledger), announce=announce, new_request_id=uuid7, random_bytes=os.urandom, counts=counts
    )
    accepter.start()
    try:
        yield accepter, announced
    finally:
        ledger.open.set()
        await accepter.close()


def request(*keys: str | None, account_id: int = 1, definition: str = "d", attributes: bytes = b"") -> SendRequest:
    return SendRequest(account_id, definition, [Person(key) for key in keys], msgspec.Raw(attributes))


async def test_the_answer_comes_after_the_commit() -> None:
    ledger = FakeLedger()
    ledger.open.clear()
    async with accepting(ledger) as (accepter, announced):
        waiting = asyncio.create_task(accepter.accept(request("a")))
        await ledger.commits_begun(1)
        assert not waiting.done()
        assert announced == []
        ledger.open.set()
        accepted = await waiting
    assert isinstance(accepted.request_id, UUID)
    assert [result.message_key for result in accepted.results] == ["a"]
    assert announced == [1]


async def test_what_is_stored_is_counted_and_nothing_else() -> None:
    counts = Counts()
    async with accepting(FakeLedger(), counts) as (accepter, _):
        await accepter.accept(request("a", "b"))
        await accepter.accept(request("a", "c"))
        with pytest.raises(DefinitionUnknown):
            await accepter.accept(request("d", definition="unknown"))
        with pytest.raises(NoValidRecipients):
            await accepter.accept(request("a"))
    assert counts.take() == {(ACCEPTED, ()): 3}


async def test_who_comes_during_a_commit_joins_the_next_one() -> None:
    ledger = FakeLedger()
    ledger.open.clear()
    async with accepting(ledger) as (accepter, _):
        busy = []
        for number in range(2):  # as many as may be committing at a time
            busy.append(asyncio.create_task(accepter.accept(request(f"first-{number}"))))
            await ledger.commits_begun(number + 1)
        later = [asyncio.create_task(accepter.accept(request(f"later-{number}"))) for number in range(60)]
        await asyncio.sleep(0)
        assert ledger.attempts == 2
        ledger.open.set()
        await asyncio.gather(*busy, *later)
    assert [len(group) for _, group in ledger.groups] == [1, 1, 60]


async def test_a_request_is_never_split_and_a_group_never_larger_than_the_largest_request() -> None:
    ledger = FakeLedger()
    ledger.open.clear()
    async with accepting(ledger) as (accepter, _):
        sizes = [1, 1, 1_500, 500, 1, 2_000, 1_999, 1]
        tasks = []
        for number, size in enumerate(sizes):
            keys = [f"{number}-{position}" for position in range(size)]
            tasks.append(asyncio.create_task(accepter.accept(request(*keys))))
            if number < 2:
                await ledger.commits_begun(number + 1)
        await asyncio.sleep(0)
        ledger.open.set()
        accepted = await asyncio.gather(*tasks)
    assert [len(each.results) for each in accepted] == sizes
    groups = [[len(keys) for keys in group] for _, group in ledger.groups]
    assert groups == [[1], [1], [1_500, 500], [1], [2_000], [1_999, 1]]


async def test_business_units_take_turns_and_never_share_a_commit() -> None:
    ledger = FakeLedger()
    ledger.open.clear()
    async with accepting(ledger) as (accepter, _):
        tasks = []
        for number in range(2):
            tasks.append(asyncio.create_task(accepter.accept(request(f"{number}"))))
            await ledger.commits_begun(number + 1)
        big = [f"big-{n}" for n in range(2_000)]
        tasks += [
            asyncio.create_task(accepter.accept(request(*(f"{number}-{key}" for key in big)))) for number in range(3)
        ]
        tasks.append(asyncio.create_task(accepter.accept(request("small", account_id=2))))
        await asyncio.sleep(0)
        ledger.open.set()
        await asyncio.gather(*tasks)
    order = [account_id for account_id, _ in ledger.groups]
    assert sorted(order) == [1, 1, 1, 1, 1, 2]
    assert order.index(2) <= 3


async def test_one_bad_request_does_not_fail_the_others() -> None:
    ledger = FakeLedger()
    ledger.open.clear()
    async with accepting(ledger) as (accepter, _):
        tasks = []
        for number in range(2):
            tasks.append(asyncio.create_task(accepter.accept(request(f"{number}"))))
            await ledger.commits_begun(number + 1)
        names = ["good-1", "poison", "good-2"]
        tasks += [asyncio.create_task(accepter.accept(request(name))) for name in names]
        await asyncio.sleep(0)
        ledger.open.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in found] == [
        Accepted,
        Accepted,
        Accepted,
        asyncpg.CharacterNotInRepertoireError,
        Accepted,
    ]


async def test_a_database_that_is_away_fails_the_requests_and_the_next_ones_pass() -> None:
    ledger = FakeLedger()
    async with accepting(ledger) as (accepter, announced):
        ledger.trouble = ConnectionRefusedError("away")
        with pytest.raises(ConnectionRefusedError):
            await accepter.accept(request("a"))
        assert announced == []
        ledger.trouble = None
        assert (await accepter.accept(request("a"))).results[0].error is None


async def test_keys_used_before_are_told_and_all_used_is_an_error() -> None:
    ledger = FakeLedger()
    async with accepting(ledger) as (accepter, _):
        await accepter.accept(request("a"))
        accepted = await accepter.accept(request("A", "b"))
        duplicate = RecipientError.DUPLICATE_MESSAGE_KEY
        assert [result.error for result in accepted.results] == [duplicate, None]
        with pytest.raises(NoValidRecipients) as caught:
            await accepter.accept(request("a", "b"))
        assert [result.error for result in caught.value.results] == [duplicate, duplicate]


async def test_what_is_wrong_from_the_start_reaches_no_commit() -> None:
    ledger = FakeLedger()
    async with accepting(ledger) as (accepter, _):
        with pytest.raises(NoValidRecipients):
            await accepter.accept(request(""))
        with pytest.raises(RequestMalformed):
            await accepter.accept(request("a", attributes=b"[]"))
    assert ledger.attempts == 0


async def test_an_unknown_definition_is_told() -> None:
    ledger = FakeLedger()
    async with accepting(ledger) as (accepter, _):
        with pytest.raises(DefinitionUnknown, match="nowhere"):
            await accepter.accept(request("a", definition="nowhere"))


async def test_a_client_that_goes_away_does_not_disturb_the_others() -> None:
    ledger = FakeLedger()
    ledger.open.clear()
    async with accepting(ledger) as (accepter, _):
        gone = asyncio.create_task(accepter.accept(request("gone")))
        await ledger.commits_begun(1)
        stays = asyncio.create_task(accepter.accept(request("stays")))
        await ledger.commits_begun(2)
        gone.cancel()
        ledger.open.set()
        assert (await stays).results[0].error is None
    # What was handed in is committed: its client may ask for it by key.
    assert ledger.used == {"gone", "stays"}


async def test_close_finishes_what_was_handed_in() -> None:
    ledger = FakeLedger()
    ledger.open.clear()
    async with accepting(ledger) as (accepter, announced):
        tasks = [asyncio.create_task(accepter.accept(request(f"{n}"))) for n in range(5)]
        await ledger.commits_begun(1)
        closing = asyncio.create_task(accepter.close())
        await asyncio.sleep(0)
        assert not closing.done()
        ledger.open.set()
        await closing
        assert all(task.done() for task in tasks)
        assert set(announced) == {1}
        for task in tasks:
            assert task.result().results[0].error is None
