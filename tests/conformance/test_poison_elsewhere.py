"""Rows that the database refuses, or can't be read again, beside the way of a message: each holds up no other."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.conformance.house import ACCOUNT, Hand, House, Person
from tests.conformance.refusing import DENIED, NUL, refusing
from tests.conformance.test_engagement import CHROME, NOW, click, message, version_of, writing
from tests.conformance.test_message_jobs import confirmed, finish
from tests.scenarios.ens.receiver import events_worker, receiving, send, subscribe, telling
from tests.unit.bounces.mails import postfix

from postroom.bounces.return_path import load_return_path
from postroom.bounces.verdict import read_rules
from postroom.catalog.data_columns import Column
from postroom.catalog.data_extensions import ExtensionDraft, create_extension
from postroom.delivery.outcome import Certificate, Deferred, Outcome, Refused, Sent, Unknown
from postroom.delivery.slices import Message
from postroom.inbound.bounce_desk import BounceDesk
from postroom.inbound.smtp_grammar import Arrival

HOSTILE = "a\0b\ud800c\udcff" + "x" * 5_000


async def test_replies_with_nul_and_lone_surrogates_are_recorded_and_hold_up_nothing(house: House) -> None:
    keys = await house.accept_many(6)
    refused = ((HOSTILE, HOSTILE),)
    certificate = Certificate("none", HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    kinds: list[type[Sent | Refused | Deferred | Unknown]] = [Sent, Refused, Deferred, Unknown]
    outcomes: list[Outcome] = [
        kind(
            text=f"550 {HOSTILE}",
            enhanced=HOSTILE,
            host=HOSTILE,
            address=HOSTILE,
            tls=HOSTILE,
            source=HOSTILE,
            refused_recipients=refused,
            certificate=certificate,
        )
        for kind in kinds
    ]
    outcomes += [Refused(code=550, enhanced="5.1.1", text=f"550 5.1.1 no such user {HOSTILE}"), Sent()]
    by_key = dict(zip(keys, outcomes, strict=True))

    def outcome(each: Message) -> Outcome:
        each.subject = HOSTILE
        return by_key[each.message_key]

    with capture_logs() as log:
        async with asyncio.timeout(20):
            await Hand(house, "w").work(outcome)
    assert [await house.kinds(key) for key in keys] == [
        ["sent"],
        ["not_sent"],
        ["deferred"],
        ["unknown"],
        ["not_sent"],
        ["sent"],
    ]
    assert await house.pool.fetchval("select array_agg(address) from suppression") == [f"{keys[4]}@example.com"]
    assert [line["event"] for line in log] == []


async def test_attributes_with_nul_and_numbers_beyond_bigint_end_their_own_messages_at_most(house: House) -> None:
    for name in ("City", "Born"):
        await house.pool.execute("insert into profile_attribute (account_id, name) values ($1, $2)", ACCOUNT, name)
    columns = (
        Column(name="Id", type="Text", length=900, primary_key=True, nullable=False),
        Column(name="SubscriberKey", type="Text", length=254),
        Column(name="City", type="Text"),
        Column(name="Amount", type="Number"),
        Column(name="Born", type="Date"),
    )
    draft = ExtensionDraft("rows", "Rows", "", columns, "SubscriberKey")
    extension = await create_extension(house.pool, ACCOUNT, uuid4(), draft)
    await house.define("rows", text="Hello %%City%% %%Amount%%", data_extension_id=extension.extension_id)
    hostile: dict[str, dict[str, object]] = {
        "nul": {"City": "a\0b"},
        "number": {"Amount": 10**400},
        "decimal": {"Amount": 1e308},
        "late": {"Born": "999999-12-31T00:00:00Z"},
        "early": {"Born": "0001-01-01T00:00:00+14:00"},
        "long": {"City": "".join(f"{number:06}" for number in range(20_000))},
        "key": {"Id": "".join(chr(0x1F300 + number) for number in range(900))},
        "good": {"City": "Bonn", "Amount": 3},
    }
    people = [
        Person(f"c-{key}", f"{key}@example.com", key, msgspec.Raw(msgspec.json.encode({"Id": key} | attributes)))
        for key, attributes in hostile.items()
        if key != "number"
    ]
    raw = b'{"Id":"number","Amount":' + b"9" * 400 + b"}"
    await house.accept([*people, Person("c-number", "number@example.com", "number", msgspec.Raw(raw))], "rows")
    await house.accept(people_of("welcome"), "welcome")
    async with asyncio.timeout(30):
        await Hand(house, "w").work()
    final = await house.final()
    assert set(final) == {*hostile, "welcome"}
    assert final["good"] == final["welcome"] == final["key"] == ("sent", None)
    assert all(code != 100 for _, code in final.values()), final
    assert await house.count("queue") == 0


def people_of(key: str) -> list[Person]:
    return [Person(f"c-{key}", f"{key}@example.com", key)]


async def test_an_event_that_can_not_be_read_holds_up_no_webhook(house: House) -> None:
    async with receiving() as receiver:
        await subscribe(house, receiver.url)
        await send(house, ["k1", "k2", "k3"])
        await house.pool.execute(
            "update event set detail = 'no JSON' where position = 1 and request_id in (select request_id from message)"
        )
        async with telling(events_worker(house)):
            assert await receiver.told(2) == ["k1", "k3"]
            await send(house, ["k4"])
            assert await receiver.told(3) == ["k1", "k3", "k4"]


async def test_an_attempt_of_a_webhook_that_can_not_be_noted_is_not_made_again(house: House) -> None:
    async with receiving() as receiver, refusing(house, "webhook_attempt", "true"):
        await subscribe(house, receiver.url)
        async with telling(events_worker(house)):
            await send(house, ["k1"])
            await receiver.told(1)
            await send(house, ["k2"])
            assert await receiver.told(2) == ["k1", "k2"]


async def test_a_click_that_is_refused_loses_no_other(house: House) -> None:
    to = message(await version_of(house))
    with capture_logs() as log:
        async with refusing(house, "event", "new.detail like '%Mozilla/6%'"), writing(house) as engagement:
            for second in range(40):
                agent = "Mozilla/6" if second in (7, 30) else CHROME
                engagement.take(click(to, at=NOW - 100 + second, user_agent=agent))
    assert await house.count("event") == 38
    assert [line["sqlstate"] for line in log if line["event"] == "open_or_click_lost"] == [NUL, NUL]


async def test_a_job_leaves_the_message_that_is_refused_and_does_the_others(house: House) -> None:
    keys = [(await house.accept_many(1))[0] for _ in range(12)]
    job_id = await confirmed(house, "cancel")
    request_id = await house.pool.fetchval("select request_id from message where message_key = $1", keys[5])
    async with refusing(house, "event", f"new.request_id = '{request_id}'"):
        assert await finish(house, job_id) == {"done": 11, "refused": 1}
    assert set(await house.final()) == {*keys} - {keys[5]}
    assert await Hand(house, "w").work() == [keys[5]]


@pytest.mark.parametrize(("sqlstate", "answer"), [(NUL, "554 5.3.0"), (DENIED, "451 4.3.0")])
async def test_a_bounce_that_is_refused_for_good_does_not_come_again_for_days(
    house: House, sqlstate: str, answer: str
) -> None:
    (key,) = await house.accept_many(1)
    await Hand(house, "w").work()
    request_id = await house.pool.fetchval("select request_id from message where message_key = $1", key)
    paths = await load_return_path(house.pool, "bounces.example.com")
    to = paths.address(ACCOUNT, request_id, 0, copies=False, from_domain="example.com")
    desk = BounceDesk(house.pool, paths, read_rules(), now=lambda: datetime.now(UTC))
    running = asyncio.create_task(desk.run())
    arrival = Arrival("", (to,), postfix())

    async def answered() -> str:
        reply: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        desk.submit(arrival, reply.set_result)
        async with asyncio.timeout(20):
            return await reply

    async with refusing(house, "event", "new.kind = 'bounced'", sqlstate):
        assert (await answered()).startswith(answer)
    assert await answered() == "250 2.0.0 Ok: recorded"
    desk.stop()
    await running
