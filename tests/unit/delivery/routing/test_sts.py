"""Which MTA-STS policy holds: trust on first use, refreshing, and what an attacker who suppresses it gains."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from postroom.delivery.routing.records import Nothing, TextAnswer, TextFound, Trouble
from postroom.delivery.routing.sts import RETRY_SECONDS, KeptPolicy, StsPolicies
from postroom.delivery.routing.sts_fetch import NoPolicy
from postroom.delivery.routing.sts_policy import StsPolicy

ENFORCE = StsPolicy("enforce", ("mx.one.test",), 7 * 86_400)
NONE = StsPolicy("none", (), 86_400)
GONE = NoPolicy("sts-policy-fetch-error", "gone")
SUPPRESSED = Nothing(exists=False, ttl=60)


@dataclass
class World:
    """One domain, its policy host, the table and the time."""

    text: TextAnswer = field(default_factory=lambda: TextFound(("v=STSv1; id=1;",)))
    served: StsPolicy | NoPolicy = ENFORCE
    now: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    table: dict[str, KeptPolicy] = field(default_factory=dict)
    fetches: int = 0
    failures: list[NoPolicy] = field(default_factory=list)

    async def load(self, domain: str, now: datetime) -> KeptPolicy | None:
        kept = self.table.get(domain)
        return kept if kept is not None and now < kept.expires_at else None

    async def save(self, domain: str, kept: KeptPolicy) -> None:
        self.table[domain] = kept

    async def _text(self, name: str) -> TextAnswer:
        assert name == "_mta-sts.one.test"
        return self.text

    async def _fetch(self, domain: str) -> StsPolicy | NoPolicy:
        self.fetches += 1
        return self.served

    def process(self) -> StsPolicies:
        """A process that starts with nothing in memory."""
        return StsPolicies(
            self,
            text=self._text,
            fetch=self._fetch,
            failed=lambda _domain, why: self.failures.append(why),
            now=lambda: self.now,
            most=3,
        )


async def policies(world: World, *steps: tuple[timedelta, TextAnswer | None]) -> Sequence[StsPolicy | None]:
    """What holds after each step: time passes, and the DNS says something else (None: the same)."""
    process, found = world.process(), []
    for passes, text in steps:
        world.now += passes
        world.text = text or world.text
        found.append(await process.policy("one.test"))
    return found


async def test_a_policy_is_fetched_once_and_refreshed_after_a_day() -> None:
    world = World()
    same = (timedelta(hours=5), None)
    assert await policies(world, same, same, same) == [ENFORCE] * 3
    assert world.fetches == 1
    world.now += timedelta(days=1)
    await policies(world, same)
    assert world.fetches == 2


async def test_a_new_id_fetches_at_once() -> None:
    world = World()
    process = world.process()
    await process.policy("one.test")
    world.text, world.served = TextFound(("v=STSv1; id=2;",)), NONE
    assert await process.policy("one.test") == NONE
    assert world.table["one.test"].policy_id == "2"


async def test_attack_a_suppressed_announcement_does_not_end_what_was_seen_before() -> None:
    for silence in (SUPPRESSED, Trouble("servfail")):
        world = World()
        assert await policies(world, (timedelta(), None), (timedelta(days=6), silence)) == [ENFORCE, ENFORCE]
        assert await policies(world, (timedelta(), None)) == [ENFORCE], "nor does a restart"
        assert await policies(world, (timedelta(days=2), None)) == [None], "its age does"


async def test_attack_a_suppressed_policy_host_does_not_end_what_was_seen_before() -> None:
    world = World()
    process = world.process()
    await process.policy("one.test")
    world.served = GONE
    world.text = TextFound(("v=STSv1; id=2;",))
    assert await process.policy("one.test") == ENFORCE
    assert world.failures == [GONE]


async def test_a_policy_host_that_fails_is_not_asked_for_each_mail() -> None:
    world = World(served=GONE)
    process = world.process()
    assert [await process.policy("one.test") for _ in range(3)] == [None] * 3
    assert world.fetches == 1
    world.now += timedelta(seconds=RETRY_SECONDS)
    world.served = ENFORCE
    assert await process.policy("one.test") == ENFORCE


async def test_no_announcement_and_nothing_known_is_no_policy() -> None:
    world = World(text=SUPPRESSED)
    assert await policies(world, (timedelta(), None)) == [None]
    assert world.fetches == 0
