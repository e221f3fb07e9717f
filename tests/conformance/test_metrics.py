"""What happened is counted where it happened, and one look tells of all processes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.conformance.house import ACCOUNT, House, open_house

from postroom.api.metrics import Metrics
from postroom.audience.suppression import Entry, suppress
from postroom.metrics.counts import counting, read_counts
from postroom.metrics.declared import OUTCOMES, REFUSED_RECIPIENTS

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
