"""What waits in the queue is told by definition, and the destinations that are behind with their last reply."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.conformance.house import ACCOUNT, SCHEDULE, Hand, House, Person

from postroom.bounces.verdict import read_rules
from postroom.delivery.outages import Outages
from postroom.delivery.outcome import Deferred, Sent
from postroom.delivery.record import Recorder
from postroom.delivery.settle import Settler
from postroom.events.put_offs import PutOff
from postroom.intake import queue_report as module
from postroom.intake.holding import Place, hold_waiting
from postroom.intake.queue_report import Destination, QueueReport, queue_report

SLOW = Deferred(code=451, text="4.7.1 slow down", host="mx.slow.test", stage="rcpt")


async def report(house: House, definition_key: str | None = None, account_id: int = ACCOUNT) -> QueueReport:
    found = await queue_report(house.pool, account_id, definition_key)
    assert found is not None
    return found


async def accept_to(house: House, *domains: str, definition_key: str = "welcome", account_id: int = ACCOUNT) -> None:
    keys = house.keys(len(domains))
    recipients = [Person(key, f"{key}@{domain}", key) for key, domain in zip(keys, domains, strict=True)]
    await house.accept(recipients, definition_key, account_id)


def domains(found: QueueReport) -> dict[str, int]:
    return {each.domain: each.messages for each in found.destinations}


def one(found: QueueReport) -> Destination:
    (destination,) = found.destinations
    return destination


async def test_an_empty_queue_and_one_that_nobody_took_yet_have_nothing_behind(house: House) -> None:
    empty = await report(house)
    assert (empty.depths, empty.destinations, empty.sites, empty.looked, empty.more) == ([], [], [], 0, False)
    await accept_to(house, "a.test", "b.test")
    found = await report(house)
    (depth,) = found.depths
    assert (depth.definition_key, depth.status, depth.due, depth.leased, depth.waiting) == (
        "welcome",
        "Active",
        2,
        0,
        0,
    )
    assert depth.oldest is not None
    assert found.destinations == []
    assert await queue_report(house.pool, ACCOUNT, "no such") is None


async def test_a_destination_that_defers_is_told_with_its_newest_reply(house: House) -> None:
    await accept_to(house, "slow.test", "Slow.TEST", "quick.test")
    hand = Hand(house, "a")
    await hand.work(
        lambda message: Sent() if message.address.endswith("quick.test") else Deferred(code=421, text="old")
    )
    await house.make_due()
    await hand.work(lambda _: SLOW)
    await accept_to(house, "fresh.test")
    found = await report(house)
    behind = one(found)
    assert (behind.domain, behind.messages, behind.tried, behind.in_hand) == ("slow.test", 2, 2, 0)
    assert behind.next_at is not None
    assert behind.next_at > found.at
    assert behind.last is not None
    assert (behind.last.kind, behind.last.detail["host"], behind.last.detail["reply"]) == (
        "deferred", "mx.slow.test", "4.7.1 slow down",
    )  # fmt: skip
    (depth,) = found.depths
    assert (depth.due, depth.waiting, depth.oldest) == (1, 2, behind.oldest)


async def test_what_was_put_off_is_told_with_the_reason_and_the_site(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accept_to(house, "busy.test", "busy.test", "warm.test")
    hand = Hand(house, "a")
    slices = await hand.claim()
    settler = Settler(house.pool, interval=0.0, settled=lambda _: None)
    recorder = Recorder(
        settler, SCHEDULE, rules=read_rules(), now=lambda: datetime.now(UTC), clock=lambda: 0.0, rand=lambda: 0.5
    )
    soon = datetime.now(UTC) + timedelta(minutes=5)
    busy, warm = PutOff("siteBusy", "mx.busy.test"), PutOff("warmUp", "pool at warm.test")
    for message in (await hand.load(slices)).messages:
        recorder.postpone(message, soon, warm if message.address.endswith("warm.test") else busy)
    settler.start()
    await settler.close()
    found = await report(house)
    assert {each.domain: dict(each.put_offs) for each in found.destinations} == {
        "busy.test": {busy: 2},
        "warm.test": {warm: 1},
    }
    assert all(each.next_at == soon and each.last is None and each.tried == 0 for each in found.destinations)
    (site,) = found.sites
    assert (site.site, site.messages, site.next_at) == ("mx.busy.test", 2, soon)
    assert (await report(house, "welcome")).sites == found.sites
    await house.define("other")
    assert (await report(house, "other")).sites == []
    monkeypatch.setattr(module, "MOST_DESTINATIONS", 1)
    cut = await report(house)
    assert (cut.more, len(cut.destinations), len(cut.sites)) == (True, 1, 1)


async def test_what_a_process_has_for_long_is_behind_and_what_it_has_settled_is_not(house: House) -> None:
    await accept_to(house, "a.test", "b.test")
    hand = Hand(house, "a")
    slices = await hand.claim()
    assert (await report(house)).destinations == []
    loaded = await hand.load(slices)
    await hand.settle(slices, loaded, lambda message: Sent() if message.position == 0 else None)
    await house.age(timedelta(minutes=1))
    await house.pool.execute("update queue set due_at = accepted_at")
    behind = one(await report(house))
    assert (behind.domain, behind.messages, behind.in_hand, behind.tried, behind.next_at) == ("b.test", 1, 1, 0, None)


async def test_held_messages_and_those_of_inactive_definitions_are_no_destinations_fault(house: House) -> None:
    await accept_to(house, "a.test")
    await Hand(house, "a").work(lambda _: SLOW)
    paused = await house.define("paused")
    await accept_to(house, "b.test", definition_key="paused")
    await house.make_due()
    await Hand(house, "a").work(lambda _: SLOW)
    await house.set_status(paused, "Inactive")
    request_id = await house.pool.fetchval("select request_id from queue where definition_id <> $1", paused)
    async with house.pool.acquire() as connection, connection.transaction():
        assert await hold_waiting(connection, ACCOUNT, [Place(request_id, 0)]) == 1
    found = await report(house)
    assert found.destinations == []
    assert [(each.definition_key, each.status, each.held, each.waiting) for each in found.depths] == [
        ("paused", "Inactive", 0, 1),
        ("welcome", "Active", 1, 0),
    ]
    assert found.depths[1].oldest is None


async def test_of_many_that_are_behind_those_accepted_first_are_looked_at(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accept_to(house, "first.test")
    await accept_to(house, "second.test", "second.test")
    await accept_to(house, "third.test")
    await Hand(house, "a").work(lambda _: SLOW)
    assert domains(await report(house)) == {"second.test": 2, "first.test": 1, "third.test": 1}
    monkeypatch.setattr(module, "MOST_BEHIND", 3)
    found = await report(house)
    assert (domains(found), found.looked, found.more) == ({"second.test": 2, "first.test": 1}, 3, True)
    monkeypatch.setattr(module, "MOST_SLICES", 2)
    (depth,) = (await report(house)).depths
    assert depth.more


async def test_tenant_isolation_a_report_and_its_definition_are_of_one_business_unit(house: House) -> None:
    await house.open_account(ACCOUNT + 1)
    await house.define("welcome", account_id=ACCOUNT + 1)
    await accept_to(house, "theirs.test", account_id=ACCOUNT + 1)
    await house.pool.execute("update queue set attempt = 1, waits_for = 'mx.theirs.test'")
    assert domains(await report(house, account_id=ACCOUNT + 1)) == {"theirs.test": 1}
    for key in (None, "welcome"):
        mine = await report(house, key)
        assert (mine.depths, mine.destinations, mine.sites) == ([], [], [])


async def test_a_relay_that_is_away_is_told_while_it_is(house: House) -> None:
    await house.pool.execute("delete from relay_outage")
    outages = Outages(house.pool, "smtp://relay.test", now=lambda: datetime.now(UTC))
    outages.away("connection refused")
    await outages.write()
    (away,) = (await report(house)).away
    assert (away.relay, away.reply) == ("smtp://relay.test", "connection refused")
    outages.back()
    await outages.write()
    assert (await report(house)).away == [], "it is back, and was seen a moment ago"
    outages.away("timed out")
    await outages.write()
    assert [away.reply for away in (await report(house)).away] == ["timed out"]
    await house.pool.execute("update relay_outage set seen_until = now() - interval '3 minutes'")
    assert (await report(house)).away == []
