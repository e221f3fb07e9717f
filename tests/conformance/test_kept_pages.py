"""Pages of mails that can't be made again: kept once, of one business unit, gone with the message's data."""

import zlib
from datetime import UTC, datetime, timedelta

import pytest
from tests.conformance.house import ACCOUNT, House
from uuid_utils.compat import uuid7

from postroom.delivery.kept_page import KeptPage, find_page, keep_pages
from postroom.intake.holding import Place
from postroom.privacy.traces import forget_messages
from postroom.store.partitions import ensure_days


@pytest.mark.parametrize("days", [0, 1, 4])
async def test_a_page_is_kept_once_and_forgotten_with_its_message(house: House, days: int) -> None:
    day = (datetime.now(UTC) - timedelta(days=days)).date()
    await ensure_days(house.pool, day)
    request_id = uuid7()
    pages = [KeptPage(day, request_id, place, zlib.compress(b"page %d" % place)) for place in range(3)]
    async with house.pool.acquire() as connection, connection.transaction():
        await keep_pages(connection, ACCOUNT, pages)
        await keep_pages(connection, ACCOUNT, [KeptPage(day, request_id, 1, zlib.compress(b"another"))])

    async def shown(account_id: int = ACCOUNT) -> list[str | None]:
        return [await find_page(house.pool, account_id, day, request_id, place) for place in range(4)]

    assert await shown() == ["page 0", "page 1", "page 2", None]
    assert await shown(ACCOUNT + 1) == [None] * 4
    async with house.pool.acquire() as connection, connection.transaction():
        await forget_messages(connection, ACCOUNT, day, [Place(request_id, 1)])
    assert await shown() == ["page 0", None, "page 2", None]
