"""Erasing a person: nothing of it is left in any table, and nothing of anybody else is touched."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from tests.conformance.house import ACCOUNT, Hand, House, Person, open_house
from uuid_utils.compat import uuid7

from postroom.audience.suppression import Entry, suppress, suppressed
from postroom.catalog.data_columns import Column
from postroom.catalog.data_extensions import ExtensionDraft, create_extension
from postroom.delivery.outcome import Deferred, Refused, Sent
from postroom.delivery.slices import Slice
from postroom.events.search import Wanted
from postroom.inbound.smtp_grammar import Arrival
from postroom.intake.message_jobs import count_job, find_job
from postroom.privacy.erasure import Receipt, begin_erasure, carry_out, find_receipt, keep_erasing, latest_receipts
from postroom.sandbox.mailbox import Incoming, Limits, Mailbox

OTHER = 100002
SECRET = "xylophone"
"""In everything that is hers, and in nothing else."""
ANN = f"{SECRET}@example.com"
EVERY_TABLE = (
    "message", "send_request", "event", "contact", "list_member", "data_row", "captured_mail", "suppression", "erasure",
    "queue", "message_job",
)  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def house(any_database: str) -> AsyncIterator[House]:
    async with open_house(any_database) as opened:
        await opened.pool.execute("truncate captured_mail; update captured_total set messages = 0, bytes = 0")
        yield opened


async def begin(house: House, *, account_id: int = ACCOUNT, **subject: Any) -> Any:
    async with house.pool.acquire() as connection, connection.transaction():
        return await begin_erasure(connection, account_id, new_id=uuid4(), requested_by="the test", **subject)


async def erase(house: House, *, account_id: int = ACCOUNT, **subject: Any) -> Receipt:
    return await carry_out(house.pool, account_id, await begin(house, account_id=account_id, **subject))


def counted(receipt: Receipt) -> dict[str, int]:
    return {name: count for name, count in receipt.counts.items() if count}


async def left_of(house: House, text: str) -> list[str]:
    """The tables in which a text is left, whatever the column."""
    there = "select exists (select from {} t where position($1 in t::text) > 0)"
    return [table for table in EVERY_TABLE if await house.pool.fetchval(there.format(table), text)]


def ann(key: str, address: str = ANN, contact_key: str = f"Key-{SECRET}") -> Person:
    return Person(contact_key, address, key, msgspec.Raw(b'{"Name": "%s"}' % SECRET.encode()))


async def extension(house: House, *columns: Column, subscriber: str | None) -> int:
    draft = ExtensionDraft(f"de{subscriber}", f"de{subscriber}", "", columns, subscriber)
    async with house.pool.acquire() as connection, connection.transaction():
        made = await create_extension(connection, ACCOUNT, uuid7(), draft)
    return made.extension_id


async def test_nothing_of_a_contact_is_left_and_all_of_the_others(house: House) -> None:
    keyed = await extension(
        house, Column(name="SubscriberKey", type="Text"), Column(name="Name", type="Text"), subscriber="SubscriberKey"
    )
    await house.define("order", data_extension_id=keyed)
    await house.accept([ann("m1")], "order")
    await house.accept([Person("ben", "ben@example.com", "m2"), ann("m3")], "order")
    await Hand(house, "w").work(
        lambda message: Refused(code=550, text=f"no <{ANN}> here", host="mx") if message.message_key == "m1" else Sent()
    )
    ((request_id, position),) = await house.pool.fetch(
        "select request_id, position from message where message_key = 'm3'"
    )
    mailbox = Mailbox(house.pool, Limits())
    head = f"X-Postroom-Account: {ACCOUNT}\r\nX-Postroom-Request: {request_id}\r\nX-Postroom-Position: {position}\r\n"
    raw = f"{head}Subject: {SECRET}\r\n\r\nhello".encode()
    await mailbox.store([Incoming(Arrival("s@example.com", (ANN,), raw), datetime.now(UTC))])
    await house.pool.execute(
        "update captured_mail set account_id = $1, request_id = $2, position = $3", ACCOUNT, request_id, position
    )
    await house.pool.execute(
        "insert into list_member (account_id, list_id, contact_id) select l.account_id, l.list_id, c.contact_id "
        "from list l join contact c using (account_id) limit 1 offset 0"
    )
    async with house.pool.acquire() as connection, connection.transaction():
        await suppress(connection, ACCOUNT, [Entry(ANN, "bounce", f"550 {ANN}")])
    await house.pool.execute(
        "insert into event (account_id, occurred_on, occurred_at, request_id, position, definition_id, kind, detail) "
        "values ($1, (now() at time zone 'UTC')::date, now(), $2, $3, $2, 'clicked', $4)",
        *(ACCOUNT, request_id, position),
        f'{{"verdict":"person","address":"from {SECRET}","user_agent":"{SECRET}","target":"https://x/{SECRET}","link":3}}',
    )
    receipt = await erase(house, contact_key=f"KEY-{SECRET.upper()}")
    assert await left_of(house, SECRET) == []
    assert receipt.state == "finished"
    found = counted(receipt)
    assert found.pop("listMemberships", 0) in (0, 1)  # the membership is of either contact
    assert found == {
        "contacts": 1,
        "messages": 2,
        "events": 3,
        "dataExtensionRows": 2,
        "capturedMails": 1,
        "suppressions": 1,
    }
    assert (await mailbox.total()).messages == 0
    assert await house.final() == {"m1": ("not_sent", 101), "m2": ("sent", None), "m3": ("sent", None)}
    rows = await house.pool.fetch("select message_key, contact_key, address from message where contact_key <> ''")
    assert [tuple(row) for row in rows] == [("m2", "ben", "ben@example.com")]
    assert await house.pool.fetchval("select count(*) from data_row") == 1
    details = await house.pool.fetch("select detail from event where detail like '%mx%'")
    assert [msgspec.json.decode(row["detail"])["code"] for row in details] == [550]
    assert await suppressed(house.pool, ACCOUNT, [ANN]) == {ANN: "bounce"}


async def test_an_address_takes_its_contacts_and_their_other_messages_with_it(house: House) -> None:
    plain = await extension(
        house, Column(name="Mail", type="EmailAddress"), Column(name="Name", type="Text"), subscriber=None
    )
    await house.pool.execute(
        "insert into data_row (account_id, extension_id, cells, terms) values ($1, $2, '{}', array[$3])",
        ACCOUNT, plain, f"{plain}\x1fmail\x1f{ANN}",
    )  # fmt: skip
    await house.accept([ann("m1", f"old-{ANN}")])
    await house.accept(
        [ann("m2"), Person("other", f'"{SECRET}"@EXAMPLE.com', "m3"), Person("ben", "ben@example.com", "m4")]
    )
    await Hand(house, "w").work()
    receipt = await erase(house, address=ANN.upper())
    assert await left_of(house, SECRET) == []
    assert counted(receipt) == {"contacts": 2, "messages": 3, "events": 3, "dataExtensionRows": 1}
    assert set(await suppressed(house.pool, ACCOUNT, [ANN, f"old-{ANN}", "ben@example.com"])) == {ANN, f"old-{ANN}"}


async def test_an_address_that_another_contact_has_stays_open(house: House) -> None:
    await house.accept([ann("m1", "family@example.com"), Person("ben", "family@example.com", "m2")])
    await Hand(house, "w").work()
    await erase(house, contact_key=f"key-{SECRET}")
    assert await left_of(house, SECRET) == []
    assert await suppressed(house.pool, ACCOUNT, ["family@example.com"]) == {}
    rows = await house.pool.fetch("select contact_key, address from message order by message_key")
    assert [tuple(row) for row in rows] == [("", ""), ("ben", "family@example.com")]


async def test_a_job_that_names_somebody_does_no_more(house: House) -> None:
    jobs = [
        await count_job(house.pool, ACCOUNT, "hold", wanted, new_id=uuid4(), requested_by="the test")
        for wanted in (Wanted(address=ANN.upper()), Wanted(contact_key=f"KEY-{SECRET}"), Wanted(contact_key="ben"))
    ]
    await house.accept([ann("m1")])
    await Hand(house, "w").work()
    await erase(house, contact_key=f"key-{SECRET}")
    assert await left_of(house, SECRET) == []
    found = [await find_job(house.pool, ACCOUNT, job.job_id) for job in jobs]
    assert [job and job.state for job in found] == ["cancelled", "cancelled", "counted"]


async def test_without_suppression_the_address_may_come_back(house: House) -> None:
    await house.accept([ann("m1")])
    await Hand(house, "w").work()
    receipt = await erase(house, address=ANN, suppress=False)
    assert (receipt.suppress, await house.count("suppression")) == (False, 0)
    await house.accept([ann("m2")])
    assert await Hand(house, "w").work() == ["m2"]


async def test_what_waits_is_ended_and_its_neighbours_are_sent(house: House) -> None:
    await house.accept([Person("a", "a@example.com", "m1"), ann("m2"), Person("b", "b@example.com", "m3")])
    await house.accept([ann("m4")])
    await Hand(house, "w").work(lambda _: Deferred(), room=1)
    receipt = await erase(house, contact_key=f"key-{SECRET}")
    assert counted(receipt)["queuedMessages"] == 2
    await house.make_due()
    assert sorted(await Hand(house, "w").work()) == ["m1", "m3"]
    finals = await house.final()
    assert {key: finals[key] for key in ("m2", "m4")} == {"m2": ("not_sent", 40), "m4": ("not_sent", 40)}
    assert await house.count("queue") == 0
    assert await left_of(house, SECRET) == []


async def test_what_is_being_sent_is_waited_for(house: House) -> None:
    await house.accept([ann("m1")])
    hand = Hand(house, "w")
    slices = await hand.claim()
    loaded = await hand.load(slices)
    erasure_id = await begin(house, contact_key=f"key-{SECRET}")
    receipt = await carry_out(house.pool, ACCOUNT, erasure_id)
    assert (receipt.state, receipt.counts["messages"]) == ("waiting", 0)
    assert await begin(house, contact_key=f"key-{SECRET}") == erasure_id
    await hand.settle(slices, loaded)
    again = asyncio.create_task(keep_erasing(house.pool, older_than=timedelta(0), every=0.05))
    async with asyncio.timeout(20):
        while await left_of(house, SECRET):  # noqa: ASYNC110 - the row is all that tells
            await asyncio.sleep(0.02)
    again.cancel()
    done = await find_receipt(house.pool, ACCOUNT, erasure_id)
    assert done is not None
    assert (done.state, done.counts["messages"]) == ("finished", 1)
    assert await house.final() == {"m1": ("sent", None)}


async def test_a_contact_that_comes_with_a_mail_under_way_goes_too(house: House) -> None:
    """Found by the soak: her first mail was being sent when her address was erased, and made a contact of her."""
    await house.accept([ann("m1")])
    hand = Hand(house, "w")
    slices = await hand.claim()
    erasure_id = await begin(house, address=ANN)
    assert (await carry_out(house.pool, ACCOUNT, erasure_id)).state == "waiting"
    await hand.settle(slices, await hand.load(slices))
    await house.accept([ann("m2", "other@example.com")])
    receipt = await carry_out(house.pool, ACCOUNT, erasure_id)
    assert receipt.state == "finished"
    assert counted(receipt) == {"contacts": 1, "queuedMessages": 1, "messages": 2, "events": 1}
    assert await left_of(house, SECRET) == []
    assert await house.final() == {"m1": ("sent", None), "m2": ("not_sent", 40)}


async def test_a_message_that_was_loaded_after_its_erasure_ends_by_itself(house: House) -> None:
    await house.accept([ann("m1")])
    await house.pool.execute("update message set contact_key = '', address = '', attributes = null")
    assert await Hand(house, "w").work() == []
    assert await house.final() == {"m1": ("not_sent", 40)}


async def test_who_was_held_up_for_longer_than_its_lease_makes_no_contact_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the soak: a worker that was stopped in the middle of loading stored the erased person's address."""
    await house.accept([ann("m1"), Person("ben", "ben@example.com", "m2")])
    slow = Hand(house, "slow", lease=timedelta(milliseconds=50))
    read = slow.queue.message_rows

    async def held_up(account_id: int, slices: Sequence[Slice]) -> list[asyncpg.Record]:
        rows = await read(account_id, slices)
        await asyncio.sleep(0.1)
        assert (await erase(house, address=ANN)).state == "finished"
        return rows

    monkeypatch.setattr(slow.queue, "message_rows", held_up)
    slices = await slow.claim()
    loaded = await slow.load(slices)
    assert await left_of(house, SECRET) == []
    assert ([each.lost for each in slices], loaded.messages) == ([True], [])
    assert await Hand(house, "next").work() == ["m2"]
    assert await house.final() == {"m1": ("not_sent", 40), "m2": ("sent", None)}


async def test_kill_nine_between_two_steps_leaves_exact_counts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.accept([ann("m1"), ann("m2")])
    await Hand(house, "w").work()
    erasure_id = await begin(house, contact_key=f"key-{SECRET}")
    with monkeypatch.context() as dying:

        async def die(*_arguments: object) -> dict[str, int]:
            raise ConnectionResetError

        dying.setattr("postroom.privacy.traces.forget_contacts", die)
        with pytest.raises(ConnectionResetError):
            await carry_out(house.pool, ACCOUNT, erasure_id)
    assert "contact" in await left_of(house, SECRET)
    first, second = await asyncio.gather(*(carry_out(house.pool, ACCOUNT, erasure_id) for _ in range(2)))
    assert first.erasure_id == second.erasure_id
    receipt = await find_receipt(house.pool, ACCOUNT, erasure_id)
    assert receipt is not None
    assert counted(receipt) == {"contacts": 1, "messages": 2, "events": 2}
    assert await left_of(house, SECRET) == []


async def test_again_finds_nothing_and_each_has_its_receipt(house: House) -> None:
    await house.accept([ann("m1")])
    await Hand(house, "w").work()
    first = await erase(house, contact_key=f"key-{SECRET}")
    second = await erase(house, contact_key=f"key-{SECRET}")
    assert (counted(first)["messages"], counted(second)) == (1, {})
    assert [each.erasure_id for each in await latest_receipts(house.pool, ACCOUNT, 10)] == [
        second.erasure_id,
        first.erasure_id,
    ]


async def test_an_erasure_is_its_business_units_own(house: House) -> None:
    await house.open_account(OTHER)
    await house.accept([ann("m1")])
    await Hand(house, "w").work()
    receipt = await erase(house, account_id=OTHER, contact_key=f"key-{SECRET}")
    assert counted(receipt) == {}
    assert await find_receipt(house.pool, ACCOUNT, receipt.erasure_id) is None
    assert set(await left_of(house, SECRET)) >= {"message", "contact"}


async def test_the_requests_own_attributes_go_with_its_last_recipient(house: House) -> None:
    await house.accept([ann("m1"), Person("ben", "ben@example.com", "m2")])
    await Hand(house, "w").work()
    await house.pool.execute("update send_request set attributes = $1", f'{{"a":"{SECRET}"}}')
    assert "requests" not in counted(await erase(house, contact_key=f"key-{SECRET}"))
    assert await left_of(house, SECRET) == ["send_request"]
    assert counted(await erase(house, contact_key="ben"))["requests"] == 1
    assert await left_of(house, SECRET) == []
