"""What happened is counted where it happened, and one look tells of all processes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.conformance.house import ACCOUNT, House, open_house

from postroom.api.metrics import Metrics
from postroom.audience.suppression import Entry, suppress
from postroom.metrics.counts import counting, read_counts
from postroom.metrics.declared import OUTCOMES, REFUSED_RECIPIENTS
from postroom.metrics.sites import BusySite, note_sites, read_sites

TOKEN = "a token of sixteen or more"


@pytest.fixture
async def house(any_database: str) -> AsyncIterator[House]:
    async with open_house(any_database) as opened:
        await opened.pool.execute("delete from metric_count")
        yield opened


class Asked:
    """As much of a request as the handler looks at."""

    def __init__(self, **headers: str) -> None:
        self.headers = headers


async def test_counts_of_several_processes_add_up_and_outlive_them(house: House) -> None:
    async def process(sent: int) -> None:
        async with counting(house.pool) as counts:
            for _ in range(sent):
                counts.add(OUTCOMES, "sent")
            counts.add(REFUSED_RECIPIENTS, "forged")

    await asyncio.gather(*(process(sent) for sent in range(1, 9)))
    assert await read_counts(house.pool) == [
        ("postroom_bounce_recipients_refused_total", 'reason="forged"', 8),
        ("postroom_outcomes_total", 'kind="sent"', 36),
    ]


async def test_the_queue_and_what_is_suppressed_are_told_as_they_stand(house: House) -> None:
    await house.accept_many(250)
    async with house.pool.acquire() as connection, connection.transaction():
        await suppress(connection, ACCOUNT, [Entry(f"{name}@example.com", "bounce") for name in ("ann", "ben")])
    reply = await Metrics(house.pool, TOKEN).answer(Asked(authorization=f"Bearer {TOKEN}"))  # type: ignore[arg-type]
    lines = reply.body.decode().splitlines()
    assert 'postroom_queue_messages{state="due"} 250' in lines
    assert 'postroom_suppressions{cause="bounce",state="in-force"} 2' in lines


async def test_what_processes_have_in_hand_for_a_site_is_told_together(house: House) -> None:
    slow = BusySite("mx.slow.test", 4, 5, 30, 90.0)
    await note_sites(house.pool, "a", [slow, BusySite("", 70, 0, None, None)])
    await note_sites(house.pool, "b", [slow])
    await note_sites(house.pool, "b", [BusySite("mx.slow.test", 3, 1, None, None)])
    told = {(name, labels): value for name, labels, value in await read_sites(house.pool)}
    seconds = told.pop(("postroom_site_next_turn_seconds", 'site="mx.slow.test"'))
    assert 60 < seconds <= 90
    assert told == {
        ("postroom_site_messages", 'site="",state="waiting"'): 70,
        ("postroom_site_messages", 'site="",state="under-way"'): 0,
        ("postroom_site_messages", 'site="mx.slow.test",state="waiting"'): 7,
        ("postroom_site_messages", 'site="mx.slow.test",state="under-way"'): 6,
        ("postroom_site_per_minute", 'site="mx.slow.test"'): 30,
    }
    await note_sites(house.pool, "b", [])
    await house.pool.execute("update delivery_site set seen_at = now() - interval '31 seconds'")
    assert await read_sites(house.pool) == [], "nobody tells of the processes that are no more"


def test_sites_with_a_host_in_common_are_told_as_one() -> None:
    one, other = BusySite("mx.a.test", 1, 2, None, 5.0), BusySite("mx.a.test", 10, 20, 60, None)
    assert one.with_others(other) == other.with_others(one) == BusySite("mx.a.test", 11, 22, 60, 5.0)
    assert one.with_others(None) == one


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        (None, {"authorization": f"Bearer {TOKEN}"}, 404),
        (TOKEN, {}, 401),
        (TOKEN, {"authorization": "Bearer another token"}, 401),
        (TOKEN, {"authorization": "Bearer ä"}, 401),
        (TOKEN, {"authorization": f"Bearer {TOKEN}"}, 200),
    ],
)
async def test_metrics_are_for_who_knows_the_token(
    house: House, token: str | None, headers: dict[str, str], status: int
) -> None:
    reply = await Metrics(house.pool, token).answer(Asked(**headers))  # type: ignore[arg-type]
    assert reply.status == status
