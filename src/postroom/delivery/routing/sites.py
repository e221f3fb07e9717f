"""All sites of one worker: messages come in by lane, and go out by site.

    message -> route of its domain -> site -> connection

``Sites`` stands where a relay has its lanes and its pool. Every message offered leaves in exactly one of these
ways: composed and tried (``settled`` with the outcome), not routable (``settled`` with ``Refused`` or
``Deferred``), or given back to the queue (``postponed``) because its site, its provider or the DNS is slower than
what there is for it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import UTC, datetime

import structlog

from postroom.content.address import parse_address
from postroom.delivery.job import Job
from postroom.delivery.lanes import Lanes
from postroom.delivery.outcome import Deferred, Outcome, Refused
from postroom.delivery.routing.destinations import Destinations, Later
from postroom.delivery.routing.in_hand import InHand
from postroom.delivery.routing.known_sites import KnownSites
from postroom.delivery.routing.mx import MxHost, NoRoute
from postroom.delivery.routing.parcel import Parcel
from postroom.delivery.routing.parcels import Parcels
from postroom.delivery.routing.questions import Questions
from postroom.delivery.routing.ramps import Counts, Ramps
from postroom.delivery.routing.routes import Routes
from postroom.delivery.routing.shaping import Shaping
from postroom.delivery.routing.site import Line, Provider, Site
from postroom.delivery.routing.table import RouteTable
from postroom.delivery.routing.way import Way
from postroom.delivery.slices import LaneKey, Message
from postroom.events.put_offs import PutOff
from postroom.metrics.sites import BusySite

TICK_SECONDS = 0.5
MOST_TOLD = 100


class Sites:
    """``take`` composes the next message of some lanes, ``withdraw`` takes back what of them is composed and not
    begun. ``postponed(message, seconds, why)`` gives a message back to the queue. ``changed`` is called when
    messages left unsent, ``closed`` at the end.
    """

    available = True

    def __init__(
        self,
        table: RouteTable,
        routes: Routes,
        shaping: Shaping,
        line: Callable[[str | None], Line],
        counts: Counts,
        *,
        lane_messages: int,
        take: Callable[[Lanes], Job | None],
        settled: Callable[[Message, Outcome], None],
        postponed: Callable[[Message, float, PutOff], None],
        withdraw: Callable[[Lanes], list[Message]],
        changed: Callable[[], None],
        closed: Callable[[], Awaitable[None]],
    ) -> None:
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._routes = routes
        self._settled = settled
        self._postponed = postponed
        self._withdraw = withdraw
        self._changed = changed
        self._in_hand = InHand(lane_messages)
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        self._closing = False
        self._quiet = asyncio.Event()
        self._log = structlog.get_logger("delivery")
        lines = {name: line(name) for name in (None, *table.sources)}
        self._ramps = Ramps(counts, now=lambda: datetime.now(UTC))
        self._sites = KnownSites(
            shaping, lines, make=self._make, forgotten=lambda site: self._in_background(site.close(0.5))
        )
        self._questions = Questions(
            self._in_hand,
            look_up=routes.route,
            again=self._route,
            later=self._later,
            away=self._away,
            changed=changed,
            in_background=self._in_background,
        )
        ways = {name: Way(route, lines[route.source], self._sites.open_relay) for name, route in table.routes.items()}
        self._destinations = Destinations(table, ways, routes, self._sites, self._ramps)
        self._parcels = Parcels(
            self._destinations,
            compose=take,
            settled=settled,
            again=self._again,
            later=self._later,
            ask=self._questions.ask,
            ended=self._look_whether_quiet,
        )

    def __len__(self) -> int:
        """The number of sites."""
        return len(self._sites)

    def busy(self) -> list[BusySite]:
        """The sites with most in hand, and under an empty name what waits for the DNS; at most one of each name."""
        found = self._sites.busy()
        unrouted = self._in_hand.unrouted.total()
        if unrouted:
            found[""] = BusySite("", unrouted, 0, None, None)
        return sorted(found.values(), key=lambda each: each.waiting + each.under_way, reverse=True)[:MOST_TOLD]

    def with_room(self) -> list[tuple[Site, int]]:
        """The sites that gave messages back and have room now, for how many."""
        return self._sites.with_room()

    def gave_back(self, account_id: int, name: str) -> bool:
        """Whether the site of this name has given back messages of a business unit, and will call them."""
        return any(site.name == name and account_id in site.given_back for site in self._sites)

    # -- in the place of the lanes

    def waiting(self, key: LaneKey) -> int:
        """How much of a lane is taken, over all sites; what waits for slow ones is put aside."""
        return self._in_hand.waiting(key)

    def offer(self, key: LaneKey, messages: Iterable[Message]) -> None:
        """Messages of one lane; each finds its site."""
        for message in messages:
            self._route(message)

    def drain(self) -> list[Message]:
        """Take everything."""
        drained = [message for site in self._sites for message in site.lanes.drain()]
        drained.extend(self._questions.drain())
        self._in_hand.tally.clear()
        self._in_hand.unrouted.clear()
        for message in drained:
            message.not_sent()
        return drained

    # -- in the place of the pool

    def wake(self) -> None:
        """There may be something to begin anywhere."""
        for site in self._sites:
            site.wake()

    def wake_signed(self) -> None:
        """Mails were signed: the sites that have one to take are told, and no others."""
        for site in self._sites:
            if site.lanes.ahead is not None and site.lanes.ahead.ready:
                site.wake()

    async def close(self, grace: float) -> None:
        """Begin nothing new, finish what is on the wire and its copies within ``grace`` seconds, then close."""
        self._closing = True
        self._timer.cancel()
        for site in self._sites:
            site.only_copies = True
        self._look_whether_quiet()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._quiet.wait()
        await asyncio.gather(*(site.close(0.5) for site in self._sites))
        for site in self._sites:
            for copy in list(site.copies):
                copy.give_up(Deferred(text="postroom is stopping", host=site.name, stage="connect"))
            site.copies.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._routes.close()
        # What only waited was not sent, and need not count; nor what was composed ahead of its connection.
        for site in self._sites:
            for message in self._withdraw(site.lanes):
                message.not_sent()
        self.drain()
        await self._ramps.close()
        await self._closed()

    # -- routing

    def _route(self, message: Message) -> None:
        address = parse_address(message.address)
        if address is None:
            self._settled(message, Refused(text="not sent: the recipient is no address that has a route"))
            return
        found = self._destinations.find(message, address.domain, first=True)
        if isinstance(found, Site):
            if found.unreachable is None and not found.fits(message.slice.key):
                self._later(message, self._booked(found, message))
            else:
                found.arrive(message)
        elif isinstance(found, NoRoute):
            kind = Refused if found.permanent else Deferred
            self._settled(message, kind(enhanced=found.enhanced, text=found.text, stage="connect"))
        elif isinstance(found, Later):
            self._later(message, found)
        else:
            self._questions.ask(found, message)

    def _later(self, message: Message, later: Later) -> None:
        message.not_sent()
        self._postponed(message, later.seconds, later.why)

    def _booked(self, site: Site, message: Message) -> Later:
        now = self._loop.time()
        site.given_back[message.slice.account_id] = now
        seconds = site.pace.book(now, len(site.lanes))
        return Later(seconds, PutOff("siteBusy", site.name))

    def _relay_away(self, _site: Site, message: Message, _outcome: Outcome) -> None:
        self._route(message)

    def _site_away(self, site: Site, message: Message, outcome: Outcome) -> None:
        if site.overflows:
            self._again(message)
        else:
            self._away(message, outcome)

    def _again(self, message: Message) -> None:
        message.not_sent()
        self._route(message)

    def _away(self, message: Message, outcome: Outcome) -> None:
        message.not_sent()
        self._settled(message, outcome)

    # -- from time to time

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        now = self._loop.time()
        self._sites.tick(TICK_SECONDS)
        for ramp in self._ramps.idle():
            self._in_background(ramp.close())
        if self._in_hand.look(self._sites):
            self._changed()
        full = self._in_hand.full()
        if full:
            self._relieve(now, full)

    def _relieve(self, now: float, full: set[LaneKey]) -> None:
        """Where a lane is so full that nothing more of it is claimed, give back what waits for the slow."""
        for site in self._sites:
            limit = site.pace.limit
            if limit is None:
                continue
            for key in site.lanes.keys():  # noqa: SIM118 - a list of its own: lanes go away meanwhile
                if key in full:
                    # From the front of what is given back on, so that the earliest is booked first.
                    for message in reversed(site.lanes.shed(key, site.lanes.waiting(key) - limit)):
                        self._later(message, self._booked(site, message))
        self._questions.relieve(now, full)
        self._changed()

    def _in_background(self, coroutine: Coroutine[object, None, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- from the sites

    def _make(self, hosts: tuple[MxHost, ...], provider: Provider, line: Line) -> Site:
        is_relay = line.relay is not None
        return Site(
            hosts,
            provider,
            line,
            self._in_hand.tally,
            take=self._take,
            deferred=self._relay_away if is_relay else self._site_away,
            overflow=self._overflow,
            changed=self._relay_failed if is_relay else self._host_failed,
        )

    def _take(self, site: Site) -> Parcel | None:
        return self._parcels.take(site)

    def _host_failed(self, _site: Site, host: str, outcome: Outcome) -> None:
        self._log.warning("mx_host_unavailable", host=host, stage=outcome.stage, reply=outcome.text)
        self._changed()

    def _overflow(self, site: Site) -> None:
        # What was composed ahead is taken back as well, and its owner may just be at work with it.
        self._loop.call_soon(self._spill, site)

    def _spill(self, site: Site) -> None:
        if not site.overflows or self._closing:
            return
        for message in (*site.lanes.drain(), *self._withdraw(site.lanes)):
            self._again(message)
        self._changed()

    def _relay_failed(self, site: Site, _host: str, outcome: Outcome) -> None:
        # When the site has made up its mind: what was composed ahead for it can go another way.
        self._loop.call_soon(self._reroute, site, outcome)

    def _reroute(self, site: Site, outcome: Outcome) -> None:
        if site.unreachable is None or self._closing:
            return
        wait = round(site.health.wait(self._loop.time()), 1)
        self._log.warning("relay_unavailable", relay=site.name, stage=outcome.stage, reply=outcome.text, retry_in=wait)
        for message in self._withdraw(site.lanes):
            self._route(message)
        self._changed()

    def _look_whether_quiet(self) -> None:
        if self._closing and not self._parcels.copies and not any(site.under_way for site in self._sites):
            self._quiet.set()
