"""A message key is used once per business unit within 72 hours, whatever its letter case."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import msgspec
import pytest
from tests.conformance.house import ACCOUNT, House, Person, accepting, people

from postroom.intake.request import Accepted, NoValidRecipients, RecipientError
from postroom.store.pool import open_pool

DUPLICATE = RecipientError.DUPLICATE_MESSAGE_KEY

_REMEMBER_REQUEST = """
insert into send_request (account_id, accepted_on, request_id, definition_id, version_id, accepted_at)
values ($1, $2, $3, gen_random_uuid(), 1, $4)
"""
_REMEMBER_MESSAGE = """
insert into message (account_id, accepted_on, request_id, position, message_key, contact_key, address)
values ($1, $2, $3, 0, $4, 'c', 'c@example.com')
"""


async def remember(house: House, key: str, accepted_at: datetime, *, days_off: int = 0) -> None:
    """A message of this key was accepted then; the row is in that day's partition, or in a neighbour's."""
    day = (accepted_at + timedelta(days=days_off)).date()
    request_id = uuid4()
    await house.pool.execute("select ensure_day_partitions($1, $1)", day)
    await house.pool.execute(_REMEMBER_REQUEST, ACCOUNT, day, request_id, accepted_at)
    await house.pool.execute(_REMEMBER_MESSAGE, ACCOUNT, day, request_id, key)


async def errors(house: House, *keys: str) -> list[RecipientError | None]:
    """What the answer says about each key, when all are sent in one request."""
    try:
        results = (await house.accept(people(keys))).results
    except NoValidRecipients as none:
        results = none.results
    return [result.error for result in results]


async def test_a_key_is_used_once_within_the_day(house: House) -> None:
    assert await errors(house, "order-1") == [None]
    assert await errors(house, "order-1") == [DUPLICATE]
    assert await house.count("message") == 1


@pytest.mark.parametrize(("first", "second"), [("Order-1", "oRDER-1"), ("ÄPFEL", "Äpfel")])
async def test_letter_case_of_ascii_does_not_make_another_key(house: House, first: str, second: str) -> None:
    assert await errors(house, first) == [None]
    assert await errors(house, second) == [DUPLICATE]


async def test_other_letters_are_compared_exactly(house: House) -> None:
    assert await errors(house, "Äpfel") == [None]
    assert await errors(house, "äpfel") == [None]


async def test_another_business_unit_has_its_own_keys(house: House) -> None:
    await house.open_account(200)
    await house.define("welcome", account_id=200)
    await house.accept(people(["k"]))
    accepted = await house.accept(people(["k"]), account_id=200)
    assert [result.error for result in accepted.results] == [None]


async def test_a_key_of_yesterday_is_taken(house: House) -> None:
    await remember(house, "Late", datetime.now(UTC) - timedelta(hours=24))
    assert await errors(house, "late", "other") == [DUPLICATE, None]
    assert await house.count("queue") == 1


async def test_a_key_in_tomorrows_rows_is_taken(house: House) -> None:
    """An accept that began before midnight may look while one of the new day is already committed."""
    await remember(house, "early", datetime.now(UTC), days_off=1)
    assert await errors(house, "early") == [DUPLICATE]


@pytest.mark.parametrize(
    ("age", "taken"), [(timedelta(hours=71, minutes=59), True), (timedelta(hours=72, minutes=1), False)]
)
async def test_a_key_is_free_again_after_72_hours(house: House, age: timedelta, taken: bool) -> None:
    await remember(house, "k", datetime.now(UTC) - age)
    assert await errors(house, "k") == [DUPLICATE if taken else None]


async def test_mixed_results_store_the_good_ones_only(house: House) -> None:
    await house.accept(people(["used"]))
    assert await errors(house, "a", "USED", "b", "A") == [None, DUPLICATE, None, DUPLICATE]
    rows = await house.pool.fetch("select position, message_key from message where message_key <> 'used'")
    assert sorted((row["position"], row["message_key"]) for row in rows) == [(0, "a"), (2, "b")]
    assert await house.pool.fetchval("select messages from queue order by slice_id desc limit 1") == 2


async def test_a_request_without_one_good_recipient_leaves_nothing(house: House) -> None:
    await house.accept(people(["x", "y"]))
    before = [await house.count(table) for table in ("message", "send_request", "queue")]
    assert await errors(house, "x", "Y") == [DUPLICATE, DUPLICATE]
    assert [await house.count(table) for table in ("message", "send_request", "queue")] == before


async def test_of_two_accepts_with_one_key_exactly_one_wins(house: House) -> None:
    """Two API processes, and two requests within each: one group commit may hold both."""
    other_pool = await open_pool(house.dsn, max_size=4, application_name="another process")
    async with accepting(other_pool) as other:
        second = House(house.dsn, other_pool, other)
        for number in range(40):
            key = f"race-{number}"
            found = await asyncio.gather(*(errors(each, key) for each in (house, second, house, second)))
            assert Counter(error for (error,) in found) == {DUPLICATE: 3, None: 1}
    await other_pool.close()
    assert await house.count("message") == 40
    assert await house.count("queue") == 40


async def test_the_same_keys_in_opposite_order_are_each_accepted_once(house: House) -> None:
    """PostgreSQL ends one of two accepts that wait for each other; the client does not see it."""
    quick = {"deadlock_timeout": "20ms"}
    pools = [await open_pool(house.dsn, max_size=2, application_name=f"process {n}", settings=quick) for n in range(2)]
    async with accepting(pools[0]) as one, accepting(pools[1]) as two:
        houses = [House(house.dsn, pools[0], one), House(house.dsn, pools[1], two)]
        for _ in range(5):
            keys = house.keys(1_000)
            forth, back = await asyncio.gather(errors(houses[0], *keys), errors(houses[1], *reversed(keys)))
            pairs = zip(forth, reversed(back), strict=True)
            assert all({str(a), str(b)} == {str(DUPLICATE), "None"} for a, b in pairs)
    for pool in pools:
        await pool.close()
    assert await house.count("message") == 5_000
    assert await house.pool.fetchval("select sum(messages) from queue") == 5_000


async def test_a_failure_in_the_middle_leaves_nothing_and_the_keys_free(house: House) -> None:
    await house.pool.execute(
        "create or replace function fail() returns trigger language plpgsql as $$begin raise 'out of order'; end$$"
    )
    await house.pool.execute("create trigger fail before insert on queue execute function fail()")
    with pytest.raises(asyncpg.RaiseError, match="out of order"):
        await house.accept(people(["a", "b"]))
    assert [await house.count(table) for table in ("message", "send_request", "queue")] == [0, 0, 0]
    await house.pool.execute("drop trigger fail on queue")
    assert await errors(house, "a", "b") == [None, None]


async def test_what_postgresql_can_not_store_fails_alone(house: House) -> None:
    """Requests that arrive together share a commit; a NUL in one of them must not fail the others."""
    bad = Person("c", "c@example.com", "bad", _raw_nul())
    found = await asyncio.gather(
        *(house.accept(people([f"good-{n}"])) for n in range(5)),
        house.accept([bad]),
        *(house.accept(people([f"fine-{n}"])) for n in range(5)),
        return_exceptions=True,
    )
    assert isinstance(found[5], asyncpg.DataError)
    assert all(isinstance(each, Accepted) for each in found[:5] + found[6:])
    assert await house.count("message") == 10


def _raw_nul() -> msgspec.Raw:
    return msgspec.Raw(b'{"a":"\x00"}')
