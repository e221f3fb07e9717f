"""Judging anew: the log keeps what was, suppressions follow the rules of today."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio
from tests.conformance.house import ACCOUNT, Hand, House, Person, open_house, people

from postroom.audience.suppression import Entry, suppress, suppressed
from postroom.bounces.rerun import Rerun, rerun
from postroom.bounces.verdict import Rules, read_rules
from postroom.delivery.outcome import Refused

GONE = "550 5.1.1 no such user"
ODD = "550 5.9.9 Mailbox has moved to the moon"

MOON = """
[[rule]]
name = "moon"
fault = "recipient"
permanence = "hard"
category = "moved"
text = ["moved to the moon"]
"""
NOT_GONE = """
[[rule]]
name = "not-gone"
fault = "sender"
permanence = "block"
category = "reputation"
text = ["no such user"]
"""


@pytest_asyncio.fixture(loop_scope="session")
async def house(database: str) -> AsyncIterator[House]:
    async with open_house(database) as opened:
        await opened.pool.execute("delete from suppression")
        yield opened


async def refused(house: House, replies: dict[str, str]) -> None:
    """One message for each key, refused with these words."""
    await house.accept(people(list(replies)))
    await Hand(house, "hand").work(
        lambda message: Refused(
            code=550,
            enhanced=replies[message.message_key].split()[1],
            text=replies[message.message_key],
            host="mx",
            stage="rcpt",
        )
    )


async def judge(house: House, rules: Rules, *, dry_run: bool = False, days: float = 1) -> Rerun:
    now = datetime.now(UTC)
    async with house.pool.acquire() as connection:
        return await rerun(connection, ACCOUNT, rules, since=now - timedelta(days=days), now=now, dry_run=dry_run)


async def held(house: House) -> set[str]:
    return set(await suppressed(house.pool, ACCOUNT, ["gone@example.com", "odd@example.com"]))


async def test_the_same_rules_change_nothing(house: House) -> None:
    await refused(house, {"gone": GONE, "odd": ODD})
    assert await judge(house, read_rules()) == Rerun(2, [])
    assert await house.kinds("gone") == ["not_sent"]


async def test_new_rules_suppress_whom_the_old_ones_missed_and_let_go_whom_they_wronged(house: House) -> None:
    await refused(house, {"gone": GONE, "odd": ODD})
    assert await held(house) == {"gone@example.com"}
    rules = read_rules(MOON + NOT_GONE)
    tried = await judge(house, rules, dry_run=True)
    assert await held(house) == {"gone@example.com"}, "a dry run changes nothing"
    assert await house.count("event") == 2
    done = await judge(house, rules)
    assert done == tried
    assert [(each.message_key, each.after.rule, each.effect) for each in done.changes] == [
        ("gone", "not-gone", "lifted"),
        ("odd", "moon", "suppressed"),
    ]
    assert await held(house) == {"odd@example.com"}
    assert await house.kinds("gone") == ["not_sent", "rejudged"]
    assert (await judge(house, rules)).changes == [], "the latest verdict counts"
    again = await judge(house, read_rules())
    assert [each.effect for each in again.changes] == ["suppressed", "lifted"]
    assert await held(house) == {"gone@example.com"}
    assert (await house.final())["odd"] == ("not_sent", 101), "the status stays"


async def test_an_address_that_another_refusal_asks_for_stays_suppressed(house: House) -> None:
    await refused(house, {"gone": GONE})
    await house.accept([Person("c-gone", "GONE@example.com", "again")])
    await house.pool.execute("update account set suppresses = false")
    await Hand(house, "hand").work(
        lambda _: Refused(code=550, text="550 5.1.1 account closed", host="mx", stage="rcpt")
    )
    done = await judge(house, read_rules(NOT_GONE + MOON.replace("moved to the moon", "account closed")))
    assert [each.effect for each in done.changes] == ["", ""]
    assert await held(house) == {"gone@example.com"}


async def test_what_people_suppressed_stays(house: House) -> None:
    await refused(house, {"gone": GONE})
    async with house.pool.acquire() as connection, connection.transaction():
        await suppress(connection, ACCOUNT, [Entry("gone@example.com", "bounce", "Ada said so")])
    done = await judge(house, read_rules(NOT_GONE))
    assert [each.effect for each in done.changes] == [""]
    assert await held(house) == {"gone@example.com"}


async def test_what_is_older_is_left_alone(house: House) -> None:
    await refused(house, {"gone": GONE})
    assert await judge(house, read_rules(NOT_GONE), days=0) == Rerun(0, [])


async def test_an_erased_reply_is_not_judged(house: House) -> None:
    await refused(house, {"gone": GONE})
    await house.pool.execute("update event set detail = (detail::jsonb - 'reply')::text")
    assert await judge(house, read_rules(NOT_GONE)) == Rerun(0, [])
    assert await house.kinds("gone") == ["not_sent"]
