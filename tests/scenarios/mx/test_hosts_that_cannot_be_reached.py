"""The preferred host refuses connections: the next one is used. All do: the mail waits, and others are not held up."""

from datetime import timedelta

from tests.conformance.house import House
from tests.scenarios.delivery.workers import all_final, until
from tests.scenarios.mx.internet import internet, working

from postroom.delivery.retry import RetrySchedule

LATER = RetrySchedule(waits=(timedelta(minutes=5),), max_age=timedelta(hours=72))


async def test_the_next_host_takes_over(house: House) -> None:
    async with internet() as net:
        await net.host("other.test")
        await net.host("mx1.one.test", listens=False)
        second = await net.host("mx2.one.test")
        net.domain("one.test", "mx1.one.test", "mx2.one.test")
        async with working(house, net, schedule=LATER) as office:
            keys = await office.send(f"p{number}@one.test" for number in range(20))
            assert await all_final(house, 20) == dict.fromkeys(keys, ("sent", None))
            for key in keys:
                assert await house.kinds(key) == ["sent"], "a host that was not reached is no attempt"
    assert second.taken.total() == 20


async def test_a_host_that_greets_with_554_is_passed_by(house: House) -> None:
    async with internet() as net:
        closed = await net.host("mx1.one.test", greeting="554 5.3.2 closed")
        second = await net.host("mx2.one.test")
        net.domain("one.test", "mx1.one.test", "mx2.one.test")
        async with working(house, net, schedule=LATER) as office:
            keys = await office.send(["a@one.test"])
            assert await all_final(house, 1) == dict.fromkeys(keys, ("sent", None))
    assert closed.connections >= 1
    assert second.taken.total() == 1


async def test_a_dead_site_defers_its_own_and_holds_nobody(house: House) -> None:
    async with internet() as net:
        alive = await net.host("mx.alive.test")
        await net.host("mx.dead.test", listens=False)
        net.domain("alive.test", "mx.alive.test")
        net.domain("dead.test", "mx.dead.test")
        async with working(house, net, schedule=LATER, claim_messages=40) as office:
            dead = await office.send(f"d{number}@dead.test" for number in range(120))

            async def all_deferred() -> bool:
                deferred: int = await house.pool.fetchval("select count(*) from event where kind = 'deferred'")
                return deferred == len(dead)

            await until(all_deferred)
            keys = await office.send(f"a{number}@alive.test" for number in range(50))

            async def through() -> bool:
                return alive.taken.total() == 50

            await until(through)
            for key in dead[:3]:
                assert await house.kinds(key) == ["deferred"]
            reply = await house.pool.fetchval(
                "select detail::json ->> 'reply' from event where kind = 'deferred' limit 1"
            )
            assert "mx.dead.test" in reply
            due = await house.pool.fetchval("select min(due_at - now()) from queue where attempt = 1")
            assert due > timedelta(minutes=3), "by the retry schedule, not spun on"

    final = await house.final()
    assert {final[key] for key in keys} == {("sent", None)}
    assert not final.keys() & set(dead)


async def test_attack_mx_on_loopback_is_refused_by_default(house: House) -> None:
    async with internet() as net:
        inner = await net.host("inner.test")
        net.domain("evil.test", "inner.test")
        async with working(house, net, mx_private_addresses="refuse") as office:
            (key,) = await office.send(["a@evil.test"])
            assert await all_final(house, 1) == {key: ("not_sent", 101)}
            detail = await house.pool.fetchval("select detail from event where kind = 'not_sent'")
            assert "POSTROOM_MX_PRIVATE_ADDRESSES" in detail
    assert inner.connections == 0
