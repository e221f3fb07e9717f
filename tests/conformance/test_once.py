"""A request with a key of its own is accepted once: its reply is committed with its messages."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from tests.conformance.house import ACCOUNT, House, accepting, people

from postroom.intake.request import (
    Accepted,
    NoValidRecipients,
    Once,
    OnceInFlight,
    OnceKeyReused,
    SendRequest,
    VersionUnknown,
)


def rendered(accepted: Accepted) -> bytes:
    errors = [result.error.name if result.error else "ok" for result in accepted.results]
    return f"{accepted.request_id} {errors}".encode()


def request(once_key: str | None, *keys: str, fingerprint: bytes = b"f", version_id: int | None = None) -> SendRequest:
    once = None if once_key is None else Once(once_key, fingerprint, rendered)
    return SendRequest(ACCOUNT, "welcome", people(keys), msgspec.Raw(), version_id=version_id, once=once)


async def test_a_repetition_gets_the_first_reply_and_stores_nothing(house: House) -> None:
    first = await house.accepter.accept(request("once", "a", "b"))
    second = await house.accepter.accept(request("once", "a", "b"))
    assert first.reply
    assert (second.reply, first.replayed, second.replayed) == (first.reply, False, True)
    assert (await house.count("message"), await house.count("send_request"), await house.count("queue")) == (2, 1, 1)


async def test_the_reply_tells_of_duplicates_as_the_first_did(house: House) -> None:
    await house.accepter.accept(request(None, "a"))
    first = await house.accepter.accept(request("once", "a", "b"))
    assert first.reply.endswith(b"['DUPLICATE_MESSAGE_KEY', 'ok']")
    assert (await house.accepter.accept(request("once", "a", "b"))).reply == first.reply


async def test_another_request_under_the_key_is_refused(house: House) -> None:
    await house.accepter.accept(request("once", "a"))
    with pytest.raises(OnceKeyReused):
        await house.accepter.accept(request("once", "b", fingerprint=b"g"))
    assert await house.count("message") == 1


async def test_keys_are_exact_and_of_their_business_unit(house: House) -> None:
    await house.open_account(200)
    await house.define("welcome", account_id=200)
    await house.accepter.accept(request("once", "a"))
    await house.accepter.accept(request("ONCE", "b", fingerprint=b"g"))
    other = request("once", "c", fingerprint=b"h")
    accepted = await house.accepter.accept(_of(other, 200))
    assert not accepted.replayed


def _of(asked: SendRequest, account_id: int) -> SendRequest:
    return SendRequest(
        account_id, asked.definition_key, asked.recipients, asked.attributes, version_id=None, once=asked.once
    )


async def test_a_refused_request_keeps_no_key(house: House) -> None:
    await house.accepter.accept(request(None, "a"))
    with pytest.raises(NoValidRecipients):
        await house.accepter.accept(request("once", "a"))
    assert await house.count("idempotency_key") == 0
    assert not (await house.accepter.accept(request("once", "b", fingerprint=b"g"))).replayed


async def test_of_many_at_the_same_time_one_is_accepted(house: House) -> None:
    async with accepting(house.pool) as other:
        answers = await asyncio.gather(
            *(accepter.accept(request("once", "a")) for accepter in (house.accepter, other) for _ in range(10)),
            return_exceptions=True,
        )
    replies = {answer.reply for answer in answers if isinstance(answer, Accepted)}
    assert len(replies) == 1
    assert sum(1 for answer in answers if isinstance(answer, Accepted) and not answer.replayed) == 1
    assert all(isinstance(answer, Accepted | OnceInFlight) for answer in answers)
    assert await house.count("message") == 1


async def test_one_that_is_under_way_elsewhere_is_not_waited_for(house: House) -> None:
    hold = "select pg_advisory_xact_lock(hashtextextended($1::bigint || '/' || $2::text, 5))"
    async with house.pool.acquire() as connection, connection.transaction():
        await connection.execute(hold, ACCOUNT, "once")
        with pytest.raises(OnceInFlight):
            await asyncio.wait_for(house.accepter.accept(request("once", "a")), 20)
    assert not (await house.accepter.accept(request("once", "a"))).replayed


async def test_a_key_is_free_again_after_72_hours_and_its_row_goes(house: House) -> None:
    for number in range(5):
        await house.accepter.accept(request(f"once-{number}", f"a{number}"))
    await house.pool.execute("update idempotency_key set created_at = created_at - $1::interval", timedelta(hours=73))
    accepted = await house.accepter.accept(request("once-0", "b", fingerprint=b"g"))
    assert not accepted.replayed
    assert await house.count("idempotency_key") == 1


async def test_a_crash_before_the_commit_keeps_neither_messages_nor_key(house: House) -> None:
    await house.pool.execute(
        "create or replace function fail() returns trigger language plpgsql as $$ begin raise 'no'; end $$"
    )
    await house.pool.execute("create trigger fail before insert on idempotency_key execute function fail()")
    try:
        with pytest.raises(Exception, match="no"):
            await house.accepter.accept(request("once", "a"))
    finally:
        await house.pool.execute("drop trigger fail on idempotency_key")
    assert await house.count("message") == 0
    assert not (await house.accepter.accept(request("once", "a"))).replayed


async def test_a_pinned_version_is_kept_and_must_be_the_definitions_own(house: House) -> None:
    find = "select version_id from definition where account_id = $1 and definition_key = $2"
    old = await house.pool.fetchval(find, ACCOUNT, "welcome")
    await house.define("other")
    foreign = await house.pool.fetchval(find, ACCOUNT, "other")
    await house.pool.execute(
        """
        with new as (insert into definition_version
            (account_id, definition_id, list_id, auto_add_subscriber, update_subscriber, track_links, content)
            select account_id, definition_id, list_id, true, true, false, content from definition_version
            where version_id = $2 returning version_id)
        update definition set version_id = new.version_id from new where account_id = $1 and definition_key = 'welcome'
        """,
        ACCOUNT,
        old,
    )
    current = await house.pool.fetchval(find, ACCOUNT, "welcome")
    assert current != old
    pinned = await house.accepter.accept(request(None, "a", version_id=old))
    free = await house.accepter.accept(request(None, "b"))
    used = "select version_id from send_request where account_id = $1 and request_id = $2"
    assert await house.pool.fetchval(used, ACCOUNT, pinned.request_id) == old
    assert await house.pool.fetchval(used, ACCOUNT, free.request_id) == current
    for wrong in (foreign, 10**15):
        with pytest.raises(VersionUnknown):
            await house.accepter.accept(request(None, "c", version_id=wrong))
    assert await house.count("message") == 2
