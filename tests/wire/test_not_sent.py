"""GET /messages/?type=notSent: its shape, its cursor, and that no reader misses a late commit (contract §5.2)."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from tests.wire.live import Unit

MESSAGES = "/messaging/v1/email/messages"
LIST = MESSAGES + "/?type=notSent"

_FAIL = """
insert into event (account_id, occurred_on, occurred_at, request_id, position, definition_id, kind, status_code)
values ($1, (now() at time zone 'UTC')::date, now(), $2, $3,
        (select definition_id from definition where account_id = $1), 'not_sent', 24)
"""


def accepted(unit: Unit, *keys: str) -> UUID:
    """Messages of these keys, in one request; its id."""
    recipients = [{"contactKey": f"c-{key}", "to": f"{key}@example.org", "messageKey": key} for key in keys]
    reply = unit.call("POST", MESSAGES, json={"definitionKey": "order", "recipients": recipients})
    assert reply.status_code == 202
    return UUID(reply.json()["requestId"])


def fail(unit: Unit, *keys: str) -> None:
    """Messages of these keys that were not sent, one transaction after another."""
    request_id = accepted(unit, *keys)
    for position in range(len(keys)):
        unit.api.execute(_FAIL, unit.account_id, request_id, position)


def listed(unit: Unit, query: str = "") -> dict[str, Any]:
    reply = unit.call("GET", LIST + query)
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


def keys(body: dict[str, Any]) -> list[str]:
    return [message["info"]["messageKey"] for message in body["messages"]]


def test_a_message_that_was_not_sent_is_listed_in_the_vendors_shape(sender: Unit) -> None:
    fail(sender, "a")
    body = listed(sender)
    (message,) = body["messages"]
    assert message == {
        "statusCode": 24,
        "statusMessage": "ListDetectiveExclusion",
        "eventCategoryType": "TransactionalSendEvents.EmailNotSent",
        "timestamp": message["timestamp"],
        "definitionKey": "order",
        "eventID": message["eventID"],
        "info": {"messageKey": "a", "contactKey": "c-a"},
    }
    UUID(body.pop("requestId"))
    assert body == {"lastEventID": message["eventID"], "messages": [message], "count": 1, "pageSize": 20}


def test_the_cursor_walks_from_the_oldest_to_the_newest_and_stays_at_the_end(sender: Unit) -> None:
    fail(sender, "a", "b", "c", "d", "e")
    first = listed(sender, "&$pageSize=2")
    second = listed(sender, f"&$pagesize=2&lastEventId={first['lastEventID']}")
    third = listed(sender, f"&%24pageSize=2&lastEventId={second['lastEventID']}")
    assert [keys(page) for page in (first, second, third)] == [["a", "b"], ["c", "d"], ["e"]]
    end = listed(sender, f"&lastEventId={third['lastEventID']}")
    assert (end["messages"], end["count"], end["lastEventID"]) == ([], 0, third["lastEventID"])
    fail(sender, "f")
    assert keys(listed(sender, f"&lastEventId={end['lastEventID']}")) == ["f"]


def test_a_number_that_was_never_an_event_counts_as_one(sender: Unit) -> None:
    fail(sender, "a", "b")
    numbers = [message["eventID"] for message in listed(sender)["messages"]]
    assert keys(listed(sender, f"&lastEventId={numbers[0] - 1}")) == ["a", "b"]
    assert keys(listed(sender, f"&lastEventId={numbers[1] + 1}")) == []


def test_what_commits_late_under_a_lower_number_is_not_missed(sender: Unit) -> None:
    request_id = accepted(sender, "late", "early")

    async def overtaken() -> tuple[dict[str, Any], dict[str, Any]]:
        slow = await asyncpg.connect(sender.api.dsn)
        quick = await asyncpg.connect(sender.api.dsn)
        try:
            async with slow.transaction():
                await slow.execute(_FAIL, sender.account_id, request_id, 0)
                await quick.execute(_FAIL, sender.account_id, request_id, 1)
                during = listed(sender)
            return during, listed(sender, f"&lastEventId={during['lastEventID']}")
        finally:
            await slow.close()
            await quick.close()

    during, after = asyncio.run(overtaken())
    assert keys(during) == []
    assert keys(after) == ["late", "early"]


def test_numbers_drawn_in_another_order_than_the_transactions_began(sender: Unit) -> None:
    request_id = accepted(sender, "a", "b")

    async def crossed() -> dict[str, Any]:
        first = await asyncpg.connect(sender.api.dsn)
        second = await asyncpg.connect(sender.api.dsn)
        try:
            async with first.transaction():
                await first.fetchval("select pg_current_xact_id()::text")
                async with second.transaction():
                    await second.execute(_FAIL, sender.account_id, request_id, 1)
                    await first.execute(_FAIL, sender.account_id, request_id, 0)
                return listed(sender)
        finally:
            await first.close()
            await second.close()

    assert keys(asyncio.run(crossed())) == []
    page = listed(sender, "&$pageSize=1")
    assert keys(page) == ["a"]
    assert keys(listed(sender, f"&lastEventId={page['lastEventID']}")) == ["b"]


def test_another_business_unit_sees_none_of_it(sender: Unit, unit: Unit, live_api: Any, account_ids: Any) -> None:
    fail(sender, "a")
    other = live_api.unit(next(account_ids))
    assert listed(other)["messages"] == []


@pytest.mark.parametrize(
    ("query", "errorcode"),
    [
        ("", 10002),
        ("?type=sent", 10005),
        ("?type=notSent&$pageSize=0", 10005),
        ("?type=notSent&lastEventId=-1", 10005),
        ("?type=notSent&lastEventId=x", 10005),
        ("?type=notSent&lastEventId=9999999999999999999", 10005),
    ],
)
def test_a_bad_query_is_400(unit: Unit, query: str, errorcode: int) -> None:
    reply = unit.call("GET", MESSAGES + query)
    assert (reply.status_code, reply.json()["errorcode"]) == (400, errorcode)


def test_a_time_has_milliseconds_at_most(sender: Unit) -> None:
    fail(sender, "a")
    stamp = listed(sender)["messages"][0]["timestamp"]
    assert abs(datetime.fromisoformat(stamp + "-06:00").timestamp() - datetime.now(UTC).timestamp()) < 60
