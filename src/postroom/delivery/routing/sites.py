"""All sites of one worker: messages come in by lane, and go out by site.

    message -> route of its domain -> site -> connection

``Sites`` stands where a relay has its lanes and its pool. Every message offered leaves in exactly one of these
ways: composed and tried (``settled`` with the outcome), not routable (``settled`` with ``Refused`` or
``Deferred``), or given back to the queue (``postponed``) because its site, its provider or the DNS is slower than
what there is for it. The first recipient of a mail decides its outcome. Copies (cc, bcc) at other sites are
transactions of their own, begun once the first recipient has the mail and tried once; those not taken are part of
the outcome's ``refused_recipients``, as they are when one host takes all.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import structlog

from postroom.content.address import parse_address
from postroom.delivery.job import Job
from postroom.delivery.lanes import Lanes
from postroom.delivery.outcome import Deferred, Outcome, Refused, Sent
from postroom.delivery.routing.in_hand import InHand
from postroom.delivery.routing.mx import MxHost, NoRoute, Route
from postroom.delivery.routing.parcel import Parcel
from postroom.delivery.routing.ramps import Counts, Ramp, Ramps
from postroom.delivery.routing.routes import Routes
from postroom.delivery.routing.shaping import Allowance, Shaping
from postroom.delivery.routing.site import Line, Provider, Site
from postroom.delivery.routing.table import RouteTable, SourcePool
from postroom.delivery.routing.tls_rule import TlsRule
from postroom.delivery.routing.way import Way
from postroom.delivery.slices import LaneKey, Message
from postroom.delivery.smtp.remainder import not_taken
from postroom.events.put_offs import PutOff
from postroom.metrics.sites import BusySite
from postroom.store.errors import DATABASE_AWAY

TICK_SECONDS = 0.5
MOST_SITES = 1000
MOST_TOLD = 100
MOST_COPIES = 100
"""Waiting at one site; messages with more copies for it wait."""
DNS_PATIENCE_SECONDS = 2.0
"""What waits for a look-up that takes longer may be given back, for as long as it has taken so far."""
COME_AGAIN_SECONDS = 15.0
"""For what waits for room among the sites or for copies to leave."""


class SiteKey(NamedTuple):
    """Sites are kept by route, source pool and hosts."""

    route: str
    source: str | None
    hosts: frozenset[tuple[str, TlsRule]]


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: come again after so many seconds."""

    seconds: float
    why: PutOff


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
        self._table = table
        self._routes = routes
        self._shaping = shaping
        self._compose = take
        self._settled = settled
        self._postponed = postponed
        self._withdraw = withdraw
        self._changed = changed
        self._in_hand = InHand(lane_messages)
        self._sites: OrderedDict[SiteKey, Site] = OrderedDict()
        self._providers: dict[str, Provider] = {}
        self._asking: dict[str | Ramp, tuple[float, list[Message]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        self._copies = 0
        self._closing = False
        self._quiet = asyncio.Event()
        self._log = structlog.get_logger("delivery")
        self._lines = {name: line(name) for name in (None, *table.sources)}
        self._ramps = Ramps(counts, now=lambda: datetime.now(UTC))
        self._ways = {
            name: Way(route, self._lines[route.source], self._open_relay) for name, route in table.routes.items()
        }

    def __len__(self) -> int:
        """The number of sites."""
        return len(self._sites)

    def busy(self) -> list[BusySite]:
        """The sites with most in hand, and under an empty name what waits for the DNS; at most one of each name."""
        now, found = self._loop.time(), dict[str, BusySite]()
        for site in self._sites.values():
            one = site.busy(now)
            if one is not None:
                found[one.site] = one.with_others(found.get(one.site))
        unrouted = self._in_hand.unrouted.total()
        if unrouted:
            found[""] = BusySite("", unrouted, 0, None, None)
        return sorted(found.values(), key=lambda each: each.waiting + each.under_way, reverse=True)[:MOST_TOLD]

    def with_room(self) -> list[tuple[Site, int]]:
        """The sites that gave messages back and have room now, for how many."""
        now = self._loop.time()
        return [(site, room) for site in self._sites.values() if (room := site.room(now)) > 0]

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
        drained = [message for site in self._sites.values() for message in site.lanes.drain()]
        for _, messages in self._asking.values():
            drained.extend(messages)
        self._asking.clear()
        self._in_hand.tally.clear()
        self._in_hand.unrouted.clear()
        for message in drained:
            message.not_sent()
        return drained

    # -- in the place of the pool

    def wake(self) -> None:
        """There may be something to begin anywhere."""
        for site in self._sites.values():
            site.wake()

    def wake_signed(self) -> None:
        """Mails were signed: the sites that have one to take are told, and no others."""
        for site in self._sites.values():
            if site.lanes.ahead is not None and site.lanes.ahead.ready:
                site.wake()

    async def close(self, grace: float) -> None:
        """Begin nothing new, finish what is on the wire and its copies within ``grace`` seconds, then close."""
        self._closing = True
        self._timer.cancel()
        for site in self._sites.values():
            site.only_copies = True
        self._look_whether_quiet()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._quiet.wait()
        await asyncio.gather(*(site.close(0.5) for site in self._sites.values()))
        for site in self._sites.values():
            for copy in list(site.copies):
                copy.give_up(Deferred(text="postroom is stopping", host=site.name, stage="connect"))
            site.copies.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._routes.close()
        # What only waited was not sent, and need not count; nor what was composed ahead of its connection.
        for site in self._sites.values():
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
        found = self._destination(message, address.domain, first=True)
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
            self._ask(found, message)

    def _later(self, message: Message, later: Later) -> None:
        message.not_sent()
        self._postponed(message, later.seconds, later.why)

    def _booked(self, site: Site, message: Message) -> Later:
        now = self._loop.time()
        site.given_back[message.slice.account_id] = now
        seconds = site.pace.book(now, len(site.lanes))
        return Later(seconds, PutOff("siteBusy", site.name))

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

    def _destination(self, message: Message, domain: str, *, first: bool) -> "Site | NoRoute | Later | Ramp | str":
        """Where a message goes, or a copy of it for this domain; a ramp or a domain when they must be asked first."""
        way = self._way(message, domain)
        if way is None:
            name = message.slice.sending.route
            return NoRoute(
                False, "4.3.5", f"its definition wants the route {name!r}, which POSTROOM_ROUTES does not have"
            )
        if way.relays:
            now = self._loop.time()
            return way.next(now) or Later(way.book(now), PutOff("relayAway", way.name))
        answer = self._routes.known(domain)
        if answer is None or isinstance(answer, NoRoute):
            return answer or domain
        source = way.source
        if source is not None:
            admitted = self._admit(message, way, self._table.sources[source], answer, first=first)
            if not isinstance(admitted, str):
                return admitted
            source = admitted
        return self._site(way, source, answer) or Later(COME_AGAIN_SECONDS, PutOff("tooManySites"))

    def _admit(self, message: Message, way: Way, pool: SourcePool, route: Route, *, first: bool) -> str | Later | Ramp:
        """The source pool that a message goes by: the first that the site takes mail from, and that is warm enough for
        one more there."""
        if first and isinstance(message.admitted, Ramp):
            return message.admitted.source.name
        label = self._label(route.hosts)
        while True:
            if pool.overflow is not None:
                site = self._sites.get(SiteKey(way.name, pool.name, way.ruled(route).site))
                if site is not None and not site.admits():
                    pool = self._table.sources[pool.overflow]
                    continue
            if pool.warm_up is None:
                return pool.name
            ramp = self._ramps.ramp(pool, pool.warm_up, label)
            verdict = ramp.take()
            if verdict == "ask":
                return ramp
            if verdict == "yes":
                if first:
                    message.admitted = ramp
                return pool.name
            if pool.overflow is None:
                return Later(ramp.seconds_to_next_day, PutOff("warmUp", f"{pool.name} at {label}"))
            pool = self._table.sources[pool.overflow]

    def _label(self, hosts: Sequence[MxHost]) -> str:
        """What a site is called where its messages are counted: its provider, or one of its hosts."""
        return self._shaping.limits(hosts[0].name).provider or min(host.name for host in hosts)

    def _way(self, message: Message, domain: str) -> Way | None:
        slice_ = message.slice
        name = slice_.sending.route
        if name is None or not self._table.by_name:
            name = self._table.route(domain, slice_.definition_key, slice_.account_id).name
        return self._ways.get(name)

    def _ask(self, whom: "str | Ramp", message: Message) -> None:
        """Keep a message until a domain's route is known (its own or that of a copy), or a warm-up has counted more."""
        self._in_hand.tally[message.slice.key] += 1
        self._in_hand.unrouted[message.slice.key] += 1
        entry = self._asking.get(whom)
        if entry is not None:
            entry[1].append(message)
            return
        self._asking[whom] = (self._loop.time(), [message])
        self._in_background(self._look_up(whom))

    async def _look_up(self, whom: "str | Ramp") -> None:
        try:
            await (whom.reserve() if isinstance(whom, Ramp) else self._routes.route(whom))
        except DATABASE_AWAY as error:
            self._log.warning("warm_up_waits_for_database", error=repr(error))
            for message in self._asked(whom):
                self._later(message, Later(COME_AGAIN_SECONDS, PutOff("database")))
            return
        except Exception:
            # One domain that nobody foresaw must not end delivery to the others.
            self._log.exception("route_not_found", domain=str(whom))
            for message in self._asked(whom):
                self._away(message, Deferred(text="the route could not be looked up", stage="connect"))
            return
        for message in self._asked(whom):
            self._route(message)
        self._changed()

    def _asked(self, whom: "str | Ramp") -> list[Message]:
        _, messages = self._asking.pop(whom, (0.0, []))
        return self._counted_out(messages)

    def _counted_out(self, messages: list[Message]) -> list[Message]:
        keys = [message.slice.key for message in messages]
        for counter in (self._in_hand.tally, self._in_hand.unrouted):
            counter.subtract(keys)
            for key in set(keys):
                if not counter[key]:
                    del counter[key]
        return messages

    def _site(self, way: Way, source: str | None, route: Route) -> Site | None:
        route = way.ruled(route)
        key = SiteKey(way.name, source, route.site)
        site = self._sites.get(key)
        if site is not None:
            site.found_again(route.hosts)
            return site
        if len(self._sites) >= MOST_SITES and not self._forget_one():
            return None
        site = self._sites[key] = Site(
            route.hosts,
            self._provider(route.hosts),
            self._lines[source],
            self._in_hand.tally,
            take=self._take,
            deferred=self._site_away,
            overflow=self._overflow,
            changed=self._host_failed,
        )
        return site

    def _open_relay(self, way: Way, host: MxHost, line: Line, provider: Provider) -> Site:
        site = self._sites[SiteKey(way.name, way.source, frozenset({(host.name, host.rule)}))] = Site(
            (host,),
            provider,
            line,
            self._in_hand.tally,
            take=self._take,
            deferred=lambda _site, message, _: self._route(message),
            overflow=self._overflow,
            changed=self._relay_failed,
        )
        return site

    def _provider(self, hosts: Sequence[MxHost]) -> Provider:
        limits = self._shaping.limits(hosts[0].name)
        if not limits.provider:
            return Provider(Allowance(limits, self._loop.time()))
        provider = self._providers.get(limits.provider)
        if provider is None:
            provider = self._providers[limits.provider] = Provider(Allowance(limits, self._loop.time()))
        return provider

    def _forget_one(self) -> bool:
        for key, site in self._sites.items():
            if site.forgettable(self._loop.time(), _FORGET_EARLY_SECONDS):
                del self._sites[key]
                self._close_later(site)
                return True
        return False

    # -- a site asks for its next

    def _take(self, site: Site) -> Parcel | None:
        while (job := self._compose(site.lanes)) is not None:
            if len(job.recipients) == 1:
                return self._parcel(site, job, job.recipients, {}, ())
            parcel = self._with_copies(site, job)
            if parcel is not None:
                return parcel
        return None

    def _with_copies(self, site: Site, job: Job) -> Parcel | None:
        """A parcel for the recipients of this site, with the copies for others; None when it has to wait."""
        here, elsewhere, missed = [job.recipients[0]], dict[Site, list[str]](), list[tuple[str, str]]()
        own = _domain(here[0])
        for recipient in job.recipients[1:]:
            domain = _domain(recipient)
            if domain == own:
                here.append(recipient)
                continue
            way = self._way(job.message, domain)
            relayed = way is not None and site in way.relays
            other = site if relayed else self._destination(job.message, domain, first=False)
            if isinstance(other, str | Ramp):
                self._ask(other, job.message)
                return None
            if isinstance(other, NoRoute):
                missed.append((recipient, other.text))
            elif other is site:
                here.append(recipient)
            elif isinstance(other, Later) or len(other.copies) >= MOST_COPIES:
                why = other.why if isinstance(other, Later) else PutOff("copies", other.name)
                self._later(job.message, Later(COME_AGAIN_SECONDS, why))
                return None
            else:
                elsewhere.setdefault(other, []).append(recipient)
        return self._parcel(site, job, here, elsewhere, missed)

    def _parcel(
        self,
        site: Site,
        job: Job,
        here: Sequence[str],
        elsewhere: dict[Site, list[str]],
        missed: Sequence[tuple[str, str]],
    ) -> Parcel:
        message = job.message

        def finish(outcome: Outcome) -> None:
            if isinstance(outcome, Sent) and (elsewhere or missed):
                self._send_copies(job, outcome, elsewhere, missed)
            else:
                self._settled(message, outcome)
            self._look_whether_quiet()

        def back(_parcel: Parcel) -> None:
            if site.overflows:
                self._again(message)
                return
            site.lanes.put_back(message.slice.key, message)
            site.wake()

        return Parcel(job, here, site, finish=finish, back=back)

    def _send_copies(
        self, job: Job, sent: Sent, elsewhere: dict[Site, list[str]], missed: Sequence[tuple[str, str]]
    ) -> None:
        refused = [*sent.refused_recipients, *missed]
        left = len(elsewhere)

        def one_done(recipients: list[str], outcome: Outcome) -> None:
            nonlocal left
            refused.extend(not_taken(recipients, outcome))
            left -= 1
            self._copies -= 1
            if left == 0:
                self._settled(job.message, msgspec.structs.replace(sent, refused_recipients=tuple(refused)))
            self._look_whether_quiet()

        if not elsewhere:
            self._settled(job.message, msgspec.structs.replace(sent, refused_recipients=tuple(refused)))
        self._copies += left
        for site, recipients in elsewhere.items():
            self._send_copy(site, job, recipients, one_done)

    def _send_copy(
        self, site: Site, job: Job, recipients: list[str], done: Callable[[list[str], Outcome], None]
    ) -> None:
        def back(parcel: Parcel) -> None:
            site.copies.appendleft(parcel)
            site.wake()

        away = site.unreachable
        if away is not None:
            done(recipients, away)
            return
        parcel = Parcel(
            job,
            recipients,
            site,
            finish=lambda outcome: done(recipients, outcome),
            back=back,
            first_decides=False,
        )
        site.copies.append(parcel)
        site.wake()

    # -- from time to time

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        now = self._loop.time()
        for key, site in list(self._sites.items()):
            site.tick(TICK_SECONDS)
            if site.forgettable(now):
                del self._sites[key]
                self._close_later(site)
        for ramp in self._ramps.idle():
            self._in_background(ramp.close())
        if self._in_hand.look(self._sites.values()):
            self._changed()
        full = self._in_hand.full()
        if full:
            self._relieve(now, full)

    def _relieve(self, now: float, full: set[LaneKey]) -> None:
        """Where a lane is so full that nothing more of it is claimed, give back what waits for the slow."""
        for site in self._sites.values():
            limit = site.pace.limit
            if limit is None:
                continue
            for key in site.lanes.keys():  # noqa: SIM118 - a list of its own: lanes go away meanwhile
                if key in full:
                    # From the front of what is given back on, so that the earliest is booked first.
                    for message in reversed(site.lanes.shed(key, site.lanes.waiting(key) - limit)):
                        self._later(message, self._booked(site, message))
        for whom, (since, messages) in list(self._asking.items()):
            age = now - since
            if age > DNS_PATIENCE_SECONDS and any(message.slice.key in full for message in messages):
                # The look-up goes on. Who comes again before its end waits for twice as long.
                why = PutOff("database") if isinstance(whom, Ramp) else PutOff("dns", whom)
                given_back = messages.copy()
                messages.clear()
                for message in self._counted_out(given_back):
                    self._later(message, Later(age, why))
        self._changed()

    def _close_later(self, site: Site) -> None:
        self._in_background(site.close(0.5))

    def _in_background(self, coroutine: Coroutine[object, None, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
        if self._closing and not self._copies and not any(site.under_way for site in self._sites.values()):
            self._quiet.set()


# When there are too many sites, those go first that had nothing to do for this time.
_FORGET_EARLY_SECONDS = 5.0


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
