"""What is past its time goes, class by class; what the queue still needs stays; a look changes nothing."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest_asyncio
from tests.conformance.house import ACCOUNT, Hand, House, open_house
from typer.testing import CliRunner

from postroom.audience.suppression import Entry, list_suppressions, suppress
from postroom.cli.main import app
from postroom.privacy.retention import Due, Retention, due, forget_due

DAY = timedelta(days=1)
NEVER = timedelta(days=3_000)
KEEP = Retention(messages=NEVER, events=NEVER, engagement=NEVER, captured=NEVER, suppressions=NEVER)


@pytest_asyncio.fixture(loop_scope="session")
async def house(any_database: str) -> AsyncIterator[House]:
    async with open_house(any_database) as opened:
        await opened.pool.execute("truncate captured_mail; update captured_total set messages = 0, bytes = 0")
        yield opened


def now() -> datetime:
    return datetime.now(UTC)


async def partitions(house: House, table: str) -> set[date]:
    rows = await house.pool.fetch(
        "select right(child.relname, 8) as day from pg_inherits i join pg_class child on child.oid = i.inhrelid "
        "join pg_class parent on parent.oid = i.inhparent where parent.relname = $1 and child.relkind = 'r'",
        table,
    )
    return {date.fromisoformat(row["day"]) for row in rows}


async def one(house: House, retention: Retention, kind: str) -> Due:
    """What is due of the one class; nothing of any other."""
    found = await due(house.pool, retention, now())
    assert [each.kind for each in found if each.rows or each.days or each.needed] in ([], [kind])
    return next(each for each in found if each.kind == kind)


def keeping(**less: timedelta) -> Retention:
    """Everything for ever but this."""
    return replace(KEEP, **less)


async def test_events_can_go_before_messages_and_messages_before_events(house: House) -> None:
    today = now().date()
    past = {day for day in await partitions(house, "event") if day < today - DAY}
    found = await one(house, keeping(events=DAY), "events")
    assert (set(found.days), found.needed) == (past, ())
    assert found.bytes > 0
    await forget_due(house.pool, keeping(events=DAY), now())
    for table in ("event", "put_off", "webhook_attempt"):
        assert not past & await partitions(house, table)
        assert today in await partitions(house, table)
    assert past <= await partitions(house, "message")
    await forget_due(house.pool, keeping(messages=DAY), now())
    assert not past & (await partitions(house, "message") | await partitions(house, "send_request"))
    assert (await one(house, keeping(events=DAY), "events")).days == ()


async def test_a_day_that_the_queue_needs_is_told_and_stays(house: House) -> None:
    await house.accept_many(2)
    later = now() + 10 * DAY
    before = await partitions(house, "message")
    found = {each.kind: each for each in await due(house.pool, keeping(messages=DAY, events=DAY), later)}
    today = now().date()
    for kind in ("messages and requests", "events"):
        assert found[kind].needed[0] == today
        assert all(day < today for day in found[kind].days)
    await forget_due(house.pool, keeping(messages=DAY, events=DAY), later)
    assert await partitions(house, "message") == {day for day in before if day >= today}
    await Hand(house, "w").work()
    await forget_due(house.pool, keeping(messages=DAY, events=DAY), later)
    assert await partitions(house, "message") == set()


async def test_opens_and_clicks_forget_from_where_they_came(house: House) -> None:
    await house.accept_many(1)
    await Hand(house, "w").work()
    details = [
        '{"verdict":"person","address":"192.0.2.7","user_agent":"Mozilla","target":"https://x/?who=ann","link":3}',
        None,
    ]
    for kind, detail in zip(("clicked", "opened"), details, strict=True):
        await house.pool.execute(
            "insert into event (account_id, occurred_on, occurred_at, request_id, position, definition_id, kind, "
            "detail) "
            "select account_id, accepted_on, now(), request_id, position, request_id, $1, $2 from message",
            *(kind, detail),
        )
    sent = await house.pool.fetchval("select detail from event where kind = 'sent'")
    retention, later = keeping(engagement=DAY), now() + 2 * DAY
    found = {each.kind: each.rows for each in await due(house.pool, retention, later)}
    assert found["details of opens and clicks"] == 1
    looked_at: set[date] = set()
    await forget_due(house.pool, retention, later, looked_at=looked_at)
    assert now().date() in looked_at
    (left,) = await house.pool.fetch("select detail from event where kind = 'clicked'")
    assert json.loads(left["detail"]) == {"verdict": "person", "link": 3}
    assert await house.pool.fetchval("select detail from event where kind = 'sent'") == sent
    assert all(each.rows == 0 for each in await due(house.pool, retention, later))


async def test_outages_and_pauses_go_when_they_are_over_as_long_as_events(house: House) -> None:
    for age in (0, 1, 3):
        then = now() - age * DAY
        await house.pool.execute(
            "insert into relay_outage (relay, since, seen_until, reply) values ('smtp://r', $1, $2, '')",
            then - DAY,
            then,
        )
        await house.pool.execute("insert into definition_pause values ($1, $2, $3, $3)", ACCOUNT, uuid4(), then)
    await house.pool.execute(
        "insert into definition_pause values ($1, $2, now() - interval '9 days')", ACCOUNT, uuid4()
    )
    kind = "outages of the relay and pauses of definitions"
    found = {each.kind: each.rows for each in await due(house.pool, keeping(events=2 * DAY), now())}
    assert found[kind] == 2
    await forget_due(house.pool, keeping(events=2 * DAY), now())
    assert (await house.count("relay_outage"), await house.count("definition_pause")) == (2, 3)


async def test_captured_mails_go_by_age_and_the_total_is_kept(house: House) -> None:
    await house.pool.execute(
        "insert into captured_mail (captured_at, sender, recipients, recipient_keys, subject, header_from, header_to, "
        "search_text, size, raw) select now() - n * interval '1 day', '', '{}', '{}', '', '', '', '', 10, '' "
        "from generate_series(0, 4) n"
    )
    await house.pool.execute("update captured_total set messages = 5, bytes = 50")
    retention = keeping(captured=timedelta(days=2, hours=12))
    found = await one(house, retention, "captured mails")
    assert (found.rows, found.bytes) == (2, 20)
    await forget_due(house.pool, retention, now())
    assert tuple(await house.pool.fetchrow("select messages, bytes from captured_total") or ()) == (3, 30)
    assert await house.count("captured_mail") == 3


async def test_replies_of_idempotency_keys_go_after_their_72_hours(house: House) -> None:
    await house.pool.execute(
        "insert into idempotency_key select $1, n::text, '', '12345', now() - n * interval '1 hour' "
        "from unnest(array[1, 71, 73, 90]) n",
        ACCOUNT,
    )
    found = await one(house, KEEP, "replies of Idempotency-Keys")
    assert (found.rows, found.bytes) == (2, 10)
    await forget_due(house.pool, KEEP, now())
    assert await house.count("idempotency_key") == 2


async def test_suppressions_go_a_while_after_they_expired(house: House) -> None:
    async with house.pool.acquire() as connection, connection.transaction():
        entries = [Entry(f"p{age}@example.com", "manual", "", now() - age * DAY) for age in (-1, 1, 3)]
        await suppress(connection, ACCOUNT, [*entries, Entry("ever@example.com", "manual")])
    retention = keeping(suppressions=2 * DAY)
    assert (await one(house, retention, "expired suppressions")).rows == 1
    await forget_due(house.pool, retention, now())
    left = {each.address for each in await list_suppressions(house.pool, ACCOUNT, limit=10, expired=True)}
    assert left == {"p-1@example.com", "p1@example.com", "ever@example.com"}


def test_by_command_first_dry(database: str) -> None:
    def run(*words: str) -> list[dict[str, object]]:
        arguments = ["retention", *words, "--json", "--database-url", database, "--retention-days", "4"]
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        shown: list[dict[str, object]] = json.loads(result.stdout)
        return shown

    first = run("--dry-run")
    assert [each["class"] for each in first] == [
        "messages and requests",
        "events",
        "details of opens and clicks",
        "outages of the relay and pauses of definitions",
        "captured mails",
        "replies of Idempotency-Keys",
        "expired suppressions",
    ]
    assert run("--dry-run") == first
    assert run() == first
    assert all(not each["days"] and not each["rows"] for each in run())
