"""`postroom deliver` as a process of its own, as it runs in production, finds its hosts by the DNS."""

import asyncio
from pathlib import Path

from tests.conformance.house import House, people
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, deliver_process
from tests.scenarios.dkim.domains import make_domain
from tests.scenarios.mx.nameserver import nameserver

from postroom.metrics.counts import read_counts

_REPORT_DUE = """
insert into tls_report (policy_domain, day, due_at)
values ('example.com', current_date - 1, now() - interval '1 second')
on conflict (policy_domain, day) do update
set outcome = '', told = '{}', attempt = 0, first_at = null, due_at = excluded.due_at, leased_until = '-infinity'
"""


async def test_the_process_delivers_counts_and_reports(house: House, tmp_path: Path) -> None:
    zone = {
        ("example.com", "MX"): ["10 mx.example.com."],
        ("mx.example.com", "A"): ["127.0.0.1"],
        ("_smtp._tls.example.com", "TXT"): ['"v=TLSRPTv1; rua=mailto:tls@example.com"'],
    }
    await make_domain(house, "here.test")
    await house.pool.execute("delete from metric_count")
    await house.pool.execute(_REPORT_DUE)
    async with relay() as host, nameserver(zone) as dns:
        shaping = tmp_path / "shaping.toml"
        shaping.write_text("[default]\nconnections = 1\nmessages = 7\n")
        given = {
            "delivery": "mx",
            "dns_servers": f"127.0.0.1:{dns.address[1]}",
            "mx_port": host.port,
            "mx_private_addresses": "allow",
            "shaping": shaping,
            "tls_reports": "on",
            "tls_report_from": "reports@here.test",
        }
        keys = house.keys(30)
        await house.accept(people(keys))
        async with deliver_process(house, host, tmp_path, **given) as process:
            await process.running(_final(house, len(keys)))
            await process.running(_reported(house))
            await process.stop()
    assert host.taken == dict.fromkeys([*keys, "tls"], 1)
    counted = await read_counts(house.pool)
    times = [value for name, _, value in counted if name == "postroom_delivery_seconds_bucket"]
    assert sum(times) == len(keys)
    assert [each for each in counted if not each[0].startswith("postroom_delivery_seconds_")] == [
        ("postroom_outcomes_total", 'kind="sent"', len(keys)),
        ("postroom_tls_reports_total", 'outcome="sent"', 1),
    ]
    assert await house.count("queue") == 0


async def _final(house: House, messages: int) -> None:
    await all_final(house, messages)


async def _reported(house: House) -> None:
    reported = "select true from tls_report where policy_domain = 'example.com' and outcome = 'sent'"
    async with asyncio.timeout(30):
        while not await house.pool.fetchval(reported):  # noqa: ASYNC110  another process's state: no event tells it
            await asyncio.sleep(0.02)
