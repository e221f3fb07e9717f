"""The end of a run: everything is let go on until there is nothing to do, and then the server is looked over."""

import asyncio
import time
from collections.abc import Sequence

import httpx
from tests.scenarios.dkim.domains import verified
from tests.soak.ledger import Key
from tests.soak.setting_up import Unit
from tests.soak.steward import Steward
from tests.soak.traffic import MESSAGES
from tests.soak.world import METRICS_TOKEN, SENDER_DOMAIN, World

from postroom.delivery.dkim.record import key_name, key_value
from postroom.tenancy.sender_domains import find_domain

_IDLE_SECONDS = 300.0
_HASTEN_SECONDS = 40.0
_HELD = "select count(*) from queue where due_at = 'infinity'"
_QUEUED = "select coalesce(sum(messages), 0)::bigint from queue"
_FINALS = "select count(*) from event where kind in ('sent', 'not_sent')"
_METRICS_SECONDS = 7.0
_MOST_STATUSES = 4_000
_GAUGES = ("postroom_queue_messages", "postroom_site_messages")


async def let_go(world: World, steward: Steward) -> None:
    """Nothing is away, slow or held any more."""
    world.receiver.mood = "agree"
    world.dns.faults.clear()
    for host in world.hosts.values():
        host.gentle = True
        await host.come_back()
    await steward.finish()


async def idle(world: World, steward: Steward) -> float:
    """Wait until the queue is empty and every event is told; the seconds it took. What stays is a fault."""
    begun = hastened = time.monotonic()
    while time.monotonic() < begun + _IDLE_SECONDS:
        if time.monotonic() > hastened + _HASTEN_SECONDS:
            hastened = time.monotonic()
            world.ledger.counts["hastened"] += 1
            await steward.hasten()
        if await world.office.ask(_HELD):
            await steward.release()
        queued, finals = await world.office.ask(_QUEUED), await world.office.ask(_FINALS)
        told = len({told.event_id for told in world.ledger.told if told.answered})
        if not queued and told >= int(str(finals)):
            return time.monotonic() - begun
        await asyncio.sleep(0.5)
    connection = await world.office.connect()
    rows = await connection.fetch("select * from queue limit 5")
    await connection.close()
    world.ledger.faults.append(f"not idle: {queued} queued, {told} of {finals} told; {[dict(row) for row in rows]}")
    return time.monotonic() - begun


async def statuses(world: World, units: Sequence[Unit]) -> dict[Key, str]:
    """What the status route says of every message, or of many."""
    answers: dict[Key, str] = {}
    for unit in units:
        keys = [each for each in world.ledger.accepted if each.account_id == unit.account_id]
        step = max(1, len(keys) * len(units) // _MOST_STATUSES)
        waiting = keys[::step]

        async def ask(unit: Unit, waiting: list[Key]) -> None:
            client = unit.client(world, direct=True)
            while waiting:
                key = waiting.pop()
                answers[key] = (await client.done("GET", f"{MESSAGES}/{key.text}"))["eventCategoryType"]
            await client.close()

        await asyncio.gather(*(ask(unit, waiting) for _ in range(4)))
    return answers


async def reports(world: World, units: Sequence[Unit]) -> None:
    """The queue's report and the gauges say that there is nothing."""
    await asyncio.sleep(_METRICS_SECONDS)
    for unit in units:
        client = unit.client(world, direct=True)
        report = await client.done("GET", "/postroom/v1/queue")
        await client.close()
        for name in ("definitions", "destinations", "sites"):
            if report[name]:
                world.ledger.faults.append(f"the queue's report of {unit.account_id}: {name} {report[name]}")
    async with httpx.AsyncClient(base_url=world.direct, timeout=30) as http:
        answer = await http.get("/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    for line in answer.text.splitlines():
        if line.startswith(_GAUGES) and float(line.split()[-1]) > 0:
            world.ledger.faults.append(f"metrics: {line}")


async def stopped(world: World) -> None:
    """`serve` stops in order and leaves no process, no connection."""
    world.ledger.faults += [f"a stray process: {stray}" for stray in world.office.strays()]
    code, seconds = await world.office.stop()
    world.ledger.counts["seconds of the last stop"] = round(seconds)
    if code:
        world.ledger.faults.append(
            f"serve ended with {code} after {seconds:.1f} s of SIGTERM: {world.office.log_end()}"
        )
    await asyncio.sleep(1)
    left = [" ".join(words)[:150] for words in world.office.marked().values()]
    if left:
        world.ledger.faults.append(f"processes that outlive serve: {left}")
    ends = {name: host.connections for name, host in world.hosts.items()}
    ends |= {"database": world.office.database.connections, "webhooks": world.hooks.connections}
    for name, number in ends.items():
        if number:
            world.ledger.faults.append(f"{number} connections to {name} outlive serve")


async def signatures(world: World, unit: Unit) -> None:
    """Mails of the signed domain carry a signature that a receiver verifies."""
    connection = await world.office.connect()
    domain = await find_domain(connection, unit.account_id, SENDER_DOMAIN)
    await connection.close()
    dns = {
        f"{key_name(key.selector, domain.domain)}.".encode(): key_value(key.algorithm, key.public_key).encode()
        for key in domain.keys
    }
    for host in world.hosts.values():
        world.ledger.counts["signed mails taken"] += host.signed[True]
        world.ledger.counts["unsigned mails taken"] += host.signed[False]
        for body in host.kept:
            world.ledger.counts["signatures verified"] += 1
            if not verified(body, dns):
                world.ledger.faults.append(f"a signature that does not verify: {body[:800]!r}")
