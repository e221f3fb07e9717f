"""One host takes two seconds for each mail: the others get theirs at once, and nothing of the slow one is lost."""

import asyncio

from tests.conformance.house import ACCOUNT, House
from tests.scenarios.delivery.workers import PATIENCE, all_final, until
from tests.scenarios.mx.internet import internet, working

from postroom.events.put_offs import PutOff
from postroom.intake.queue_report import queue_report

FAST_DOMAINS = [f"d{number}.test" for number in range(10)]
_FAR = "select exists (select from queue where due_at > now() + make_interval(secs => $1))"


async def test_a_backlog_for_the_slow_does_not_keep_the_others_waiting(house: House) -> None:
    async with internet() as net:
        fast = await net.host("mx.fast.test")
        slow = await net.host("mx.slow.test", seconds=2.0)
        for domain in FAST_DOMAINS:
            net.domain(domain, "mx.fast.test")
        net.domain("slow.test", "mx.slow.test")
        async with working(house, net, claim_messages=100) as office:
            backlog = await office.send(f"s{number}@slow.test" for number in range(300))

            async def begun() -> bool:
                return slow.taken.total() >= 5

            await until(begun)
            # The lane is full of mail for the slow host by now; more than it could hold follows for the others.
            async with asyncio.timeout(PATIENCE):
                keys = await office.send(
                    f"f{number}@{FAST_DOMAINS[number % len(FAST_DOMAINS)]}" for number in range(300)
                )

                async def through() -> bool:
                    return fast.taken.total() >= 300

                await until(through)
            assert slow.taken.total() < 60, "the others did not wait for the slow"

            async def given_back() -> bool:
                return bool(await house.pool.fetchval(_FAR, PATIENCE))

            await until(given_back)
            report = await queue_report(house.pool, ACCOUNT)
            assert report is not None
            slow.seconds = 0

            # It is called back as the host has room.
            async def drained() -> bool:
                return slow.taken.total() >= 300

            await until(drained)
            assert await all_final(house, 600) == dict.fromkeys([*backlog, *keys], ("sent", None))
    behind = report.destinations[0]
    assert (behind.domain, PutOff("siteBusy", "mx.slow.test") in behind.put_offs) == ("slow.test", True)
    assert [site.site for site in report.sites] == ["mx.slow.test"]
    put_off = await house.pool.fetch("select reason, place, count(*) from put_off group by reason, place")
    assert [(row["reason"], row["place"]) for row in put_off] == [("siteBusy", "mx.slow.test")]
    assert set(slow.taken.values()) == {1}
    assert set(fast.taken.values()) == {1}
