"""A mailbox that stays full is suppressed in the end, and one that took a mail in between is not."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio
from tests.conformance.house import ACCOUNT, Hand, House, Person, open_house

from postroom.audience.soft_bounces import SoftBounceRule, end_counts, end_old_counts
from postroom.audience.suppression import list_suppressions
from postroom.bounces.log import record_failure
from postroom.bounces.report import Failed, Failure
from postroom.bounces.return_path import Mark
from postroom.bounces.verdict import read_rules
from postroom.delivery.outcome import Outcome, Refused, Sent

RULE = SoftBounceRule(3, timedelta(minutes=15))
START = datetime.now(UTC)
FULL = Refused(code=552, enhanced="5.2.2", text="552 5.2.2 mailbox full", stage="rcpt")
EXPLANATION = "552 5.2.2 mailbox full"


@pytest_asyncio.fixture(loop_scope="session")
async def house(any_database: str) -> AsyncIterator[House]:
    async with open_house(any_database) as opened:
        yield opened


async def mail(house: House, minute: float, outcome: Outcome, address: str = "ann@example.com") -> Mark:
    """One message to the address that ends so, at a minute."""
    (key,) = house.keys(1)
    await house.accept([Person(f"c-{address}", address, key)])
    hand = Hand(house, "w")
    slices = await hand.claim()
    loaded = await hand.load(slices)
    now = START + timedelta(minutes=minute)
    await hand.settle(slices, loaded, lambda _: outcome, now=now, soft=RULE)
    (message,) = loaded.messages
    return Mark(ACCOUNT, message.slice.request_id, message.position, False)


async def bounce(house: House, mark: Mark, minute: float) -> None:
    """The report that a mail did not arrive after all."""
    failure = Failure((Failed("ann@example.com", "", "5.2.2", EXPLANATION, "mx.example.com"),), "mx", "dsn")
    async with house.pool.acquire() as connection, connection.transaction():
        at = START + timedelta(minutes=minute)
        assert await record_failure(connection, mark, failure, read_rules(), at, soft=RULE) == "recorded"


async def evidence(house: House) -> list[tuple[str | None, str]]:
    return [(row.address, row.evidence) for row in await list_suppressions(house.pool, ACCOUNT, limit=10)]


async def test_three_soft_bounces_over_the_time_of_the_rule_suppress(house: House) -> None:
    for minute in (0, 1, 2, 14.9):
        await mail(house, minute, FULL)
        await mail(house, minute, FULL, "ben@example.com")
    assert await evidence(house) == []
    await mail(house, 15, FULL)
    said = f"5 soft bounces since {START:%Y-%m-%d}; at last a mail system said: 552 5.2.2 mailbox full (rule full)"
    assert await evidence(house) == [("ann@example.com", said)]
    assert await house.count("soft_bounce") == 1, "ben's; ann's is over"


async def test_too_few_do_not_suppress_however_long_it_takes(house: House) -> None:
    await mail(house, 0, FULL)
    await mail(house, 40, FULL)
    assert await evidence(house) == []


async def test_a_delivered_mail_begins_the_count_anew(house: House) -> None:
    await mail(house, 0, FULL)
    await mail(house, 8, FULL)
    await mail(house, 9, Sent())
    await mail(house, 16, FULL)
    await mail(house, 24, FULL)
    assert await evidence(house) == []
    await mail(house, 31, FULL)
    assert await evidence(house) != []


async def test_mails_that_are_taken_and_bounce_later_are_not_delivered(house: House) -> None:
    first = await mail(house, 0, Sent())
    await bounce(house, first, 0.1)
    second, third, fourth = [await mail(house, at, Sent()) for at in (8, 15, 16)]
    await bounce(house, second, 16.5)
    await bounce(house, third, 17)
    assert await evidence(house) != []
    await bounce(house, fourth, 17)
    assert await house.count("suppression") == 1


async def test_a_mail_before_the_one_that_bounces_was_delivered(house: House) -> None:
    await bounce(house, await mail(house, 0, Sent()), 0.1)
    await bounce(house, await mail(house, 8, Sent()), 8.1)
    await mail(house, 10, Sent())
    await bounce(house, await mail(house, 16, Sent()), 16.1)
    assert await evidence(house) == []


async def test_counts_end_a_week_after_a_mail_that_did_not_bounce_or_a_year_after_the_last_that_did(
    house: House,
) -> None:
    await mail(house, 0, FULL)
    await mail(house, 0, FULL, "ben@example.com")
    await mail(house, 1, Sent())
    await end_old_counts(house.pool, START + timedelta(days=6.9))
    assert await house.count("soft_bounce") == 2
    await end_old_counts(house.pool, START + timedelta(days=7.1))
    assert await house.count("soft_bounce") == 1
    assert await house.count("soft_bounce_sent") == 0
    await end_old_counts(house.pool, START + timedelta(days=366))
    assert await house.count("soft_bounce") == 0


async def test_of_an_erased_address_no_count_is_left(house: House) -> None:
    await mail(house, 0, FULL)
    async with house.pool.acquire() as connection:
        await end_counts(connection, ACCOUNT, ["ANN@example.com"])
    assert await house.count("soft_bounce") == 0


async def test_a_business_unit_without_counts_is_not_looked_up(house: House) -> None:
    await mail(house, 0, Sent())
    assert await house.pool.fetchval("select counts_bounces from account where account_id = $1", ACCOUNT) is False
    await mail(house, 0, FULL)
    assert await house.pool.fetchval("select counts_bounces from account where account_id = $1", ACCOUNT) is True
