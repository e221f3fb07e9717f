"""Warm-ups of several processes against one count."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from postroom.delivery.routing.ramps import IDLE_SECONDS, LOOK_AGAIN, Ramp, Ramps
from postroom.delivery.routing.table import SourceAddress, SourcePool
from postroom.delivery.routing.warm_up import WarmUp

FIRST = date(2026, 11, 30)
WARM_UP = WarmUp(FIRST, (50, 400))
POOL = SourcePool("new", (SourceAddress("192.0.2.1"),), WARM_UP)
MORNING = datetime(2026, 11, 30, 6, tzinfo=UTC)


class Book:
    """The count of the database, and the time."""

    def __init__(self) -> None:
        self.now = MORNING
        self.counted: Counter[date] = Counter()
        self.questions = 0

    async def take(self, source: str, site: str, day: date, wanted: int, limit: int) -> int:
        assert (source, site) == ("new", "google")
        self.questions += 1
        granted = min(wanted, limit - self.counted[day])
        self.counted[day] += granted
        return granted

    async def give_back(self, source: str, site: str, day: date, messages: int) -> None:
        self.counted[day] -= messages

    def ramp(self) -> Ramp:
        return Ramp(POOL, WARM_UP, "google", self, lambda: self.now)


async def send(ramp: Ramp, most: int) -> int:
    """Send until it says no, or so many."""
    sent = 0
    while sent < most:
        verdict = ramp.take()
        if verdict == "full":
            break
        if verdict == "ask":
            await ramp.reserve()
        else:
            sent += 1
    return sent


async def test_the_limit_of_a_day_is_kept_and_the_next_day_has_its_own() -> None:
    book = Book()
    ramp = book.ramp()
    assert await send(ramp, 1000) == 50
    assert ramp.seconds_to_next_day == 18 * 3600
    book.now += timedelta(hours=18)
    assert await send(ramp, 1000) == 400
    book.now += timedelta(days=1)
    assert await send(ramp, 1000) == 1000, "the warm-up is over"
    assert book.counted == {FIRST: 50, FIRST + timedelta(days=1): 400}
    assert book.questions < 60, "messages are counted by the block"


async def test_several_processes_share_one_limit() -> None:
    book = Book()
    ramps = [book.ramp(), book.ramp()]
    sent = 0
    for _ in range(100):
        for ramp in ramps:
            sent += await send(ramp, 1)
    assert sent <= 50
    assert sent >= 48, "at most a block is left idle in another process"


async def test_what_was_not_sent_is_given_back() -> None:
    book = Book()
    ramp, other = book.ramp(), book.ramp()
    assert await send(ramp, 50) == 50
    ramp.give_back()
    await ramp.close()
    assert book.counted[FIRST] == 49
    assert await send(other, 50) == 1


async def test_a_full_day_is_looked_at_again_now_and_then() -> None:
    book = Book()
    ramp = book.ramp()
    await send(ramp, 1000)
    asked = book.questions
    assert [ramp.take() for _ in range(100)] == ["full"] * 100
    assert book.questions == asked
    book.now += LOOK_AGAIN
    assert ramp.take() == "ask"


async def test_who_is_idle_gives_back() -> None:
    book = Book()
    ramps = Ramps(book, now=lambda: book.now)
    ramp = ramps.ramp(POOL, WARM_UP, "google")
    assert ramps.ramp(POOL, WARM_UP, "google") is ramp
    await send(ramp, 1)
    assert ramps.idle() == []
    book.now += timedelta(seconds=IDLE_SECONDS + 1)
    assert ramps.idle() == [ramp]
    await ramp.close()
    assert book.counted[FIRST] == 1
    assert ramps.ramp(POOL, WARM_UP, "google") is not ramp


class Processes(RuleBasedStateMachine):
    """Any interleaving of processes, returns, deaths and time: never more than a day's limit is sent on that day."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.ramps = [self.book.ramp() for _ in range(3)]
        self.sent: Counter[date] = Counter()

    @rule(which=st.integers(0, 2), messages=st.integers(1, 60))
    def work(self, which: int, messages: int) -> None:
        for _ in range(messages):
            verdict = self.ramps[which].take()
            if verdict == "yes":
                self.sent[self.book.now.date()] += 1
            elif verdict == "ask":
                run(self.ramps[which].reserve())

    @rule(which=st.integers(0, 2))
    def was_not_sent(self, which: int) -> None:
        if self.sent[self.book.now.date()] and self.ramps[which].take() == "yes":
            self.ramps[which].give_back()

    @rule(which=st.integers(0, 2))
    def stop(self, which: int) -> None:
        run(self.ramps[which].close())

    @rule(which=st.integers(0, 2))
    def kill_nine(self, which: int) -> None:
        self.ramps[which] = self.book.ramp()

    @rule(minutes=st.integers(1, 700))
    def wait(self, minutes: int) -> None:
        self.book.now += timedelta(minutes=minutes)

    @invariant()
    def no_day_has_more_than_its_limit(self) -> None:
        for day, sent in self.sent.items():
            limit = WARM_UP.limit(day)
            assert limit is None or sent <= limit


def run(coroutine: object) -> None:
    """A coroutine that never waits."""
    try:
        coroutine.send(None)  # type: ignore[attr-defined]
    except StopIteration:
        return
    raise AssertionError("it waited")


TestProcesses = Processes.TestCase
