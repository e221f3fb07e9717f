"""What is told of one message: every event with its evidence, who was told of it, and why it still waits."""

import os
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
from tests.conformance.house import ACCOUNT, SCHEDULE, Hand, House, people

from postroom.api.wire.timeline import (
    AcceptedEntry,
    AttemptEntry,
    ClaimedEntry,
    ClickedEntry,
    NotSentEntry,
    SentEntry,
    WaitingEntry,
    WebhookEntry,
    shown_timeline,
)
from postroom.bounces.verdict import read_rules
from postroom.catalog.pauses import note_status
from postroom.catalog.sending_options import SendingOptions
from postroom.delivery.outages import Outages
from postroom.delivery.outcome import Certificate, Deferred, Refused, Sent, Unknown
from postroom.delivery.record import Recorder
from postroom.delivery.settle import Settler
from postroom.delivery.slices import Slice
from postroom.events import timeline as timeline_module
from postroom.events.callbacks import create_callback, verify_callback
from postroom.events.codes import StatusCode
from postroom.events.cursor import Cursor, PostedBatch
from postroom.events.log import Event, append_events
from postroom.events.put_offs import PutOff
from postroom.events.subscriptions import EMAIL_NOT_SENT, EMAIL_SENT, create_subscription
from postroom.events.timeline import Timeline, Waiting, message_timeline
from postroom.intake.backlog import clear_queue
from postroom.intake.holding import Place, hold_waiting, release_held

DEFERRED = Deferred(code=451, enhanced="4.2.1", text="4.2.1 later", host="mx1", address="192.0.2.1:25", stage="rcpt")
TAKEN = Sent(
    code=250, enhanced="2.0.0", text="2.0.0 Ok", host="mx2", address="192.0.2.2:25",
    tls="TLSv1.3 X", certificate=Certificate("sts", "ab" * 32), source="198.51.100.7",
)  # fmt: skip


async def told(house: House, key: str, account_id: int = ACCOUNT) -> Timeline:
    found = await message_timeline(house.pool, account_id, key)
    assert found is not None
    return found


async def waits(house: House, key: str) -> Waiting:
    found = await told(house, key)
    assert found.status == "queued"
    assert found.waiting is not None
    return found.waiting


async def test_a_message_that_was_deferred_then_taken_then_clicked(house: House) -> None:
    (key,) = await house.accept_many(1)
    await Hand(house, "first").work(lambda _: DEFERRED)
    await house.make_due()
    await Hand(house, "second").work(lambda _: TAKEN)
    row = await house.pool.fetchrow("select request_id, definition_id from event limit 1")
    assert row is not None
    now = datetime.now(UTC)
    click = Event(
        ACCOUNT, now.date(), now, row["request_id"], 0, row["definition_id"], "clicked", 1, None,
        '{"verdict":"human","target":"https://shop.example/","link":1,"user_agent":"UA"}',
    )  # fmt: skip
    async with house.pool.acquire() as connection:
        await append_events(connection, [click])
    shown = shown_timeline(await told(house, key.upper()))
    assert (shown.message_key, shown.to, shown.status, shown.complete) == (key, f"{key}@example.com", "sent", True)
    accepted, claimed, first, claimed_again, second, sent, clicked = shown.entries
    assert isinstance(accepted, AcceptedEntry)
    assert isinstance(claimed, ClaimedEntry)
    assert isinstance(claimed_again, ClaimedEntry)
    assert (claimed.number, claimed_again.number) == (1, 2)
    assert (accepted.request_id, accepted.position, accepted.definition_key) == (str(row["request_id"]), 0, "welcome")
    assert isinstance(first, AttemptEntry)
    assert (first.number, first.outcome, first.host, first.address) == (1, "deferred", "mx1", "192.0.2.1:25")
    assert first.retry_at > first.at
    assert (first.stage, first.code, first.enhanced, first.reply) == ("rcpt", 451, "4.2.1", "4.2.1 later")
    assert (first.tls, first.certificate) == ("", {})
    assert isinstance(second, AttemptEntry)
    assert (second.number, second.outcome, second.tls, second.source) == (2, "sent", "TLSv1.3 X", "198.51.100.7")
    assert second.certificate["verified"] == "sts"
    assert second.retry_at == ""
    assert isinstance(sent, SentEntry)
    assert isinstance(clicked, ClickedEntry)
    assert (clicked.target, clicked.verdict, clicked.user_agent) == ("https://shop.example/", "human", "UA")
    assert [entry.at for entry in shown.entries] == sorted(entry.at for entry in shown.entries)


async def test_a_refusal_has_its_verdict_and_a_cleared_message_no_attempt(house: House) -> None:
    refused, cleared = (await house.accept_many(1))[0], "late"
    await Hand(house, "w").work(lambda _: Refused(code=550, enhanced="5.1.1", text="5.1.1 no such user", stage="rcpt"))
    await house.accept(people([cleared]))
    definition_id = await house.pool.fetchval("select definition_id from queue")
    await clear_queue(house.pool, ACCOUNT, definition_id, code=StatusCode.SUBSCRIBER_QUEUE_CLEARED)
    _, _, attempt, ended = shown_timeline(await told(house, refused)).entries
    assert isinstance(attempt, AttemptEntry)
    assert (attempt.outcome, attempt.verdict["fault"], attempt.verdict["permanence"]) == (
        "refused",
        "recipient",
        "hard",
    )
    assert isinstance(ended, NotSentEntry)
    assert (ended.status_code, ended.status_message, ended.reason) == (101, "Failure", "")
    _, ended = shown_timeline(await told(house, cleared)).entries
    assert isinstance(ended, NotSentEntry)
    assert (ended.status_code, ended.status_message) == (39, "SubscriberQueueCleared")


async def test_what_ran_out_of_time_was_not_refused(house: House) -> None:
    (key,) = await house.accept_many(1)
    await house.age(timedelta(hours=30))
    await Hand(house, "w").work(lambda _: DEFERRED)
    _, _, attempt, ended = shown_timeline(await told(house, key)).entries
    assert isinstance(attempt, AttemptEntry)
    assert isinstance(ended, NotSentEntry)
    assert (attempt.outcome, ended.status_code) == ("deferred", 139)


async def test_why_a_message_is_still_queued(house: House) -> None:
    definition_id = await house.define("slow")
    (key,) = await house.accept_many(1, "slow")
    waiting = await waits(house, key)
    assert (waiting.state, waiting.attempts, waiting.claims, waiting.lease_owner) == ("due", 0, 0, None)

    hand = Hand(house, "a-worker")
    slices = await hand.claim()
    waiting = await waits(house, key)
    assert (waiting.state, waiting.lease_owner, waiting.claims) == ("claimed", "a-worker", 1)
    assert waiting.until is not None
    assert waiting.until > datetime.now(UTC)
    await hand.settle(slices, await hand.load(slices), lambda _: DEFERRED)

    waiting = await waits(house, key)
    assert (waiting.state, waiting.attempts) == ("retry", 1)
    assert waiting.until is not None
    assert waiting.until > waiting.since

    await house.set_status(definition_id, "Inactive")
    assert (await waits(house, key)).state == "inactive"
    await house.set_status(definition_id, "Active")

    await house.pool.execute("delete from event")
    assert (await waits(house, key)).state == "postponed"
    shown = shown_timeline(await told(house, key))
    assert isinstance(shown.entries[-1], WaitingEntry)
    assert (shown.entries[-1].state, shown.entries[-1].domain) == ("postponed", "example.com")


async def test_a_held_message_waits_without_a_time(house: House) -> None:
    await house.define("careful", sending=SendingOptions(on_unknown="hold"))
    held, other = await house.accept_many(2, "careful")
    await Hand(house, "w").work(lambda message: Unknown() if message.message_key == held else Sent())
    waiting = await waits(house, held)
    assert (waiting.state, waiting.until) == ("held", None)
    attempt = shown_timeline(await told(house, held)).entries[2]
    assert isinstance(attempt, AttemptEntry)
    assert (attempt.outcome, attempt.held) == ("unknown", True)
    assert (await told(house, other)).waiting is None


async def test_callbacks_that_want_an_event_were_told_or_stand_before_it(house: House) -> None:
    callback_id = uuid4()
    made = await create_callback(
        house.pool, ACCOUNT, callback_id=callback_id, name="Orders", url="https://a.example/", max_batch_size=10,
        verification_key="v", random_bytes=os.urandom,
    )  # fmt: skip
    assert made is not None
    assert await verify_callback(house.pool, ACCOUNT, callback_id, "v")
    await create_subscription(
        house.pool, ACCOUNT, subscription_id=uuid4(), callback_id=callback_id, name="All",
        event_types=[EMAIL_SENT, EMAIL_NOT_SENT], filters=["definitionKey=welcome"],
    )  # fmt: skip
    await house.define("other")
    (wanted,), (unwanted,) = await house.accept_many(1), await house.accept_many(1, "other")
    await Hand(house, "w").work()

    async def webhooks(key: str) -> list[WebhookEntry]:
        entries = shown_timeline(await told(house, key)).entries
        return [entry for entry in entries if isinstance(entry, WebhookEntry)]

    assert await webhooks(unwanted) == []
    (entry,) = await webhooks(wanted)
    assert (entry.callback_name, entry.event_type, entry.state, entry.attempt) == ("Orders", EMAIL_SENT, "waiting", 0)
    await house.pool.execute("update callback set attempt = 4, failing_since = now(), last_error = '500'")
    (entry,) = await webhooks(wanted)
    assert (entry.state, entry.attempt, entry.last_error) == ("waiting", 4, "500")
    assert entry.due
    assert entry.failing_since
    given_up = await message_timeline(house.pool, ACCOUNT, wanted, tried_for=timedelta(0))
    assert given_up is not None
    assert [each for step in given_up.steps for each in step.told] == [], "as long as the setting says"
    await house.pool.execute("update callback set cursor_xid = pg_current_xact_id(), cursor_event = 0")
    (entry,) = await webhooks(wanted)
    assert (entry.state, entry.attempt) == ("passed", 0)

    cursor = Cursor(house.pool, ACCOUNT, callback_id, "events")
    event_id = int(entry.event_id)
    for status, problem in ((500, "it answered 500"), (0, "no answer"), (204, "")):
        await cursor.note(PostedBatch("msg_1", [event_id, event_id + 5], 1, 41, status, problem))
    await cursor.note(PostedBatch("msg_2", [event_id - 1, event_id + 1], 1, 41, 200, ""))
    failed, taken = await webhooks(wanted)
    assert (failed.state, failed.times, failed.status, failed.last_error) == ("failed", 2, 0, "no answer")
    assert failed.until >= failed.at
    assert (taken.state, taken.status, taken.milliseconds, taken.events) == ("told", 204, 41, 2)
    assert (taken.event_type, taken.callback_name, taken.webhook_id) == (EMAIL_SENT, "Orders", "msg_1")


async def test_what_held_a_message_up_is_told_afterwards(house: House) -> None:
    definition_id = await house.define("slow")
    (key,) = await house.accept_many(1, "slow")
    other = (await house.accept_many(1))[0]
    await Hand(house, "worker-1").claim()
    await house.pool.execute("update queue set leased_until = now() - interval '1s'")
    hand = Hand(house, "worker-2")
    slices = await hand.claim()
    over: list[Slice] = []
    settler = Settler(house.pool, interval=0.0, settled=over.append)
    recorder = Recorder(
        settler, SCHEDULE, rules=read_rules(), now=lambda: datetime.now(UTC), clock=lambda: 0.0, rand=lambda: 0.5
    )
    soon = datetime.now(UTC) + timedelta(seconds=20)
    for message in (await hand.load(slices)).messages:
        recorder.postpone(message, soon, PutOff("siteBusy", "mx1.example.org"))
    settler.start()
    await settler.close()
    async with house.pool.acquire() as connection:
        places = [Place(slice_.request_id, 0) for slice_ in slices if slice_.definition_id == definition_id]
        assert await hold_waiting(connection, ACCOUNT, places) == 1
        await note_status(connection, ACCOUNT, definition_id, before="Active", after="Inactive")
        await note_status(connection, ACCOUNT, definition_id, before="Inactive", after="Inactive")
        await note_status(connection, ACCOUNT, definition_id, before="Inactive", after="Active")
        assert await release_held(connection, ACCOUNT, places) == 1
    outages = Outages(house.pool, "smtp://relay.example:25", now=lambda: datetime.now(UTC))
    outages.away("connection refused")
    await outages.write()
    outages.away("again")
    outages.back()
    await outages.write()
    await Hand(house, "worker-3").work()
    found = await told(house, key)
    assert found.status == "sent"
    assert [(each.reason, each.place, each.times) for each in found.hindrances] == [
        ("leaseRanOut", "worker-1", 1),
        ("siteBusy", "mx1.example.org", 1),
        ("held", "", 1),
        ("released", "", 1),
    ]
    assert found.hindrances[1].until == soon
    assert [each.kind for each in found.standstills] == ["relayAway", "inactive"]
    assert (found.standstills[0].relay, found.standstills[0].reply) == ("smtp://relay.example:25", "connection refused")
    assert all(each.until is not None and each.until >= each.since for each in found.standstills)
    shown = shown_timeline(found).entries
    assert [entry.at for entry in shown] == sorted(entry.at for entry in shown)
    assert [each.reason for each in (await told(house, other)).hindrances] == ["leaseRanOut", "siteBusy"]


async def test_put_offs_of_one_reason_that_follow_closely_are_one_entry(house: House) -> None:
    (key,) = await house.accept_many(1)
    request_id = await house.pool.fetchval("select request_id from queue")
    begin = datetime.now(UTC)
    for minute, place in ((0, "mx1"), (1, "mx1"), (2, "mx2"), (30, "mx2")):
        await house.pool.execute(
            "insert into put_off values ($1, $2, $3, $4, 0, 0, null, $5, 'siteBusy', $6)",
            ACCOUNT, begin.date(), begin + timedelta(minutes=minute), request_id,
            begin + timedelta(minutes=minute + 1), place,
        )  # fmt: skip
    found = (await told(house, key)).hindrances
    assert [(each.place, each.times) for each in found] == [("mx1", 2), ("mx2", 1), ("mx2", 1)]
    assert found[0].until == begin + timedelta(minutes=2)


async def test_outages_that_several_processes_saw_are_one(house: House) -> None:
    (key,) = await house.accept_many(1)
    begin = datetime.now(UTC)
    for first, last, reply in ((-60, 60, "refused"), (-50, 50, "timed out"), (70, 80, "refused"), (500, 510, "late")):
        await house.pool.execute(
            "insert into relay_outage (relay, since, seen_until, reply) values ('smtp://r', $1, $2, $3)",
            begin + timedelta(seconds=first), begin + timedelta(seconds=last), reply,
        )  # fmt: skip
    assert [(each.since, each.until, each.reply) for each in (await told(house, key)).standstills] == [
        (begin - timedelta(seconds=60), begin + timedelta(seconds=60), "refused")
    ]


async def test_an_outage_is_told_of_the_messages_that_waited_for_it_and_of_no_others(house: House) -> None:
    keys = await house.accept_many(5)
    sent, retried, passed, expired, queued = keys
    begin = datetime.now(UTC) - timedelta(hours=1)
    await house.pool.execute("update send_request set accepted_at = $1", begin)
    await house.pool.execute(
        "insert into relay_outage (relay, since, seen_until, reply) values ('smtp://r', $1, $2, 'refused')",
        begin + timedelta(minutes=10), begin + timedelta(minutes=20),
    )  # fmt: skip

    async def happened(key: str, kind: str, minute: int, **detail: object) -> None:
        await house.pool.execute(
            "insert into event (account_id, occurred_on, occurred_at, request_id, position, definition_id, kind, "
            "detail) select account_id, $3, $4, request_id, position, $5, $6, $7 from message "
            "where account_id = $1 and message_key = $2",
            ACCOUNT, key, (begin + timedelta(minutes=minute)).date(), begin + timedelta(minutes=minute),
            uuid4(), kind, msgspec.json.encode(detail).decode(),
        )  # fmt: skip

    await happened(sent, "sent", 21, host="r")
    await happened(retried, "deferred", 5, host="r", retry_at=begin + timedelta(minutes=30))
    await happened(retried, "sent", 31, host="r")
    await happened(passed, "deferred", 12, host="r", retry_at=begin + timedelta(minutes=13))
    await happened(passed, "sent", 14, host="r")
    await happened(expired, "not_sent", 15, reason="too late")
    told_of = [key for key in keys if (await told(house, key)).standstills]
    assert told_of == [sent, expired, queued]


async def test_the_newest_message_of_a_key_is_told(house: House) -> None:
    await house.accept(people(["again"]))
    await Hand(house, "w").work()
    await house.pool.execute("update message set accepted_on = accepted_on - 1")
    # Past the window in which its key was taken.
    await house.pool.execute(
        "update send_request set accepted_on = accepted_on - 1, accepted_at = accepted_at - interval '4 days'"
    )
    await house.accept(people(["AGAIN"]))
    found = await told(house, "again")
    assert (found.message_key, found.status, found.steps) == ("AGAIN", "queued", [])


async def test_a_mail_opened_without_end_has_a_timeline_with_an_end(house: House) -> None:
    (key,) = await house.accept_many(1)
    await Hand(house, "w").work()
    await house.pool.execute(
        "insert into event (account_id, occurred_on, occurred_at, request_id, position, definition_id, kind) "
        "select account_id, occurred_on, occurred_at, request_id, position, definition_id, 'opened' "
        "from event, generate_series(1, $1)",
        timeline_module.MOST_EVENTS,
    )
    found = await told(house, key)
    assert (len(found.steps), found.complete, found.status) == (timeline_module.MOST_EVENTS, False, "sent")


async def test_tenant_isolation_nobody_reads_the_timeline_of_another_business_unit(house: House) -> None:
    await house.open_account(ACCOUNT + 1)
    (key,) = await house.accept_many(1)
    assert await message_timeline(house.pool, ACCOUNT + 1, key) is None
