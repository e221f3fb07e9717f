"""PostgreSQL has committed, and the connection breaks before it can say so: nothing is lost by it or done twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from tests.conformance.cut import COMMIT, Wire, wire
from tests.conformance.house import ACCOUNT, Hand, House, accepting, people
from tests.conformance.test_engagement import NOW, click, message, version_of
from tests.scenarios.ens.receiver import events_worker, receiving, send, subscribe, telling

from postroom.delivery.outcome import Deferred, Outcome, Refused, Sent, Unknown
from postroom.delivery.slices import Message
from postroom.events.engagement import Engagement
from postroom.events.machines import own_rules
from postroom.intake.request import Accepted, NoValidRecipients, Once, RecipientError, SendRequest
from postroom.store.pool import Pool, open_pool
from postroom.store.trouble import DATABASE_TROUBLE


@asynccontextmanager
async def broken(house: House, words: str) -> AsyncIterator[Pool]:
    """A pool that gets no answer to the first statement with these words, though the server committed it."""
    async with wire(house.dsn) as line:
        pool = await open_pool(line.dsn, min_size=0, max_size=2, application_name="broken")
        line.lose_answer_to(words)
        try:
            yield pool
        finally:
            pool.terminate()
        assert line.cuts == 1


def request(keys: list[str], once: Once | None = None) -> SendRequest:
    return SendRequest(ACCOUNT, "welcome", people(keys), msgspec.Raw(), once=once)


def rendered(accepted: Accepted) -> bytes:
    return str(accepted.request_id).encode()


async def test_a_request_sent_again_finds_its_keys_taken(house: House) -> None:
    async with broken(house, COMMIT) as pool, accepting(pool) as accepter:
        with pytest.raises(DATABASE_TROUBLE):
            await accepter.accept(request(["a", "b"]))
        with pytest.raises(NoValidRecipients) as told:
            await accepter.accept(request(["a", "b"]))
    assert {each.error for each in told.value.results} == {RecipientError.DUPLICATE_MESSAGE_KEY}
    assert [await house.count(table) for table in ("message", "send_request", "queue")] == [2, 1, 1]


async def test_a_request_with_a_key_of_its_own_gets_the_reply_that_was_lost(house: House) -> None:
    once = Once("once", b"f", rendered)
    async with broken(house, COMMIT) as pool, accepting(pool) as accepter:
        with pytest.raises(DATABASE_TROUBLE):
            await accepter.accept(request(["a"], once))
        accepted = await accepter.accept(request(["a"], once))
    assert accepted.replayed
    assert accepted.reply == str(await house.pool.fetchval("select request_id from send_request")).encode()
    assert [await house.count(table) for table in ("message", "send_request", "queue")] == [1, 1, 1]


async def test_what_was_claimed_unknowingly_is_given_back_and_nothing_else(house: House) -> None:
    await house.accept_many(1)
    hand = Hand(house, "a")
    (held,) = await hand.claim()
    keys = await house.accept_many(1)
    async with broken(house, "update queue") as pool:
        unlucky = Hand(house, "a", pool=pool)
        with pytest.raises(DATABASE_TROUBLE):
            await unlucky.claim()
        other = Hand(house, "b")
        assert await other.claim() == []
        await unlucky.queue.release_others(ACCOUNT, [held])
    assert await other.work() == keys
    await hand.queue.renew([held])
    assert not held.lost


async def test_a_contact_is_made_once(house: House) -> None:
    await house.accept_many(1)
    async with broken(house, "insert into contact") as pool:
        hand = Hand(house, "a", pool=pool)
        slices = await hand.claim()
        with pytest.raises(DATABASE_TROUBLE):
            await hand.load(slices)
        loaded = await hand.load(slices)
    assert await house.count("contact") == 1
    assert loaded.messages[0].contact.contact_id == await house.pool.fetchval("select contact_id from contact")


@pytest.mark.parametrize("whole", [True, False])
async def test_outcomes_are_written_once(house: House, whole: bool) -> None:
    keys = await house.accept_many(5)
    outcomes: dict[str, Outcome | None] = dict(
        zip(keys, [Sent(), Refused(code=550), Deferred(code=451), Unknown(), Sent() if whole else None], strict=True)
    )

    def outcome(message: Message) -> Outcome | None:
        return outcomes[message.message_key]

    async with broken(house, COMMIT) as pool:
        hand = Hand(house, "a", pool=pool)
        slices = await hand.claim()
        await hand.settle(slices, await hand.load(slices), outcome)
    last = [["sent"]] if whole else [[]]
    assert [await house.kinds(key) for key in keys] == [["sent"], ["not_sent"], ["deferred"], ["unknown"], *last]
    assert await house.count("queue") == 1
    assert await house.pool.fetchval("select positions from queue") == ([2, 3] if whole else None)


@pytest.mark.parametrize("words", ["set batch_xid", "set cursor_xid"])
async def test_a_webhook_is_told_once(house: House, words: str) -> None:
    """Once where its batch's end was recorded, and once where its answer was."""
    async with receiving() as receiver, broken(house, words) as pool:
        await subscribe(house, receiver.url)
        through = House(house.dsn, pool, house.accepter)
        async with telling(events_worker(through)):
            await send(house, ["k1"])
            await receiver.told(1)
            await send(house, ["k2"])
            assert await receiver.told(2) == ["k1", "k2"]


async def test_clicks_are_counted_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.events.engagement._TROUBLE_SECONDS", 0.01)
    to = message(await version_of(house))
    async with broken(house, COMMIT) as pool:
        engagement = Engagement(pool, own_rules(), interval=0.01, private=False)
        running = asyncio.create_task(engagement.run())
        for second in range(40):
            engagement.take(click(to, at=NOW - 100 + second))
        await _counted(house, 40)
        # What comes after is judged by what came before, and that was looked at once.
        for second in range(40, 60):
            engagement.take(click(to, at=NOW - 100 + second))
        await _counted(house, 60)
        engagement.close()
        await running
    assert await house.count("event") == 60


async def _counted(house: House, clicks: int) -> None:
    async with asyncio.timeout(20):
        while await house.count("event") < clicks:  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.01)


async def test_the_wire_itself_changes_nothing(house: House) -> None:
    async with wire(house.dsn) as line:
        assert isinstance(line, Wire)
        pool = await open_pool(line.dsn, min_size=0, max_size=2, application_name="whole")
        await house.accept_many(3)
        assert len(await Hand(house, "a", pool=pool).work()) == 3
        await pool.close()
        assert line.cuts == 0
