"""`postroom deliver` as a process of its own, as it runs in production, finds its hosts by the DNS."""

from pathlib import Path

from tests.conformance.house import House, people
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, deliver_process
from tests.scenarios.mx.nameserver import nameserver


async def test_the_process_delivers(house: House, tmp_path: Path) -> None:
    zone = {("example.com", "MX"): ["10 mx.example.com."], ("mx.example.com", "A"): ["127.0.0.1"]}
    async with relay() as host, nameserver(zone) as dns:
        shaping = tmp_path / "shaping.toml"
        shaping.write_text("[default]\nconnections = 1\nmessages = 7\n")
        given = {
            "delivery": "mx",
            "dns_servers": f"127.0.0.1:{dns.address[1]}",
            "mx_port": host.port,
            "mx_private_addresses": "allow",
            "shaping": shaping,
        }
        keys = house.keys(30)
        await house.accept(people(keys))
        async with deliver_process(house, host, tmp_path, **given) as process:
            await process.running(_final(house, len(keys)))
            await process.stop()
    assert host.taken == dict.fromkeys(keys, 1)
    assert await house.count("queue") == 0


async def _final(house: House, messages: int) -> None:
    await all_final(house, messages)
