"""Accepts, claims, settlements, crashes and retries in any order: accepted = sent + not sent + waiting, always.

Each run is a random walk with a seed of its own, which a failure names. A message may have two final events only
when a worker died, or lost its lease, between sending it and settling it.
"""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from tests.conformance.house import ACCOUNT, Hand, House, people

from postroom.delivery.loading import Loaded
from postroom.delivery.outcome import Deferred, Outcome, Refused, Sent, Unknown
from postroom.delivery.slices import Message, Slice
from postroom.events.codes import StatusCode
from postroom.intake.backlog import clear_queue, expire_queue, queue_depth
from postroom.intake.request import NoValidRecipients

STEPS = 60


class Claim:
    """What one worker holds."""

    def __init__(self, hand: Hand, slices: list[Slice], loaded: Loaded) -> None:
        self.hand = hand
        self.slices = slices
        self.loaded = loaded


class Walk:
    """The world, and what the test knows must be true of it."""

    def __init__(self, house: House, seed: int) -> None:
        self.house = house
        self.chance = random.Random(seed)
        self.accepted: set[str] = set()
        self.on_the_wire: Counter[str] = Counter()
        """How often the relay took each message, settled or not."""
        self.unsettled: set[str] = set()
        """Messages that the relay took and whose outcome was then lost."""
        self.claims: list[Claim] = []
        self.workers = 0

    async def accept(self) -> None:
        keys = self.house.keys(self.chance.choice([1, 1, 3, 11, 120]))
        again = self.chance.sample(sorted(self.accepted), min(len(self.accepted), self.chance.randrange(3)))
        mixed = [*keys, *(key.upper() for key in again)]
        self.chance.shuffle(mixed)
        try:
            accepted = await self.house.accept(people(mixed), self.chance.choice(["welcome", "other"]))
        except NoValidRecipients:  # pragma: no cover - there is always a fresh key
            raise AssertionError("a fresh key was refused") from None
        good = {result.message_key for result in accepted.results if result.error is None}
        assert good == set(keys)
        self.accepted |= good

    async def claim(self) -> None:
        self.workers += 1
        hand = Hand(self.house, f"worker-{self.workers}")
        slices = await hand.claim(room=self.chance.randint(1, 3))
        if slices:
            self.claims.append(Claim(hand, slices, await hand.load(slices)))

    def outcome(self, _message: Message) -> Outcome:
        outcomes: list[Outcome] = [Sent(), Refused(code=550), Deferred(code=451), Unknown()]
        return self.chance.choices(outcomes, [8, 1, 2, 1])[0]

    def _take_claim(self) -> Claim | None:
        return self.claims.pop(self.chance.randrange(len(self.claims))) if self.claims else None

    async def settle(self) -> None:
        if (claim := self._take_claim()) is None:
            return
        outcomes = {id(message): self.outcome(message) for message in claim.loaded.messages}
        await claim.hand.settle(claim.slices, claim.loaded, lambda message: outcomes[id(message)])
        self._remember(claim, outcomes)

    async def crash_in_the_middle(self) -> None:
        """Some outcomes are settled, some mails were sent and not settled, the rest was never tried."""
        if (claim := self._take_claim()) is None:
            return
        settled: dict[int, Outcome | None] = {}
        for message in claim.loaded.messages:
            kind = self.chance.choice(["settled", "sent only", "untried"])
            settled[id(message)] = self.outcome(message) if kind == "settled" else None
            if kind == "sent only":
                self.on_the_wire[message.message_key] += 1
                self.unsettled.add(message.message_key)
        for each in claim.slices:
            each.outstanding += 1  # the last settlement, which would end the slice, does not come
        await claim.hand.settle(claim.slices, claim.loaded, lambda message: settled[id(message)])
        self._remember(claim, settled)

    def _remember(self, claim: Claim, outcomes: dict[int, Outcome] | dict[int, Outcome | None]) -> None:
        for message in claim.loaded.messages:
            if isinstance(outcomes[id(message)], Sent | Unknown):
                self.on_the_wire[message.message_key] += 1
            if message.slice.lost or isinstance(outcomes[id(message)], Unknown):
                self.unsettled.add(message.message_key)

    async def expire_leases(self) -> None:
        await self.house.expire_leases()

    async def renew(self) -> None:
        if self.claims:
            claim = self.chance.choice(self.claims)
            await claim.hand.queue.renew(claim.slices)

    async def make_due(self) -> None:
        await self.house.make_due()

    async def grow_old(self) -> None:
        await self.house.age(timedelta(hours=self.chance.choice([1, 13])))

    async def clear(self) -> None:
        definition = await self.house.pool.fetchval("select definition_id from definition where name = 'other'")
        await clear_queue(self.house.pool, ACCOUNT, definition, code=StatusCode.SUBSCRIBER_QUEUE_CLEARED)

    async def expire(self) -> None:
        before = datetime.now(UTC) - timedelta(hours=24)
        await expire_queue(self.house.pool, ACCOUNT, inactive_before=before, any_before=before)

    async def release_a_worker(self) -> None:
        if (claim := self._take_claim()) is not None:
            await claim.hand.queue.release_owner(claim.hand.owner)

    async def step(self) -> None:
        steps = [
            (self.accept, 6),
            (self.claim, 8),
            (self.settle, 6),
            (self.crash_in_the_middle, 2),
            (self.expire_leases, 2),
            (self.renew, 2),
            (self.make_due, 3),
            (self.grow_old, 1),
            (self.clear, 1),
            (self.expire, 1),
            (self.release_a_worker, 1),
        ]
        await self.chance.choices([step for step, _ in steps], [weight for _, weight in steps])[0]()

    async def check(self) -> None:
        finals = await self.house.finals_by_key()
        waiting = 0
        for row in await self.house.pool.fetch("select distinct definition_id from definition"):
            waiting += (await queue_depth(self.house.pool, ACCOUNT, row["definition_id"])).count
        assert await self.house.count("message") == len(self.accepted)
        assert len(finals) + waiting == len(self.accepted)
        assert finals.keys() <= self.accepted
        assert all(times == 1 for times in finals.values()), "fencing lets one settlement through, whatever was sent"
        sent_twice = {key for key, times in self.on_the_wire.items() if times > 1}
        assert sent_twice <= self.unsettled

    async def drain(self) -> None:
        """Everybody dies; one worker that is never refused does the rest."""
        self.claims.clear()
        hand = Hand(self.house, "last")
        while await self.house.count("queue"):
            await self.house.expire_leases()
            await self.house.make_due()
            await hand.work()


@pytest.mark.parametrize("seed", range(6))
async def test_accepted_is_sent_and_not_sent_and_waiting(house: House, seed: int) -> None:
    await house.define("other")
    walk = Walk(house, seed)
    for _ in range(STEPS):
        await walk.step()
        await walk.check()
    await walk.drain()
    await walk.check()
    assert set(await house.finals_by_key()) == walk.accepted
