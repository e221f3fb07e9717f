"""The cable of a host is pulled out in the middle of a mail: whether it goes again depends on how far it had come."""

import asyncio
from pathlib import Path

from tests.conformance.house import House
from tests.scenarios.delivery.workers import all_final, until
from tests.scenarios.hosts.internet import MailMachine, internet, sending

LARGE = "A line of a mail that is larger than what the two machines hold between them.\n" * 6_000


async def has(house: House, kind: str) -> dict[str, str]:
    """Wait for the first event of a kind; its detail."""

    async def there() -> bool:
        return bool(await house.pool.fetchval("select count(*) from event where kind = $1", kind))

    await until(there)
    row = await house.pool.fetchrow(
        "select detail::jsonb ->> 'stage' as stage, detail::jsonb ->> 'reply' as reply from event where kind = $1", kind
    )
    assert row is not None
    return dict(row)


def pulled_out_at_the_first_piece(host: MailMachine) -> None:
    """The host goes away as soon as some of the body has come."""

    async def before_body(reader: asyncio.StreamReader) -> None:
        host.before_body = None
        await reader.readexactly(1000)
        host.machine.unplug()

    host.before_body = before_body


async def test_within_the_body_it_is_deferred_and_arrives_once(house: House, tmp_path: Path) -> None:
    await house.define("large", text=LARGE)
    async with internet() as net:
        host = await net.host("mx.one.test")
        net.domain("one.test", host)
        # A machine that holds little: what it has not sent is still with the process.
        net.office.write("/proc/sys/net/ipv4/tcp_wmem", "4096 16384 16384")
        pulled_out_at_the_first_piece(host)
        async with sending(house, net, tmp_path) as office:
            (key,) = await office.send(["a@one.test"], "large")
            deferred = await has(house, "deferred")
            assert deferred == {
                "stage": "body",
                "reply": "nothing was taken in time (1 s) while the body was being sent",
            }
            host.machine.plug()
            assert await all_final(house, 1) == {key: ("sent", None)}
            kinds = await house.kinds(key)
        assert kinds == ["deferred"] * (len(kinds) - 1) + ["sent"]
    assert host.taken == {"a@one.test": 1}
    assert len(host.bodies) == 1, "the first body never came to its end"


async def test_after_the_final_dot_nobody_knows_and_it_goes_again_with_the_same_bytes(
    house: House, tmp_path: Path
) -> None:
    async with internet() as net:
        host = await net.host("mx.one.test")
        net.domain("one.test", host)

        def unplugged_at_first(_recipient: str, attempt: int) -> str:
            if attempt == 1:
                host.machine.unplug()
            return "250 2.0.0 taken"

        host.answer = unplugged_at_first
        async with sending(house, net, tmp_path) as office:
            (key,) = await office.send(["a@one.test"])
            unknown = await has(house, "unknown")
            assert unknown["stage"] == "final"
            assert unknown["reply"] == "no answer in time (1 s) while waiting for the reply to the final dot"
            host.machine.plug()
            assert await all_final(house, 1) == {key: ("sent", None)}
            kinds = await house.kinds(key)
        assert kinds[0] == "unknown"
        assert kinds.count("unknown") == 1
        assert kinds[-1] == "sent"
    assert len(host.bodies) == 2
    assert host.bodies[0] == host.bodies[1], "by its Message-ID the receiver knows it"
