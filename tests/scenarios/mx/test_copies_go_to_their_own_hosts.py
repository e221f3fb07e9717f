"""cc and bcc at other domains: one transaction a site; the first recipient decides, the rest is recorded."""

import msgspec
from tests.conformance.house import ACCOUNT, House
from tests.scenarios.delivery.workers import all_final
from tests.scenarios.mx.internet import internet, working

from postroom.audience.suppression import Entry, suppress
from postroom.metrics.counts import Counts
from postroom.metrics.declared import NOT_SENT, OUTCOMES, SUPPRESSED_COPIES, SUPPRESSED_MESSAGES


async def test_a_copy_goes_to_the_host_of_its_domain(house: House) -> None:
    async with internet() as net:
        one = await net.host("mx.one.test")
        two = await net.host("mx.two.test")
        net.domain("one.test", "mx.one.test")
        net.domain("same.test", "mx.one.test")
        net.domain("two.test", "mx.two.test")
        two.nobody = {"nobody@two.test"}
        cc = ("cc@same.test", "nobody@two.test", "first@two.test")
        await house.define("copied", cc=cc, bcc=("second@two.test",))
        async with working(house, net) as office:
            (key,) = await office.send(["to@one.test"], "copied")
            assert await all_final(house, 1) == {key: ("sent", None)}
    assert one.transactions == [("to@one.test", "cc@same.test")]
    assert two.transactions == [("first@two.test", "second@two.test")]
    assert one.bodies == two.bodies
    sent = await house.pool.fetchval("select detail from event where kind = 'sent'")
    assert msgspec.json.decode(sent)["refused"] == [["nobody@two.test", "550 5.1.1 no such user"]]


async def test_a_copy_that_fails_is_recorded_and_does_not_change_the_outcome(house: House) -> None:
    async with internet() as net:
        one = await net.host("mx.one.test")
        await net.host("mx.two.test", answer=lambda _recipient, _attempt: "550 5.1.1 nobody")
        await net.host("mx.dead.test", listens=False)
        for name in ("one", "two", "dead"):
            net.domain(f"{name}.test", f"mx.{name}.test")
        await house.define("copied", cc=("cc@two.test", "cc@gone.test"), bcc=("bcc@dead.test",))
        async with working(house, net) as office:
            (key,) = await office.send(["to@one.test"], "copied")
            assert await all_final(house, 1) == {key: ("sent", None)}
    refused = msgspec.json.decode(
        await house.pool.fetchval("select detail from event where account_id = $1 and kind = 'sent'", ACCOUNT)
    )["refused"]
    told = dict(refused)
    assert told.keys() == {"cc@two.test", "cc@gone.test", "bcc@dead.test"}
    assert "nobody" in told["cc@two.test"]
    assert "does not exist" in told["cc@gone.test"]
    assert "mx.dead.test" in told["bcc@dead.test"]
    assert one.taken == {"to@one.test": 1}


async def test_when_the_first_recipient_is_refused_no_copy_leaves(house: House) -> None:
    async with internet() as net:
        await net.host("mx.one.test", answer=lambda _recipient, _attempt: "550 5.1.1 nobody")
        two = await net.host("mx.two.test")
        net.domain("one.test", "mx.one.test")
        net.domain("two.test", "mx.two.test")
        await house.define("copied", cc=("cc@two.test",))
        async with working(house, net) as office:
            (key,) = await office.send(["to@one.test"], "copied")
            assert await all_final(house, 1) == {key: ("not_sent", 101)}
    assert two.transactions == []


async def test_a_copy_to_a_suppressed_address_does_not_leave_and_the_others_do(house: House) -> None:
    counts = Counts()
    gone = [Entry("cc@one.test", "manual"), Entry("cc@two.test", "manual"), Entry("gone@one.test", "bounce")]
    async with house.pool.acquire() as connection, connection.transaction():
        await suppress(connection, ACCOUNT, gone)
    async with internet() as net:
        one = await net.host("mx.one.test")
        two = await net.host("mx.two.test")
        for name in ("one", "two"):
            net.domain(f"{name}.test", f"mx.{name}.test")
        await house.define("copied", cc=("cc@one.test", "cc@two.test"), bcc=("bcc@one.test",))
        async with working(house, net, counts=counts) as office:
            key, other = await office.send(["to@one.test", "gone@one.test"], "copied")
            assert await all_final(house, 2) == {key: ("sent", None), other: ("not_sent", 2)}
    assert one.transactions == [("to@one.test", "bcc@one.test")]
    assert two.transactions == []
    assert {counted: number for counted, number in counts.take().items() if not counted[0].buckets} == {
        (SUPPRESSED_COPIES, ("manual",)): 2,
        (SUPPRESSED_MESSAGES, ("bounce",)): 1,
        (OUTCOMES, ("sent",)): 1,
        (OUTCOMES, ("not_sent",)): 1,
        (NOT_SENT, ("2",)): 1,
    }
