"""What happened is counted where it happened, and one look tells of all processes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import cast

import pytest
import pytest_asyncio
from tests.conformance.house import ACCOUNT, Hand, House, open_house

from postroom.api import metrics
from postroom.api.metrics import Metrics
from postroom.api.oauth import AnyRequest
from postroom.api.reply import Reply
from postroom.audience.suppression import Entry, suppress
from postroom.delivery.outcome import Deferred, Sent
from postroom.metrics.counts import Counts, counting, read_counts
from postroom.metrics.declared import OUTCOMES, REFUSED_RECIPIENTS
from postroom.metrics.sites import BusySite, note_sites, read_sites

TOKEN = "a token of sixteen or more"


@pytest_asyncio.fixture(loop_scope="session")
async def house(any_database: str) -> AsyncIterator[House]:
    async with open_house(any_database) as opened:
        await opened.pool.execute("delete from metric_count")
        yield opened


class Asked:
    """As much of a request as the handler looks at."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers


async def ask(house: House, token: str | None, headers: dict[str, str]) -> Reply:
    """GET /metrics of a server whose settings have this token."""
    return await Metrics(house.pool, token).answer(cast(AnyRequest, Asked(headers)))


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
    reply = await ask(house, TOKEN, {"authorization": f"Bearer {TOKEN}"})
    lines = reply.body.decode().splitlines()
    assert 'postroom_queue_messages{state="due"} 250' in lines
    assert 'postroom_suppressions{cause="bounce",state="in-force"} 2' in lines


async def test_the_definitions_with_the_oldest_messages_and_with_most_are_told_and_no_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "MOST_DEFINITIONS", 1)
    for key, messages, age in (
        ("code", 1, 90),
        ("bulk", 30, 5),
        ("other", 2, 10),
        ("held", 3, 500),
        ("paused", 4, 900),
    ):
        definition_id = await house.define(key, status="Inactive" if key == "paused" else "Active")
        await house.accept_many(messages, key)
        await house.pool.execute(
            "update queue set accepted_at = now() - make_interval(secs => $2), "
            "due_at = case when $3 then 'infinity' else now() end where definition_id = $1",
            definition_id,
            age,
            key == "held",
        )
    reply = await ask(house, TOKEN, {"authorization": f"Bearer {TOKEN}"})
    told = [line for line in reply.body.decode().splitlines() if "definition=" in line]
    assert [line.rpartition(" ")[0] for line in told] == [
        f'postroom_queue_oldest_seconds{{mid="{ACCOUNT}",definition="bulk"}}',
        f'postroom_queue_oldest_seconds{{mid="{ACCOUNT}",definition="code"}}',
        f'postroom_queue_definition_messages{{mid="{ACCOUNT}",definition="bulk"}}',
        f'postroom_queue_definition_messages{{mid="{ACCOUNT}",definition="code"}}',
    ]
    assert [int(line.rpartition(" ")[2]) for line in told[2:]] == [30, 1]
    assert 5 <= int(told[0].rpartition(" ")[2]) < 90 <= int(told[1].rpartition(" ")[2])


async def test_how_long_mail_was_under_way_is_counted_of_what_was_sent_alone(house: House) -> None:
    await house.accept_many(3)
    await house.age(timedelta(seconds=40))
    hand, counts = Hand(house, "a"), Counts()
    slices = await hand.claim()
    loaded = await hand.load(slices)
    await hand.settle(slices, loaded, lambda message: Sent() if message.position else Deferred(code=451), counts=counts)
    told = {(metric.name, values): value for (metric, values), value in counts.take().items()}
    assert 80_000 <= told.pop(("postroom_delivery_seconds_sum", ("small",))) < 120_000
    assert told["postroom_delivery_seconds_bucket", ("small", "60")] == 2


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
    reply = await ask(house, token, headers)
    assert reply.status == status
