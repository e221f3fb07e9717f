"""The pool against peers in memory, in virtual time: exactly one outcome for each job, and no hang."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.delivery.smtp.test_envelope import Letter
from tests.unit.delivery.smtp.virtual import Hang, VirtualLoop, good_peer

from postroom.delivery.outcome import Deferred, Outcome, Sent, Unknown
from postroom.delivery.smtp.local_address import LocalAddress
from postroom.delivery.smtp.pool import LONGEST_BACKOFF, SmtpPool
from postroom.delivery.smtp.target import SmtpTarget, TlsMode
from postroom.delivery.smtp.timeouts import Timeouts

TARGET = SmtpTarget("relay.example.com", tls=TlsMode.OFF)
Peer = Iterator[bytes | str]


class Job:
    """A letter that remembers its outcomes."""

    def __init__(self, office: Office, recipients: Sequence[str] = ("ann@example.com",)) -> None:
        letter = Letter(recipients=recipients)
        self.first_decides = True
        self.sender = letter.sender
        self.recipients = letter.recipients
        self.data = letter.data
        self.smtputf8 = letter.smtputf8
        self.outcomes: list[Outcome] = []
        self._office = office

    def finish(self, outcome: Outcome) -> None:
        """Remember it."""
        self.outcomes.append(outcome)
        self._office.finished.set()


class Office:
    """The jobs that wait."""

    def __init__(self, letters: int) -> None:
        self.waiting = deque(Job(self) for _ in range(letters))
        self.taken: list[Job] = []
        self.finished = asyncio.Event()
        self.failures: list[tuple[Deferred, float]] = []
        self.available = asyncio.Event()

    def take(self) -> Job | None:
        """The next one."""
        if not self.waiting:
            return None
        self.taken.append(self.waiting.popleft())
        return self.taken[-1]

    def on_unavailable(self, outcome: Deferred, retry_in: float) -> None:
        """Remember it."""
        self.failures.append((outcome, retry_in))

    def on_available(self) -> None:
        """Remember it."""
        self.available.set()

    async def done(self) -> list[Outcome]:
        """Wait until every job has an outcome."""
        while self.waiting or not all(job.outcomes for job in self.taken):
            self.finished.clear()
            await self.finished.wait()
        return [job.outcomes[0] for job in self.taken]


def run(dial: Callable[[int], Peer], story: Callable[[VirtualLoop], Any]) -> Any:
    """Run the story in virtual time; anything reported to the loop is a failure."""
    loop = VirtualLoop(dial)
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        result = runner.run(story(loop))
    assert reported == []
    return result


def make_pool(office: Office, size: int = 1, **options: Any) -> SmtpPool:
    return SmtpPool(
        TARGET,
        size=size,
        take=office.take,
        on_unavailable=office.on_unavailable,
        on_available=office.on_available,
        **{"rand": lambda: 0.5, **options},
    )


def after(*said: bytes | str) -> Peer:
    """A peer that has said this when it begins to be a silent one."""
    return iter(said)


def down() -> Peer:
    raise ConnectionRefusedError(111, "Connection refused")


def test_the_back_off_doubles_up_to_a_minute_and_begins_anew() -> None:
    async def story(loop: VirtualLoop) -> Office:
        office = Office(1)
        pool = make_pool(office)
        pool.wake()
        await office.available.wait()
        office.waiting.append(Job(office))
        pool.wake()
        await office.done()
        await pool.close(1)
        return office

    office = run(lambda number: down() if number < 10 else good_peer(), story)
    assert [retry_in for _, retry_in in office.failures] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    outcomes = [job.outcomes[0] for job in office.taken]
    assert [type(outcome) for outcome in outcomes] == [Deferred, Sent]
    assert outcomes[0].text == "no connection to relay.example.com port 25 (192.0.2.1): [Errno 111] Connection refused"


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 30))
@settings(max_examples=25)
def test_the_back_off_stays_within_its_limits(chance: float, failures: int) -> None:
    async def story(loop: VirtualLoop) -> Office:
        office = Office(1)
        pool = make_pool(office, rand=lambda: chance)
        pool.wake()
        await office.available.wait()
        await pool.close(1)
        return office

    office = run(lambda number: down() if number < failures else good_peer(), story)
    assert len(office.failures) == failures
    assert all(0.5 <= retry_in <= LONGEST_BACKOFF for _, retry_in in office.failures)


@pytest.mark.parametrize(
    ("said", "seconds", "kind"),
    [
        ((), 300, Deferred),
        ((b"220 hi\r\n",), 300, Deferred),
        ((b"220 hi\r\n", b"250 peer\r\n"), 300, Deferred),
        ((b"220 hi\r\n", b"250 peer\r\n", b"250 a\r\n"), 300, Deferred),
        ((b"220 hi\r\n", b"250 peer\r\n", b"250 a\r\n", b"250 b\r\n"), 120, Deferred),
        ((b"220 hi\r\n", b"250 peer\r\n", b"250 a\r\n", b"250 b\r\n", b"354 c\r\n"), 600, Unknown),
        ((b"220 hi\r\n", b"250 peer\r\n", b"250 a\r\n", b"250 b\r\n", b"354 c\r\n", "pause"), 180, Deferred),
    ],
)
def test_the_default_time_outs_are_those_of_rfc_5321(
    said: tuple[bytes | str, ...], seconds: float, kind: type[Deferred] | type[Unknown]
) -> None:
    async def story(loop: VirtualLoop) -> tuple[float, Outcome]:
        office = Office(1)
        pool = make_pool(office)
        pool.wake()
        (outcome,) = await office.done()
        at = loop.time()
        await pool.close(0)
        return at, outcome

    at, outcome = run(lambda number: after(*said), story)
    assert at == pytest.approx(seconds, abs=0.01)
    assert isinstance(outcome, kind)


def test_a_target_that_never_answers_the_call_is_given_up() -> None:
    async def story(loop: VirtualLoop) -> tuple[float, Outcome]:
        async def never(*arguments: Any, **options: Any) -> Any:
            await asyncio.Event().wait()

        loop.create_connection = never  # type: ignore[method-assign]
        office = Office(1)
        pool = make_pool(office, timeouts=Timeouts(connect=30))
        pool.wake()
        (outcome,) = await office.done()
        at = loop.time()
        await pool.close(0)
        return at, outcome

    at, outcome = run(lambda number: down(), story)
    assert at == pytest.approx(30, abs=0.01)
    assert "within 30 s" in outcome.text


def test_each_address_of_the_target_is_tried() -> None:
    async def story(loop: VirtualLoop) -> tuple[int, Outcome]:
        loop.addresses = ["2001:db8::1", "192.0.2.1", "192.0.2.2"]
        office = Office(1)
        pool = make_pool(office)
        pool.wake()
        (outcome,) = await office.done()
        await pool.close(1)
        return len(loop.dialled), outcome

    dialled, outcome = run(lambda number: down() if number == 0 else good_peer(), story)
    assert dialled == 2
    assert isinstance(outcome, Sent)


def test_an_address_that_could_not_be_reached_is_not_waited_for_again() -> None:
    async def story(loop: VirtualLoop) -> list[float]:
        loop.addresses = ["2001:db8::1", "192.0.2.1"]
        office = Office(3)
        pool = make_pool(office, max_messages_per_connection=1, timeouts=Timeouts(connect=30.0))
        pool.wake()
        await office.done()
        await pool.close(1)
        return loop.dialled

    def dial(number: int) -> Peer:
        if number == 0:
            raise TimeoutError
        return good_peer()

    assert len(run(dial, story)) == 4, "the dead address once, then one call for each mail"


class Addresses:
    """Two of ours; what is refused is left out."""

    def __init__(self) -> None:
        self.ours = ["192.0.2.11", "192.0.2.12"]
        self.used: list[str] = []
        self.taken_from: list[str] = []

    def next(self, host_address: str) -> LocalAddress | None:
        self.used.append(self.ours[0])
        return LocalAddress(self.ours[0], "x")

    def refused(self, ip: str, why: str, host_addresses: Iterable[str]) -> bool:
        assert list(host_addresses) == ["192.0.2.1"]
        self.ours.remove(ip)
        return bool(self.ours)

    def taken(self, ip: str) -> None:
        self.taken_from.append(ip)


BLOCKED = b"554 5.7.1 not from there\r\n"


def test_a_greeting_that_refuses_our_address_is_followed_by_a_call_from_another() -> None:
    sources = Addresses()

    async def story(loop: VirtualLoop) -> tuple[Office, list[Outcome]]:
        office = Office(2)
        pool = make_pool(office, sources=sources)
        pool.wake()
        outcomes = await office.done()
        await pool.close(1)
        return office, outcomes

    office, outcomes = run(lambda number: after(BLOCKED) if number == 0 else good_peer(), story)
    assert [type(outcome) for outcome in outcomes] == [Sent, Sent]
    assert [outcome.source for outcome in outcomes] == ["192.0.2.12"] * 2
    assert office.failures == [], "the target is there"
    assert sources.used == ["192.0.2.11", "192.0.2.12"]
    assert sources.taken_from == ["192.0.2.12"]


def test_a_target_that_refuses_all_our_addresses_is_unavailable() -> None:
    sources = Addresses()

    async def story(loop: VirtualLoop) -> list[Outcome]:
        office = Office(1)
        pool = make_pool(office, sources=sources)
        pool.wake()
        outcomes = await office.done()
        await pool.close(1)
        assert not office.waiting
        assert [outcome.text for outcome, _ in office.failures] == ["554 5.7.1 not from there"]
        return outcomes

    (outcome,) = run(lambda _: after(BLOCKED), story)
    assert isinstance(outcome, Deferred)
    assert (outcome.code, outcome.stage) == (554, "connect")


def test_a_limit_on_connections_is_no_refusal_of_the_address() -> None:
    sources = Addresses()

    async def story(loop: VirtualLoop) -> Outcome:
        office = Office(1)
        pool = make_pool(office, size=2, sources=sources)
        pool.wake()
        await asyncio.sleep(1)
        office.waiting.append(Job(office))
        pool.wake()
        await office.finished.wait()
        outcome = office.taken[1].outcomes[0]
        await pool.close(1)
        return outcome

    def dial(number: int) -> Peer:
        busy = after(b"220 hi\r\n", b"250-peer\r\n250 PIPELINING\r\n", b"250 a\r\n250 b\r\n354 c\r\n")
        return (busy, after(b"421 4.7.0 too many\r\n"), good_peer())[number]

    outcome = run(dial, story)
    assert isinstance(outcome, Sent)
    assert sources.ours == ["192.0.2.11", "192.0.2.12"]
    assert sources.used == ["192.0.2.11"] * 3


def test_an_idle_connection_says_quit_after_its_seconds() -> None:
    async def story(loop: VirtualLoop) -> list[bytes]:
        office = Office(1)
        pool = make_pool(office, idle_seconds=10)
        pool.wake()
        await office.done()
        await asyncio.sleep(9.9)
        before = list(loop.lines[0].written)
        await asyncio.sleep(0.2)
        await pool.close(1)
        return loop.lines[0].written[len(before) :]

    assert run(lambda number: good_peer(), story) == [b"QUIT\r\n"]


def test_the_virtual_loop_notices_a_hang() -> None:
    async def story(loop: VirtualLoop) -> None:
        await asyncio.Event().wait()

    loop = VirtualLoop(lambda number: good_peer())
    with pytest.raises(Hang):
        loop.run_until_complete(story(loop))
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


# Anything a peer may say to a write, and anything that may happen to a connection.
SAYS = st.sampled_from(
    [
        b"220 hi\r\n",
        b"250-peer\r\n250 PIPELINING\r\n",
        b"250 peer\r\n",
        b"250 a\r\n250 b\r\n354 c\r\n",
        b"250 a\r\n550 b\r\n354 c\r\n",
        b"250 a\r\n450 b\r\n554 c\r\n",
        b"250 2.0.0 queued\r\n",
        b"354 go\r\n",
        b"421 bye\r\n",
        b"451 later\r\n",
        b"554 never\r\n",
        b"junk\r\n",
        b"25",
        b"",
        "close",
        "reset",
        "pause",
        "silence",
    ]
)
SPEECH = st.one_of(SAYS, st.binary(max_size=8))
WELL_BEGUN = st.lists(SPEECH, max_size=8).map(lambda said: [b"220 hi\r\n", b"250-peer\r\n250 PIPELINING\r\n", *said])
CONNECTIONS = st.lists(
    st.one_of(st.none(), WELL_BEGUN, WELL_BEGUN.map(lambda said: [*said[:2], *good(2), *said[2:]]), st.lists(SPEECH)),
    max_size=8,
)


def good(mails: int) -> list[bytes | str]:
    return [b"250 a\r\n250 b\r\n354 c\r\n", b"250 2.0.0 queued\r\n"] * mails


@given(CONNECTIONS, st.integers(1, 3), st.integers(1, 6), st.integers(1, 3), st.booleans())
@settings(max_examples=300)
def test_any_peers_give_exactly_one_outcome_per_job_and_no_hang(
    connections: list[list[bytes | str] | None], size: int, jobs: int, messages: int, impatient: bool
) -> None:
    def dial(number: int) -> Peer:
        if number >= len(connections):
            return good_peer()
        said = connections[number]
        return down() if said is None else iter(chain(said, ["silence"] * 100))

    async def story(loop: VirtualLoop) -> tuple[Office, int]:
        office = Office(jobs)
        pool = make_pool(office, size, max_messages_per_connection=messages)
        pool.wake()
        if impatient:
            await asyncio.sleep(1)
        else:
            await office.done()
        await pool.close(1)
        return office, pool.connections

    office, left = run(dial, story)
    assert left == 0
    assert [len(job.outcomes) for job in office.taken] == [1] * len(office.taken)
    if not impatient:
        assert len(office.taken) == jobs
    assert all(job.outcomes[0].text for job in office.taken)
