"""Sites with peers in memory, in virtual time: whichever of our addresses they take, each message ends in one way."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.delivery.queue_rows import make_message, make_slice
from tests.unit.delivery.smtp.virtual import VirtualLoop

from postroom.bounces.verdict import read_rules
from postroom.content.model import Mail
from postroom.delivery.job import Job
from postroom.delivery.lanes import Lanes
from postroom.delivery.outcome import Deferred, Outcome, Sent
from postroom.delivery.routing.blame import Blame
from postroom.delivery.routing.mx import MxHost, Route
from postroom.delivery.routing.routes import Routes
from postroom.delivery.routing.shaping import read_shaping
from postroom.delivery.routing.site import Line
from postroom.delivery.routing.sites import Sites
from postroom.delivery.routing.sources import SourceTurns
from postroom.delivery.routing.table import NamedRoute, RouteTable, Rule, SourceAddress, SourcePool
from postroom.delivery.routing.warm_up import WarmUp
from postroom.delivery.slices import Message
from postroom.delivery.smtp.reach import Reach
from postroom.delivery.smtp.target import TlsMode
from postroom.delivery.smtp.timeouts import Timeouts
from postroom.delivery.smtp.trust import Trust
from postroom.events.put_offs import PutOff

NEW, OLD = ("192.0.2.1", "192.0.2.2"), ("192.0.2.3", "192.0.2.4")
LISTED = b"554 5.7.1 Client host blocked using zen.spamhaus.org\r\n"
LIMIT = 6
PATIENCE = 600.0

Peer = Iterator[bytes | str]


def peer(behaviour: str) -> Peer:
    """What a host says to one connection, write by write."""
    if behaviour == "down":
        raise ConnectionRefusedError(111, "Connection refused")
    yield b"554 5.7.1 not from you\r\n" if behaviour == "greeting" else b"220 hi\r\n"
    yield b"250-host\r\n250 PIPELINING\r\n"
    while True:
        match behaviour:
            case "mail":
                yield LISTED + b"503 5.5.1 no\r\n503 5.5.1 no\r\n"
            case "rcpt":
                yield b"250 a\r\n" + LISTED + b"554 5.5.1 no\r\n"
            case "once":
                yield b"250 a\r\n250 b\r\n354 c\r\n"
                yield b"250 2.0.0 queued\r\n"
                behaviour = "rcpt"
                continue
            case _:
                yield b"250 a\r\n250 b\r\n354 c\r\n"
                yield b"250 2.0.0 queued\r\n"
                continue
        yield b"250 reset\r\n"


class PickyLoop(VirtualLoop):
    """``behaviour`` of the one host by the address of ours; ``begun`` counts connections from each."""

    def __init__(self, behaviour: dict[str, str]) -> None:
        super().__init__(lambda _: peer(self._next))
        self.behaviour = behaviour
        self.begun: Counter[str] = Counter()
        self._next = ""

    async def create_connection(self, protocol_factory: Any, *arguments: Any, **options: Any) -> Any:
        source = options["local_addr"][0]
        self.begun[source] += 1
        self._next = self.behaviour[source]
        if self._next == "down":
            raise ConnectionRefusedError(111, "Connection refused")
        return await super().create_connection(protocol_factory, *arguments, **options)


class Book:
    """The counts of warm-ups."""

    def __init__(self) -> None:
        self.counted = 0

    async def take(self, source: str, site: str, day: date, wanted: int, limit: int) -> int:
        granted = min(wanted, limit - self.counted)
        self.counted += granted
        return granted

    async def give_back(self, source: str, site: str, day: date, messages: int) -> None:
        self.counted -= messages


class Office:
    """A worker without a database; the ``ends`` of each message."""

    def __init__(self, loop: PickyLoop, *, overflow: bool) -> None:
        self.loop = loop
        self.book = Book()
        self.ends: dict[str, list[Outcome | PutOff]] = {}
        self.ended = asyncio.Event()
        new = SourcePool(
            "new",
            tuple(map(SourceAddress, NEW)),
            WarmUp(datetime.now(UTC).date(), (LIMIT, 1000)) if overflow else None,
            "old" if overflow else None,
        )
        pools = {"new": new, "old": SourcePool("old", tuple(map(SourceAddress, OLD)))}
        table = RouteTable((Rule("mx"),), {"mx": NamedRoute("mx", source="new")}, pools, by_name=False)

        async def find(_domain: str) -> Route:
            return Route((MxHost("mx.one.test", ("198.51.100.1",)),), 3600.0)

        def line(source: str | None) -> Line:
            return Line(
                port=25,
                helo="me.example.com",
                trust=lambda _rule, _host: Trust(TlsMode.OFF, "none", None),
                session=lambda _domain, _rule, _session: None,
                blames=Blame(read_rules()),
                timeouts=Timeouts(),
                rand=lambda: 0.5,
                reach=Reach(loop.time),
                sources=None
                if source is None
                else SourceTurns(pools[source], helo="me", has=lambda _: True, clock=loop.time),
            )

        self.sites = Sites(
            table,
            Routes(find, clock=loop.time),
            read_shaping("[default]\nconnections = 3\n"),
            line,
            self.book,
            lane_messages=1000,
            take=self._take,
            settled=self._end,
            postponed=lambda message, _seconds, why: self._end(message, why),
            withdraw=lambda _: [],
            changed=lambda: None,
            closed=self._closed,
        )

    async def send(self, count: int) -> list[Outcome | PutOff]:
        """Offer so many messages; how each ended, in any order."""
        slice_ = make_slice(len(self.ends) + 1)
        messages = [make_message(slice_, number) for number in range(count)]
        for message in messages:
            self.ends[message.message_key] = []
        self.sites.offer(slice_.key, messages)
        async with asyncio.timeout(PATIENCE):
            while not all(self.ends[message.message_key] for message in messages):
                self.ended.clear()
                await self.ended.wait()
        return [self.ends[message.message_key][0] for message in messages]

    def _take(self, lanes: Lanes) -> Job | None:
        message = lanes.take()
        if message is None:
            return None
        mail = Mail("shop@example.com", (message.address,), b"Subject: x\r\n\r\nbody\r\n", False, "x")
        return Job(message, mail, mail.sender, self._end)

    def _end(self, message: Message, end: Outcome | PutOff) -> None:
        self.ends[message.message_key].append(end)
        self.ended.set()

    async def _closed(self) -> None:
        pass


async def sources(office: Office, count: int) -> set[str]:
    """Send so many mails, which must arrive; the addresses they came from."""
    ends = await office.send(count)
    assert all(isinstance(end, Sent) for end in ends)
    return {end.source for end in ends if isinstance(end, Sent)}


def run(behaviour: dict[str, str], story: Any, *, overflow: bool) -> Office:
    """Run the story in virtual time; anything reported to the loop is a failure."""
    loop = PickyLoop(behaviour)
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))

    async def whole() -> Office:
        office = Office(loop, overflow=overflow)
        await story(office)
        await office.sites.close(1)
        return office

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        office: Office = runner.run(whole())
    assert reported == []
    assert [len(ends) for ends in office.ends.values()] == [1] * len(office.ends)
    return office


BEHAVIOURS = st.sampled_from(["fine", "fine", "fine", "greeting", "mail", "rcpt", "once", "down"])


@given(
    st.fixed_dictionaries(dict.fromkeys((*NEW, *OLD), BEHAVIOURS)),
    st.fixed_dictionaries(dict.fromkeys((*NEW, *OLD), BEHAVIOURS)),
    st.integers(1, 12),
    st.booleans(),
)
@settings(max_examples=40)
def test_whatever_a_host_takes_each_message_ends_once_and_the_warm_up_counts_what_left(
    first: dict[str, str], then: dict[str, str], count: int, overflow: bool
) -> None:
    async def story(office: Office) -> None:
        for behaviour in (first, then):
            office.loop.behaviour = behaviour
            ends = await office.send(count)
            usable = (*NEW, *OLD) if overflow else NEW
            if all(behaviour[ip] == "fine" for ip in usable) and behaviour is first:
                assert all(isinstance(end, Sent) for end in ends)
            if overflow and behaviour is first and all(behaviour[ip] == "fine" for ip in OLD):
                assert all(isinstance(end, Sent) for end in ends if "down" not in {behaviour[ip] for ip in NEW})
            await asyncio.sleep(20)

    office = run(first, story, overflow=overflow)
    sent = [end for ends in office.ends.values() for end in ends if isinstance(end, Sent)]
    from_new = sum(end.source in NEW for end in sent)
    assert all(not isinstance(end, PutOff) for ends in office.ends.values() for end in ends)
    if overflow:
        assert from_new <= LIMIT
        assert office.book.counted == from_new


def test_a_host_that_lists_all_addresses_is_asked_from_each_once_and_then_once_for_each_mail() -> None:
    async def story(office: Office) -> None:
        assert all(isinstance(end, Deferred) and end.stage == "rcpt" for end in await office.send(1))
        before = office.loop.begun.total()
        assert before == len(NEW)
        assert all(isinstance(end, Deferred) for end in await office.send(4))
        assert office.loop.begun.total() - before <= 4

    run(dict.fromkeys(NEW, "rcpt"), story, overflow=False)


def test_the_first_pool_is_used_again_when_a_mail_has_found_out_that_it_may() -> None:
    async def story(office: Office) -> None:
        assert await sources(office, 5) <= set(OLD)
        office.loop.behaviour = dict.fromkeys((*NEW, *OLD), "fine")
        await asyncio.sleep(30)
        assert await sources(office, 2) <= set(OLD), "its time is not over"
        await asyncio.sleep(60)
        assert await sources(office, 1) <= set(NEW)
        assert await sources(office, 2) <= set(NEW)

    office = run(dict.fromkeys(NEW, "mail") | dict.fromkeys(OLD, "fine"), story, overflow=True)
    assert office.book.counted == 3
