"""Sent and not sent, as the vendor's objects, signed over the bytes that arrive."""

import pytest
from tests.conformance.house import ACCOUNT, Hand, House
from tests.scenarios.ens.receiver import events_worker, receiving, send, subscribe, telling

from postroom.delivery.outcome import Refused
from postroom.events.callbacks import find_callback
from postroom.events.signature import KeyReading, standard_signature, vendor_signature
from postroom.events.subscriptions import EMAIL_NOT_SENT
from postroom.events.timeline import message_timeline


@pytest.mark.parametrize("reading", ["text", "base64"])
async def test_sent_and_not_sent_arrive_complete_and_signed(house: House, reading: KeyReading) -> None:
    async with receiving() as receiver, telling(events_worker(house, reading=reading)):
        callback_id = await subscribe(house, receiver.url)
        await send(house, ["k1"])
        await receiver.told(1)
        await send(house, ["k2"], lambda _: Refused(550, "5.1.1", "550 5.1.1 No such user here"))
        assert await receiver.told(2) == ["k1", "k2"]
    row = await house.pool.fetchrow(
        """select d.definition_id, v.version_id, v.list_id, min(r.batch_id) as batch_id,
                  min(c.contact_id) as contact_id,
                  (select array_agg(event_id order by event_id) from event) as event_ids
             from definition d join definition_version v using (account_id, version_id)
             join send_request r using (account_id, version_id) join contact c on c.account_id = d.account_id
            group by 1, 2, 3"""
    )
    assert row is not None
    first, second = (event for hook in receiver.hooks for event in hook.events)
    definition_id = str(row["definition_id"])
    assert isinstance(first.pop("timestampUTC"), int)
    assert first == {
        "eventCategoryType": "TransactionalSendEvents.EmailSent",
        "compositeId": f"{definition_id}.{row['version_id']}.{row['list_id']}.{row['batch_id']}.{row['contact_id']}",
        "composite": {
            "jobId": str(row["version_id"]),
            "batchId": str(row["batch_id"]),
            "listId": str(row["list_id"]),
            "subscriberId": str(row["contact_id"]),
            "emailId": "0",
        },
        "definitionKey": "welcome",
        "definitionId": definition_id,
        "mid": ACCOUNT,
        "eid": ACCOUNT,
        "sendClassificationType": "Operational",
        "eventId": str(row["event_ids"][0]),
        "info": {
            "to": "k1@example.com",
            "subscriberKey": "c-k1",
            "messageKey": "k1",
            "status": "Sent",
            # The house settles without composing; test_subject_is_told.py has the real way.
            "renderedSubject": "",
        },
    }
    assert second["eventCategoryType"] == EMAIL_NOT_SENT
    assert second["compositeId"].endswith(".0.0")
    assert second["info"] == {
        "to": "k2@example.com",
        "subscriberKey": "c-k2",
        "messageKey": "k2",
        "reason": "550 5.1.1 No such user here",
        "statusCode": "101",
        "statusMessage": "Failure",
    }

    callback = await find_callback(house.pool, ACCOUNT, callback_id)
    assert callback is not None
    assert callback.failing_since is None
    for hook in receiver.hooks:
        assert (hook.path, hook.headers["content-type"]) == ("/hooks", "application/json; charset=utf-8")
        assert hook.headers["x-sfmc-ens-signature"] == vendor_signature(hook.body, callback.signature_key, reading)
        assert hook.headers["webhook-signature"] == standard_signature(
            hook.body,
            callback.signature_key,
            webhook_id=hook.headers["webhook-id"],
            timestamp=int(hook.headers["webhook-timestamp"]),
        )
    assert len({hook.headers["webhook-id"] for hook in receiver.hooks}) == len(receiver.hooks)
    assert receiver.connections == 1
    timeline = await message_timeline(house.pool, ACCOUNT, "k2")
    assert timeline is not None
    (posted,) = timeline.steps[0].posted
    assert (posted.callback_id, posted.taken, posted.status, posted.events) == (callback_id, True, 200, 1)
    assert posted.webhook_id == receiver.hooks[-1].headers["webhook-id"]
    assert posted.since >= timeline.steps[0].event.occurred_at
    assert timeline.steps[0].told == []


async def test_batches_are_no_larger_than_asked_for(house: House) -> None:
    keys = [f"k{number}" for number in range(230)]
    async with receiving() as receiver:
        await subscribe(house, receiver.url, batch=100)
        await send(house, keys)
        async with telling(events_worker(house)):
            assert sorted(await receiver.told(230)) == sorted(keys)
    assert [len(hook.events) for hook in receiver.hooks] == [100, 100, 30]


async def test_filters_decide_what_is_told(house: House) -> None:
    await house.define("other")
    async with receiving() as receiver, telling(events_worker(house)):
        await subscribe(
            house, receiver.url, types=(EMAIL_NOT_SENT,), filters=("statusCode=101", "definitionKey=WELCOME")
        )
        await send(house, ["sent"])
        await house.accept_many(1, "other")
        await Hand(house, "hand").work(lambda _: Refused(550))
        await send(house, ["lost"], lambda _: Refused(550))
        assert await receiver.told(1) == ["lost"]
    assert [event["eventCategoryType"] for hook in receiver.hooks for event in hook.events] == [EMAIL_NOT_SENT]
