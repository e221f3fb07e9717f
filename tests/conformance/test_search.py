"""Finding messages: every filter, page after page, with bounds, on days with indexes and without."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from tests.conformance.house import ACCOUNT, Hand, House, Person, people

from postroom.catalog.sending_options import SendingOptions
from postroom.delivery.outcome import Deferred, Outcome, Refused, Sent, Unknown
from postroom.events import search
from postroom.events.search import Place, StatusWanted, Wanted, search_messages
from postroom.store.partitions import index_days, message_days

NOTHING = Wanted()


async def pages(
    house: House, wanted: Wanted = NOTHING, *, limit: int = 500, account_id: int = ACCOUNT
) -> list[list[str]]:
    """The keys of each page up to the last."""
    found: list[list[str]] = []
    after: Place | None = None
    while True:
        page = await search_messages(house.pool, account_id, wanted, after=after, limit=limit, now=datetime.now(UTC))
        found.append([each.message_key for each in page.messages])
        after = page.behind
        if after is None:
            return found
        assert len(found) < 1_000


async def keys(house: House, wanted: Wanted = NOTHING, *, limit: int = 500, account_id: int = ACCOUNT) -> list[str]:
    return [key for page in await pages(house, wanted, limit=limit, account_id=account_id) for key in page]


async def move_back(house: House, days: int) -> date:
    """What is stored today was stored so many days ago; answers that day."""
    for table, column in (("message", "accepted_on"), ("send_request", "accepted_on"), ("event", "occurred_on")):
        await house.pool.execute(f"update {table} set {column} = {column} - $1::integer", days)
    await house.pool.execute("update send_request set accepted_at = accepted_at - make_interval(days => $1)", days)
    day: date = await house.pool.fetchval("select min(accepted_on) from message")
    return day


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def without_indexes(house: House) -> None:
    """Tests share their partitions."""
    for day, _ in await message_days(house.pool):
        for what in ("address", "contact"):
            await house.pool.execute(f"drop index if exists message_{day:%Y%m%d}_by_{what}")


@pytest_asyncio.fixture(loop_scope="session", params=["open", "closed"])
async def day_of(request: pytest.FixtureRequest, house: House) -> Callable[[], Any]:
    """Call it when everything is stored: the day is then over and indexed, or not."""

    async def close() -> None:
        day = await move_back(house, 1)
        if request.param == "closed":
            assert day in await index_days(house.pool, day + timedelta(days=1))
        assert dict(await message_days(house.pool))[day] == (request.param == "closed")

    return close


async def test_every_message_once_and_the_newest_first(house: House, day_of: Callable[[], Any]) -> None:
    accepted = [key for _ in range(3) for key in await house.accept_many(7)]
    await day_of()
    assert await keys(house) == accepted[::-1]
    for limit in (1, 2, 7, 20, 21, 22):
        found = await pages(house, limit=limit)
        assert [key for page in found for key in page] == accepted[::-1]
        assert all(len(page) == limit for page in found[:-1])


async def test_by_address_contact_and_definition(house: House, day_of: Callable[[], Any]) -> None:
    await house.define("other")
    await house.accept([Person("ann", "Ann@Example.com", "m1"), Person("ben", "ben@example.com", "m2")])
    await house.accept([Person("ANN", "new@example.com", "m3"), Person("cid", "ann@example.com", "m4")], "other")
    await day_of()
    assert await keys(house, Wanted(address="ann@example.COM")) == ["m4", "m1"]
    assert await keys(house, Wanted(address="ann@example.com"), limit=1) == ["m4", "m1"]
    assert await keys(house, Wanted(contact_key="Ann")) == ["m3", "m1"]
    assert await keys(house, Wanted(contact_key="ann", address="new@example.com")) == ["m3"]
    assert await keys(house, Wanted(definition_key="OTHER")) == ["m4", "m3"]
    assert await keys(house, Wanted(address="ann@example.com", definition_key="welcome")) == ["m1"]
    assert await keys(house, Wanted(definition_key="unknown")) == []
    assert await keys(house, Wanted(address="ann@example.co")) == []


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("queued", ["waits", "held"]),
        ("held", ["held"]),
        ("sent", ["taken"]),
        ("notSent", ["refused"]),
        ("bounced", ["taken"]),
    ],
)
async def test_by_status(house: House, status: StatusWanted, expected: list[str]) -> None:
    await house.define("careful", sending=SendingOptions(on_unknown="hold"))
    outcomes: dict[str, Outcome] = {
        "held": Unknown(),
        "taken": Sent(),
        "refused": Refused(code=550, stage="rcpt"),
        "waits": Deferred(),
    }
    await house.accept(people(list(outcomes)), "careful")
    await Hand(house, "w").work(lambda message: outcomes[message.message_key])
    await house.pool.execute(
        "insert into event (account_id, occurred_on, occurred_at, request_id, position, definition_id, kind) "
        "select account_id, occurred_on, occurred_at, request_id, position, definition_id, 'bounced' "
        "from event where kind = 'sent'"
    )
    wanted = Wanted(status=status)
    assert await keys(house, wanted) == expected
    page = await search_messages(house.pool, ACCOUNT, wanted, after=None, limit=10, now=datetime.now(UTC))
    for each in page.messages:
        assert each.held == (each.message_key == "held")
        assert each.bounced == (each.message_key == "taken")
        assert each.status_code == (101 if each.message_key == "refused" else None)
        assert (each.occurred_at is None) == (each.status == "queued")


async def test_by_time_over_several_days(house: House) -> None:
    for key in ("old", "middle", "new"):
        await house.accept(people([key]))
        if key != "new":
            await move_back(house, 2 if key == "old" else 1)
    now = datetime.now(UTC)
    assert await keys(house) == ["new", "middle", "old"]
    assert await keys(house, Wanted(accepted_from=now - timedelta(days=2))) == ["new", "middle"]
    assert await keys(house, Wanted(accepted_before=now - timedelta(hours=5))) == ["middle", "old"]
    between = Wanted(accepted_from=now - timedelta(days=2), accepted_before=now - timedelta(hours=5))
    assert await keys(house, between) == ["middle"]


async def test_a_page_looks_at_no_more_than_its_bound(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for module_name, value in (("MOST_LOOKED_THROUGH", 30), ("MOST_ASKED", 20), ("_ASKED_AT_ONCE", 5)):
        monkeypatch.setattr(search, module_name, value)
    await house.accept([Person("ann", "ann@example.com", "first")])
    for _ in range(2):
        await house.accept_many(50)
    looked_through = await pages(house, Wanted(address="ann@example.com"))
    assert [len(page) for page in looked_through] == [0, 0, 0, 1]
    asked = await pages(house, Wanted(status="sent"))
    assert [len(page) for page in asked] == [0] * 6
    assert [len(page) for page in await pages(house, Wanted(status="queued"), limit=500)] == [20] * 5 + [1]


async def test_indexes_are_made_once(house: House) -> None:
    await house.accept_many(1)
    day = await move_back(house, 1)
    first = await index_days(house.pool, day + timedelta(days=1))
    assert max(first) <= day
    assert await index_days(house.pool, day + timedelta(days=1)) == []
    assert not dict(await message_days(house.pool))[day + timedelta(days=1)]


async def test_tenant_isolation_nobody_finds_the_messages_of_another_business_unit(house: House) -> None:
    await house.open_account(ACCOUNT + 1)
    await house.accept([Person("ann", "ann@example.com", "m1")])
    assert await keys(house, account_id=ACCOUNT + 1) == []
    assert await keys(house, Wanted(address="ann@example.com"), account_id=ACCOUNT + 1) == []
