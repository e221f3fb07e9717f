"""Opens and clicks in the event log: gathered, judged, written; bounded in every direction."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import pytest
from tests.conformance.house import ACCOUNT, House
from uuid_utils.compat import uuid7

from postroom.content.link_tokens import LinkMessage, Token
from postroom.events import engagement
from postroom.events.engagement import Engagement, Hit
from postroom.events.machines import own_rules
from postroom.privacy.traces import KEPT_OF_OTHERS
from postroom.store.pool import Pool
from postroom.tenancy.accounts import AccountChange, change_account

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
NOW = datetime.now(UTC).timestamp()


async def version_of(house: House, key: str = "welcome", account_id: int = ACCOUNT) -> int:
    """The version that a definition sends now. The contact of all messages here is there as well."""
    await house.pool.execute(
        "insert into contact (account_id, contact_id, contact_key, address) overriding system value"
        " values ($1, 42, 'c-42', 'c@example.com') on conflict do nothing",
        account_id,
    )
    number: int = await house.pool.fetchval(
        "select version_id from definition where account_id = $1 and definition_key = $2", account_id, key
    )
    return number


def message(version_id: int, position: int = 0, request_id: UUID | None = None) -> LinkMessage:
    return LinkMessage(ACCOUNT, version_id, position, 42, request_id or uuid7())


def click(to: LinkMessage, number: int = 1, at: float = NOW, user_agent: str = CHROME) -> Hit:
    token = Token("click", to, number, "Shop", "", "https://shop.example/")
    return Hit(token, at, "GET", "192.0.2.7", user_agent, ())


@asynccontextmanager
async def writing(house: House, *, private: bool = False) -> AsyncIterator[Engagement]:
    """Everything taken inside is in the log afterwards."""
    each = Engagement(house.pool, own_rules(), interval=0.01, private=private)
    running = asyncio.create_task(each.run())
    try:
        yield each
    finally:
        each.close()
        await running


class Away:
    """A pool whose database can't be reached at first."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.away = True
        self.asked = asyncio.Event()

    async def fetch(self, *arguments: Any) -> Any:
        self.asked.set()
        if self.away:
            raise ConnectionRefusedError("away")
        return await self._pool.fetch(*arguments)

    def acquire(self) -> Any:
        return self._pool.acquire()


async def logged(house: House, account_id: int = ACCOUNT) -> list[dict[str, Any]]:
    rows = await house.pool.fetch(
        "select kind, request_id, position, contact_id, definition_id, occurred_at, detail from event"
        " where account_id = $1 order by event_id",
        account_id,
    )
    return [dict(row) | json.loads(row["detail"]) for row in rows]


async def test_a_click_is_logged_though_its_message_has_no_rows_any_more(house: House) -> None:
    to = message(await version_of(house), 3)
    async with writing(house) as gathering:
        gathering.take(click(to))
    (event,) = await logged(house)
    assert (event["kind"], event["request_id"], event["position"], event["contact_id"]) == (
        "clicked", to.request_id, 3, 42,
    )  # fmt: skip
    assert event["occurred_at"].timestamp() == pytest.approx(NOW, abs=1e-3)
    assert json.loads(event["detail"]) == {
        "verdict": "person",
        "ip_address": "192.0.2.7",
        "user_agent": CHROME,
        "link": 1,
        "target": "https://shop.example/",
        "link_name": "Shop",
    }


async def test_private_keeps_neither_address_nor_user_agent(house: House) -> None:
    async with writing(house, private=True) as gathering:
        gathering.take(click(message(await version_of(house)), user_agent="python-requests/2"))
    (event,) = await logged(house)
    assert json.loads(event["detail"]).keys() == {"verdict", "verdict_reason", "link", "target", "link_name"}
    assert event["verdict"] == "machine"


@pytest.mark.parametrize(("server", "one", "other"), [(False, "private", "server"), (True, "server", "full")])
async def test_business_units_on_one_server_differ(house: House, server: bool, one: str, other: str) -> None:
    await house.open_account(ACCOUNT + 1)
    await house.define("theirs", account_id=ACCOUNT + 1)
    private = message(await version_of(house))
    full = replace(message(await version_of(house, "theirs", ACCOUNT + 1)), account_id=ACCOUNT + 1)
    await change_account(house.pool, ACCOUNT, AccountChange(tracking_privacy=one))
    await change_account(house.pool, ACCOUNT + 1, AccountChange(tracking_privacy=other))
    async with writing(house, private=server) as gathering:
        gathering.take(click(private))
        gathering.take(click(full))
    (event,) = await logged(house)
    assert not {"ip_address", "user_agent"} & event.keys()
    (event,) = await logged(house, ACCOUNT + 1)
    assert (event["ip_address"], event["user_agent"]) == ("192.0.2.7", CHROME)


async def test_of_an_erased_person_nothing_is_kept_though_an_old_mail_is_opened(house: House) -> None:
    to = message(await version_of(house))
    await house.pool.execute("delete from contact where account_id = $1 and contact_id = 42", ACCOUNT)
    async with writing(house) as gathering:
        gathering.take(click(to))
    (event,) = await logged(house)
    assert event["contact_id"] is None
    assert json.loads(event["detail"]).keys() == {"verdict", "link", "link_name"}


def test_an_erasure_keeps_nothing_of_an_event_that_tells_of_a_person() -> None:
    assert not {"ip_address", "user_agent", "target", "link_name", "list_id"} & set(KEPT_OF_OTHERS)


async def test_a_scanner_that_asks_for_all_links_at_once_is_told_from_a_reader(house: House) -> None:
    version_id = await version_of(house)
    scanned, read = message(version_id, 1), message(version_id, 2)
    async with writing(house) as gathering:
        for number in range(1, 6):
            gathering.take(click(scanned, number, NOW + number / 100))
            gathering.take(click(read, number, NOW + number * 2))
    events = await logged(house)
    assert [event["verdict"] for event in events if event["position"] == 2] == ["person"] * 5
    assert [event["verdict"] for event in events if event["position"] == 1] == ["machine"] * 5


async def test_attack_one_link_asked_for_again_and_again_does_not_fill_the_log(house: House) -> None:
    to = message(await version_of(house))
    async with writing(house) as gathering:
        for second in range(61):
            for _ in range(10):
                gathering.take(click(to, at=NOW + second))
    assert len(await logged(house)) == engagement.MOST_A_MINUTE + 10


async def test_clicks_of_a_business_unit_that_is_gone_are_dropped(house: House) -> None:
    async with writing(house) as gathering:
        gathering.take(click(LinkMessage(1, 1, 0, 0, uuid7())))
        gathering.take(click(message(await version_of(house))))
    assert len(await logged(house)) == 1


async def test_while_the_database_is_away_clicks_wait_up_to_a_bound(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engagement, "MOST_WAITING", 20)
    monkeypatch.setattr(engagement, "_TROUBLE_SECONDS", 0.01)
    version_id = await version_of(house)
    pool = Away(house.pool)
    each = Engagement(cast("Pool", pool), own_rules(), interval=0.01, private=False)
    running = asyncio.create_task(each.run())
    for position in range(30):
        each.take(click(message(version_id, position)))
    await pool.asked.wait()
    pool.away = False
    each.close()
    await running
    assert [event["position"] for event in await logged(house)] == list(range(20))
