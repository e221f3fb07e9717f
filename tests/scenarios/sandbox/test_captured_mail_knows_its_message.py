"""Postroom's own mails are found by message key; mail from elsewhere has none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from tests.scenarios.sandbox.conftest import Sandbox

from postroom.store.pool import Pool


def request_id(moment: datetime, tail: int) -> UUID:
    """A UUIDv7 of that moment."""
    return UUID(int=(int(moment.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | tail)


async def accepted(pool: Pool, account_id: int, day: date, request: UUID, position: int, key: str) -> None:
    await pool.execute(
        "insert into message (account_id, accepted_on, request_id, position, message_key, contact_key, address)"
        " values ($1, $2, $3, $4, $5, 'c', 'a@example.com')",
        account_id, day, request, position, key,
    )  # fmt: skip


def mail(message_id: str) -> bytes:
    return f"Message-ID: {message_id}\r\nSubject: x\r\n\r\nhello".encode()


async def test_message_key_request_and_account_are_filled_in(sandbox: Sandbox, pool: Pool) -> None:
    now = datetime.now(UTC)
    ours, other = request_id(now, 1), request_id(now, 2)
    await accepted(pool, 42, now.date(), ours, 7, "Order-4711")
    await accepted(pool, 43, now.date(), other, 0, "elsewhere")
    number = await sandbox.send(raw=mail(f"<7.{ours.hex}.42@postroom.localhost>"))
    await sandbox.send(raw=mail(f"<7.{other.hex}.42@postroom.localhost>"))  # not this account's
    await sandbox.send(raw=mail("<CAF=abc@mail.example.com>"))

    first = (await sandbox.http.get(f"/sandbox/messages/{number}")).json()
    assert (first["messageKey"], first["requestId"], first["accountId"]) == ("Order-4711", str(ours), 42)
    assert await pool.fetchval("select position from captured_mail where capture_id = $1", number) == 7
    strangers = await pool.fetch("select * from captured_mail where capture_id <> $1", number)
    assert [(r["account_id"], r["request_id"], r["position"], r["message_key"]) for r in strangers] == [(None,) * 4] * 2

    found = (await sandbox.http.get("/sandbox/messages", params={"messageKey": "ORDER-4711"})).json()
    assert [item["id"] for item in found["items"]] == [number]
    assert (await sandbox.http.get("/sandbox/wait", params={"messageKey": "order-4711"})).json()["id"] == number


async def test_a_request_accepted_past_midnight_is_found_on_the_next_day(sandbox: Sandbox, pool: Pool) -> None:
    today = datetime.now(UTC).date()
    late = datetime.combine(today - timedelta(days=1), datetime.max.time(), UTC)
    request = request_id(late, 3)
    await accepted(pool, 42, today, request, 0, "midnight")
    number = await sandbox.send(raw=mail(f"<0.{request.hex}.42@postroom.localhost>"))
    assert (await sandbox.http.get(f"/sandbox/messages/{number}")).json()["messageKey"] == "midnight"
