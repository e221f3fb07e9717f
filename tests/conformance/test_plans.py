"""No hot statement reads more than its own rows, also where a partition filled up since the planner last looked."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from tests.conformance.house import ACCOUNT, KEY_WINDOW, House, open_house

from postroom.audience import soft_bounces, suppression
from postroom.audience.suppression import Entry, load_address_hash, suppress
from postroom.delivery import claim, outcome_writer
from postroom.events import log, posted, put_offs, search, status
from postroom.intake import backlog, ledger, queue_report
from postroom.sandbox import mailbox
from postroom.store.partitions import index_days
from postroom.store.pool import open_pool

Row = asyncpg.Record
MESSAGES = 10_000
WANTED = 200


@pytest_asyncio.fixture(loop_scope="session")
async def house(any_database: str) -> AsyncIterator[House]:
    """Fresh tables, which no autovacuum has seen full."""
    async with open_house(any_database) as opened:
        await opened.pool.execute("alter table queue set (autovacuum_enabled = off)")
        yield opened


_SAMPLE = "select accepted_on, request_id, position, message_key from message order by random() limit $1"
_FINISH = """
insert into event (account_id, occurred_on, occurred_at, request_id, position, definition_id, kind)
select account_id, accepted_on, now(), request_id, position, request_id, 'sent' from message
"""


def _by_message(rows: list[Row], slices: list[int]) -> tuple[object, ...]:
    return (
        ACCOUNT,
        [row["accepted_on"] for row in rows],
        [row["request_id"] for row in rows],
        [row["position"] for row in rows],
    )


def _by_slice(rows: list[Row], slices: list[int]) -> tuple[object, ...]:
    return ACCOUNT, slices


def _logged(rows: list[Row], slices: list[int]) -> tuple[object, ...]:
    times = [row["accepted_on"] for row in rows]
    return ACCOUNT, [row["request_id"] for row in rows], [row["position"] for row in rows], times, ["sent"] * len(rows)


def _used(rows: list[Row], slices: list[int]) -> tuple[object, ...]:
    return ACCOUNT, [row["message_key"] for row in rows], sorted({row["accepted_on"] for row in rows}), KEY_WINDOW


def _used_elsewhere(rows: list[Row], slices: list[int]) -> tuple[object, ...]:
    today = rows[0]["accepted_on"]
    days = [today + timedelta(days=offset) for offset in (-3, -2, -1, 1)]
    return ACCOUNT, [row["message_key"] for row in rows], days, KEY_WINDOW


def _requests(rows: list[Row], slices: list[int]) -> tuple[object, ...]:
    return ACCOUNT, [row["accepted_on"] for row in rows], [row["request_id"] for row in rows]


def _part(rows: list[Row], slices: list[int]) -> tuple[object, ...]:
    return ACCOUNT, slices[0], list(range(0, 100, 2)), 0, 98, None, 0, None


def _called(rows: list[Row], slices: list[int]) -> tuple[object, ...]:
    return ACCOUNT, "mx.slow.test", 100


def _rows_passed(node: dict[str, Any]) -> float:
    """Rows that any step of a plan gave or threw away: an index read as a whole costs few blocks and many rows."""
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
    own = (node["Actual Rows"] + removed) * node["Actual Loops"]
    return float(own + sum(_rows_passed(child) for child in node.get("Plans", ())))


STATEMENTS = [
    pytest.param(mailbox._KEYS, _by_message, id="captured_mail_finds_its_key"),
    pytest.param(claim._MESSAGES, _by_slice, id="messages_of_a_claim"),
    pytest.param(claim._FINISHED, _by_slice, id="finished_of_a_claim"),
    pytest.param(claim._REQUESTS, _requests, id="requests_of_a_claim"),
    pytest.param(backlog.WAITING_IN_SLICES, _by_slice, id="waiting_in_slices"),
    pytest.param(outcome_writer._STILL_OURS, _by_slice, id="settlement_locks_its_slices"),
    pytest.param(outcome_writer._PART, _part, id="part_of_a_slice"),
    pytest.param(claim._CALL_BACK, _called, id="what_waits_for_a_site"),
    pytest.param(claim._SITES_WAITED_FOR, lambda rows, slices: (ACCOUNT,), id="which_sites_are_waited_for"),
    pytest.param(outcome_writer._REQUEUE, _part, id="rest_of_a_slice"),
    pytest.param(log.LOGGED, _logged, id="repeated_settlement_finds_its_events"),
    pytest.param(ledger._USED_ON_OTHER_DAYS, _used, id="keys_used_before"),
    pytest.param(ledger._USED_ON_OTHER_DAYS, _used_elsewhere, id="keys_of_days_without_rows"),
]


@pytest.mark.parametrize(("statement", "arguments"), STATEMENTS)
async def test_a_hot_statement_reads_its_own_rows(
    house: House, statement: str, arguments: Callable[[list[Row], list[int]], tuple[object, ...]]
) -> None:
    for _ in range(MESSAGES // 2_000):
        await house.accept_many(2_000)
    await house.pool.execute(_FINISH)
    pool = await open_pool(house.dsn, max_size=1, application_name="plans", settings={"enable_seqscan": "off"})
    rows = await pool.fetch(_SAMPLE, WANTED)
    slices = [row["slice_id"] for row in await pool.fetch("select slice_id from queue order by slice_id limit 2")]
    (plan,) = await pool.fetchrow(f"explain (analyze, buffers, format json) {statement}", *arguments(rows, slices)) or (
        "[]",
    )
    await pool.close()
    found = json.loads(plan)[0]["Plan"]
    # A look-up is an index of two or three levels and the row, in each of the eight days where the day is not known.
    assert found["Shared Hit Blocks"] + found["Shared Read Blocks"] < WANTED * 8 * 4
    assert _rows_passed(found) < WANTED * 8 * 4


async def test_suppressed_addresses_are_looked_up_by_their_whole_keys(house: House) -> None:
    for start in range(0, MESSAGES, 2_000):
        async with house.pool.acquire() as connection, connection.transaction():
            entries = [Entry(f"p{number}@example.com", "import") for number in range(start, start + 2_000)]
            await suppress(connection, ACCOUNT, entries)
    pool = await open_pool(house.dsn, max_size=1, application_name="plans", settings={"enable_seqscan": "off"})
    hashes = await load_address_hash(pool)
    wanted = [hashes.of(ACCOUNT, f"p{number}@example.com") for number in range(0, 2 * MESSAGES, 2 * MESSAGES // WANTED)]
    statement = f"explain (analyze, buffers, format json) {suppression._LOOK_UP}"
    (plan,) = await pool.fetchrow(statement, ACCOUNT, wanted) or ("[]",)
    await pool.close()
    found = json.loads(plan)[0]["Plan"]
    assert found["Actual Rows"] == WANTED / 2
    assert found["Shared Hit Blocks"] + found["Shared Read Blocks"] < WANTED * 5
    assert _rows_passed(found) < WANTED * 4


_COUNT_SOFT_BOUNCES = """
insert into soft_bounce (account_id, address_hash, bounces, first_at, last_at)
select $1, hash, 1, now(), now() from unnest($2::bytea[]) as t(hash)
"""


async def test_the_addresses_of_a_claim_are_looked_up_one_by_one_among_soft_bounces(house: House) -> None:
    pool = await open_pool(house.dsn, max_size=1, application_name="plans", settings={"enable_seqscan": "off"})
    hashes = await load_address_hash(pool)
    counted = [hashes.of(ACCOUNT, f"p{number}@example.com") for number in range(MESSAGES)]
    await pool.execute(_COUNT_SOFT_BOUNCES, ACCOUNT, counted)
    wanted = [hashes.of(ACCOUNT, f"p{number}@example.com") for number in range(0, 2 * MESSAGES, 2 * MESSAGES // WANTED)]
    statement = f"explain (analyze, buffers, format json) {soft_bounces._COUNTED}"
    (plan,) = await pool.fetchrow(statement, ACCOUNT, wanted) or ("[]",)
    await pool.close()
    found = json.loads(plan)[0]["Plan"]
    assert found["Actual Rows"] == WANTED / 2
    assert found["Shared Hit Blocks"] + found["Shared Read Blocks"] < WANTED * 5
    assert _rows_passed(found) < WANTED * 4


async def test_the_status_of_a_message_is_a_few_look_ups(house: House) -> None:
    for _ in range(MESSAGES // 2_000):
        await house.accept_many(2_000)
    await house.pool.execute(_FINISH)
    now = datetime.now(UTC)
    pool = await open_pool(house.dsn, max_size=1, application_name="plans", settings={"enable_seqscan": "off"})
    (plan,) = await pool.fetchrow(
        f"explain (analyze, buffers, format json) {status._STATUS}",
        ACCOUNT,
        ["m17"],
        status.days_back(now, 72),
        now - timedelta(hours=72),
    ) or ("[]",)
    await pool.close()
    found = json.loads(plan)[0]["Plan"]
    assert found["Actual Rows"] == 1
    assert found["Shared Hit Blocks"] + found["Shared Read Blocks"] < 100


@pytest.mark.parametrize(
    ("statement", "slices", "more"),
    [
        pytest.param(queue_report._DEPTHS, 20, (), id="depths"),
        pytest.param(queue_report._BEHIND, 20, (WANTED, timedelta(seconds=10)), id="behind"),
        pytest.param(queue_report._SITES, None, (20, 10), id="sites"),
    ],
)
async def test_a_report_on_a_queue_that_is_behind_reads_no_more_than_its_bounds(
    house: House, statement: str, slices: int | None, more: tuple[object, ...]
) -> None:
    for _ in range(MESSAGES // 2_000):
        await house.accept_many(2_000)
    await house.pool.execute("update queue set attempt = 1, waits_for = 'mx.slow.test'")
    await house.pool.execute(_FINISH.replace("'sent'", "'deferred'"))
    definition_id = await house.pool.fetchval("select definition_id from definition")
    whose = (ACCOUNT, None) if slices is None else (ACCOUNT, [definition_id], slices)
    pool = await open_pool(house.dsn, max_size=1, application_name="plans", settings={"enable_seqscan": "off"})
    (plan,) = await pool.fetchrow(f"explain (analyze, buffers, format json) {statement}", *whose, *more) or ("[]",)
    await pool.close()
    found = json.loads(plan)[0]["Plan"]
    assert found["Actual Rows"] > 0
    # The messages of two slices, each with its attempt in one of the days.
    assert found["Shared Hit Blocks"] + found["Shared Read Blocks"] < WANTED * 8 * 4
    assert _rows_passed(found) < WANTED * 12


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        pytest.param(search._THROUGH, (None, None, 50, 50), id="the_newest"),
        pytest.param(search._BY_ADDRESS, ("m17@example.com", None, 500, 500), id="by_address"),
        pytest.param(search._BY_CONTACT, (None, "c-m17", 500, 500), id="by_contact"),
    ],
)
async def test_a_page_of_a_search_is_a_few_look_ups(
    house: House, source: str, wanted: tuple[str | None, str | None, int, int]
) -> None:
    for _ in range(MESSAGES // 2_000):
        await house.accept_many(2_000)
    await house.pool.execute(_FINISH)
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    await index_days(house.pool, tomorrow)
    last = (search._LAST_ID, search._LAST_POSITION)
    arguments = (ACCOUNT, tomorrow - timedelta(days=1), *last, *wanted, None, None, None, None)
    pool = await open_pool(house.dsn, max_size=1, application_name="plans", settings={"enable_seqscan": "off"})
    statement = f"explain (analyze, buffers, format json) {search._FIND.format(source)}"
    (plan,) = await pool.fetchrow(statement, *arguments) or ("[]",)
    await pool.close()
    for what in ("address", "contact"):
        await house.pool.execute(f"drop index message_{tomorrow - timedelta(days=1):%Y%m%d}_by_{what}")
    found = json.loads(plan)[0]["Plan"]
    number = 50 if source is search._THROUGH else 1
    assert found["Actual Rows"] == number
    # Each message's events are looked for in the eight days that there are.
    assert found["Shared Hit Blocks"] + found["Shared Read Blocks"] < 40 * (number + 1)
    assert _rows_passed(found) < 40 * (number + 1)


_POSTED_MUCH = """
insert into webhook_attempt (account_id, occurred_on, occurred_at, milliseconds, callback_id, callback_name,
                             webhook_id, attempt, status, event_ids, span)
select $1::bigint, current_date, now(), 5, gen_random_uuid(), 'Orders', 'msg', 1, 200,
       array(select generate_series(first, first + 99)), int8range(first, first + 99, '[]')
from generate_series(1, 1000000, 100) as first
"""
_PUT_OFF_MUCH = """
insert into put_off (account_id, occurred_on, occurred_at, request_id, first_position, last_position, reason)
select $1::bigint, current_date, now(), request_id, 0, 500, 'siteBusy'
from (select distinct request_id from message) m, generate_series(1, 10)
union all
select $1::bigint, current_date, now(), gen_random_uuid(), 0, 500, 'siteBusy' from generate_series(1, 10000)
"""


async def test_what_a_timeline_adds_is_a_few_look_ups(house: House) -> None:
    await house.accept_many(2_000)
    await house.pool.execute(_POSTED_MUCH, ACCOUNT)
    await house.pool.execute(_PUT_OFF_MUCH, ACCOUNT)
    request_id = await house.pool.fetchval("select request_id from queue limit 1")
    day = datetime.now(UTC).date() - timedelta(days=1)
    pool = await open_pool(house.dsn, max_size=1, application_name="plans", settings={"enable_seqscan": "off"})
    for statement, arguments, rows in (
        (posted._POSTED, (ACCOUNT, [17, 4_711, 999_999], day, 100), 3),
        (put_offs._OF_MESSAGE, (ACCOUNT, request_id, 17, 100), 10),
    ):
        (plan,) = await pool.fetchrow(f"explain (analyze, buffers, format json) {statement}", *arguments) or ("[]",)
        found = json.loads(plan)[0]["Plan"]
        assert found["Actual Rows"] == rows
        assert found["Shared Hit Blocks"] + found["Shared Read Blocks"] < 200
        assert _rows_passed(found) < 200
    await pool.close()
