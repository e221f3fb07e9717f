"""One host never answers. Mail of the same request that a quick host defers is tried again, and through, meanwhile."""

from tests.conformance.house import House
from tests.scenarios.delivery.workers import all_final, until
from tests.scenarios.mx.internet import internet, working

from postroom.metrics.sites import read_sites

MAILS = 100


async def test_all_mail_of_the_quick_host_is_final_before_the_slow_one_has_answered_a_single_time(house: House) -> None:
    async with internet() as net:
        quick = await net.host("mx.quick.test", answer=lambda _, attempt: "451 later" if attempt == 1 else "250 taken")
        slow = await net.host("mx.slow.test")
        slow.answers.clear()
        net.domain("quick.test", "mx.quick.test")
        net.domain("slow.test", "mx.slow.test")
        async with working(house, net) as office:
            # Every slice has some of both.
            keys = await office.send(f"p{number}@{['quick', 'slow'][number % 2]}.test" for number in range(MAILS))

            async def through() -> bool:
                return len(await house.final()) == MAILS // 2

            await until(through)
            assert set(await house.final()) == set(keys[::2])
            assert slow.tried.total() > 0
            assert slow.taken.total() == 0, "it has not answered yet"

            async def told() -> bool:
                labels = f'site="{slow.name}",state="under-way"'
                return ("postroom_site_messages", labels, 5) in await read_sites(house.pool)

            # Whom the rest waits for can be seen.
            await until(told)
            slow.answers.set()
            assert await all_final(house, MAILS) == dict.fromkeys(keys, ("sent", None))
    assert set(quick.tried.values()) == {2}
    assert set(slow.tried.values()) == {1}
