"""One site: the MX hosts that some domains have in common, with what waits for them and the connections to one.

    open   the first host is used; when it can't be reached, the next; a fallback is left again after a while
    away   no host could be reached: what waits is handed to ``deferred``, and so is what comes, without a try
           until the back-off is over; the first message after that is the probe (see ``Health``)

A relay of the route table is a site with one host.

A site never raises for what its hosts do, and holds nobody's messages but its own.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from postroom.delivery.outcome import Deferred, Outcome, Sent
from postroom.delivery.routing.health import Health
from postroom.delivery.routing.mx import MxHost
from postroom.delivery.routing.pace import Pace
from postroom.delivery.routing.parcel import Parcel
from postroom.delivery.routing.shaping import Allowance, is_complaint
from postroom.delivery.routing.site_lanes import SiteLanes
from postroom.delivery.routing.sources import SiteSources, SourceTurns
from postroom.delivery.routing.tls_rule import TlsRule
from postroom.delivery.slices import LaneKey, Message
from postroom.delivery.smtp.pool import Job, SmtpPool
from postroom.delivery.smtp.reach import Reach
from postroom.delivery.smtp.target import SmtpTarget
from postroom.delivery.smtp.timeouts import Timeouts
from postroom.delivery.smtp.trust import TlsSession, Trust
from postroom.metrics.sites import BusySite

FIRST_AWAY_SECONDS = 15.0
LONGEST_AWAY_SECONDS = 600.0
FIRST_RELAY_AWAY_SECONDS = 2.0
LONGEST_RELAY_AWAY_SECONDS = 60.0
FALLBACK_SECONDS = 600.0
FORGET_SECONDS = 60.0
_RETIRE_SECONDS = 60.0
_BEHIND_RCPT = frozenset({"data", "body", "final"})


@dataclass(frozen=True, slots=True)
class Line:
    """How connections are made, the same for all sites of a route. With ``relay`` they are made to that one."""

    port: int
    helo: str
    trust: Callable[[TlsRule, str], Trust]
    session: Callable[[str, TlsRule, TlsSession], None]
    """Told of each session: the domain of the first recipient, the rule for the host, what became of TLS."""
    blames: Callable[[Outcome, str, Sequence[str]], bool]
    """Whether a refusal of a mail, with its sender and recipients, is about the address of ours that it came from."""
    timeouts: Timeouts
    rand: Callable[[], float]
    reach: Reach
    relay: SmtpTarget | None = None
    sources: SourceTurns | None = None


class Provider:
    """What sites of one provider share: the allowance, and who waits for a part of it."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self.waiting: dict[Site, None] = {}

    def end(self, outcome: Outcome, now: float) -> None:
        """A message is over; the next site in turn may begin one."""
        self.allowance.end(outcome, now)
        if self.waiting:
            site = next(iter(self.waiting))
            del self.waiting[site]
            site.wake()


class Site:
    """``take`` composes the next of the site's messages; ``deferred`` settles one as not reached, ``overflow`` has all
    that waits here, and is not a copy, go from the addresses of another pool."""

    def __init__(
        self,
        hosts: tuple[MxHost, ...],
        provider: Provider,
        line: Line,
        tally: Counter[LaneKey],
        *,
        take: Callable[["Site"], Parcel | None],
        deferred: Callable[["Site", Message, Deferred], None],
        overflow: Callable[["Site"], None],
        changed: Callable[["Site", str, Outcome], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._hosts = hosts
        self._addresses = {host.name: host.addresses for host in hosts}
        self._provider = provider
        self._line = line
        self._sources = (
            None
            if line.sources is None
            else SiteSources(line.sources, hosts[0].name, clock=self._loop.time, rand=line.rand)
        )
        self._take = take
        self._deferred = deferred
        self._overflow = overflow
        self._changed = changed
        self.lanes = SiteLanes(tally)
        self.copies: deque[Parcel] = deque()
        self.pace = Pace()
        self.given_back: dict[int, float] = {}
        """The business units of which messages were given back because there was no room, and when last."""
        self.under_way = 0
        self.only_copies = False
        """Set when the worker stops: nothing new begins, but what was promised is finished."""
        self._pool: SmtpPool | None = None
        self._closed = False
        self._host = 0
        self._fallback_since = 0.0
        self.health = (
            Health(first=FIRST_AWAY_SECONDS, longest=LONGEST_AWAY_SECONDS, rand=line.rand)
            if line.relay is None
            else Health(first=FIRST_RELAY_AWAY_SECONDS, longest=LONGEST_RELAY_AWAY_SECONDS, rand=line.rand)
        )
        self._away: Deferred | None = None
        self._used_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        """The host in use."""
        return self._hosts[self._host].name

    @property
    def unreachable(self) -> Deferred | None:
        """Why nothing is tried at present; None when it is worth a try."""
        if self._away is not None and self.health.state(self._loop.time()) != "away":
            self._away = None
        return self._away

    @property
    def overflows(self) -> bool:
        """Whether it takes nothing from the addresses of its source pool, and another pool carries its mail."""
        return self._sources is not None and not self.is_relay and self._sources.overflows

    def admits(self) -> bool:
        """Whether a mail may go from the addresses of its source pool."""
        return self._sources is None or self._sources.admits()

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return not self.lanes and not self.lanes.ahead and not self.copies and not self.under_way

    def forgettable(self, now: float, seconds: float = FORGET_SECONDS) -> bool:
        """Idle for so long, without connections, and not known to be away. A relay never is."""
        if self.is_relay:
            return False
        connected = self._pool is not None and self._pool.connections > 0
        return self.idle and not connected and self.unreachable is None and now - self._used_at > seconds

    @property
    def is_relay(self) -> bool:
        """Whether it is a relay of the route table."""
        return self._line.relay is not None

    def found_again(self, hosts: tuple[MxHost, ...]) -> None:
        """The DNS was asked anew: the same hosts, perhaps with other addresses."""
        self._addresses = {host.name: host.addresses for host in hosts}

    def fits(self, key: LaneKey) -> bool:
        """Whether one more message of a lane may wait here."""
        limit = self.pace.limit
        return limit is None or (self.lanes.waiting(key) < limit and len(self.lanes) < 4 * limit)

    def beyond(self) -> Iterable[tuple[LaneKey, int]]:
        """See ``Holder``."""
        soon = self.pace.soon
        if soon is None or len(self.lanes) <= soon:
            return ()
        return [(key, more) for key in self.lanes.keys() if (more := self.lanes.waiting(key) - soon) > 0]  # noqa: SIM118 - no dict

    def busy(self, now: float) -> BusySite | None:
        """What the site has in hand and is known to do; None when there is nothing to tell."""
        booked, rate = self.pace.booked(now), self.pace.per_second
        if not (self.lanes or self.under_way or booked):
            return None
        per_minute = None if rate is None else round(rate * 60)
        return BusySite(self.name, len(self.lanes), self.under_way, per_minute, booked or None)

    def room(self, now: float) -> int:
        """For how many more of the messages given back there is room now; 0 when none was."""
        limit = self.pace.limit
        if limit is None or not self.given_back or not self.pace.booked(now) or self.unreachable is not None:
            return 0
        waiting = len(self.lanes)
        return limit - waiting if waiting <= limit // 4 else 0

    def arrive(self, message: Message) -> None:
        """One message for this site; it waits here, or is deferred when no host can be reached."""
        away = self.unreachable
        if away is not None:
            self._deferred(self, message, away)
            return
        self.lanes.offer(message.slice.key, (message,))
        self.wake()

    def wake(self) -> None:
        """There may be something to begin."""
        # Signed mails of this site may be ready that are in no lane any more: a pool is always asked to look.
        waiting = bool(self.lanes or self.copies)
        if self._closed or self.unreachable is not None or not (waiting or self._pool):
            return
        if waiting:
            self._used_at = self._loop.time()
        if self._pool is None:
            self._pool = self._open(self._hosts[self._host])
        self._pool.wake()

    def tick(self, seconds: float) -> None:
        """Time passes."""
        self.pace.tick(seconds, bool(self.lanes))
        if self._away is not None and self.unreachable is None and self._pool is None:
            # For what had left its lane to be signed when the site went away.
            self._pool = self._open(self._hosts[self._host])
            self._pool.wake()
        trying = self._pool is not None and self._pool.trying
        # Whoever answers slowly is heard out: between two such hosts nothing would ever be decided.
        if self._host and not trying and self._loop.time() - self._fallback_since > FALLBACK_SECONDS:
            self._host = 0
            self._retire(_RETIRE_SECONDS)
            self.wake()

    def ended(self, parcel: Parcel, outcome: Outcome) -> None:
        """See ``Carrier``."""
        self.under_way -= 1
        self._used_at = self._loop.time()
        if outcome.source and self._sources is not None:
            if self._line.blames(outcome, parcel.sender, parcel.recipients):
                elsewhere = self._from_another(self._sources, outcome)
                if not elsewhere and self.overflows:
                    self._overflow(self)
                    elsewhere = parcel.first_decides
                if elsewhere:
                    # To the provider as little as a connection that it refuses.
                    self._provider.end(Deferred(stage="connect"), self._used_at)
                    parcel.again()
                    return
                outcome = _as_deferred(outcome)
            elif isinstance(outcome, Sent) or outcome.stage in _BEHIND_RCPT:
                self._sources.took_mail(outcome.source)
        self._provider.end(outcome, self._used_at)
        if isinstance(outcome, Deferred) and outcome.stage == "connect":
            pass
        elif self.is_relay and is_trouble(outcome):
            if self.health.trouble(self._used_at):
                self._changed(self, self.name, outcome)
                self._retire(_RETIRE_SECONDS)
                self._gone(outcome)
        else:
            self.pace.done()
            self.health.reached()
        parcel.decide(outcome)

    async def close(self, grace: float) -> None:
        """Finish what is on the wire, then close; what comes back stays here."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._provider.waiting.pop(self, None)
        self._retire(grace)
        if self._retiring:
            await asyncio.wait(self._retiring, timeout=grace + 1)

    # -- inside

    def _open(self, host: MxHost) -> SmtpPool:
        limits, line = self._provider.allowance.limits, self._line
        pool = SmtpPool(
            line.relay or SmtpTarget(host.name, line.port),
            size=limits.connections,
            take=lambda: self._next(pool),
            helo=line.helo,
            on_unavailable=lambda outcome, _: self._host_failed(pool, outcome),
            max_messages_per_connection=limits.messages,
            timeouts=line.timeouts,
            trust=line.trust(host.rule, host.name) if line.relay is None else None,
            on_session=None if line.relay else lambda job, session: self._count_session(job, host, session),
            rand=line.rand,
            addresses=None if line.relay else lambda: self._addresses.get(host.name, host.addresses),
            reach=line.reach,
            sources=self._sources,
        )
        return pool

    def _from_another(self, sources: SiteSources, outcome: Outcome) -> bool:
        """Whether there is another address of ours to send from, in place of the one that was refused."""
        pool = self._pool
        if pool is None or not sources.refused_mail(outcome.source, outcome.text, pool.found):
            return False
        pool.leave(outcome.source)
        return True

    def _count_session(self, job: Job, host: MxHost, session: TlsSession) -> None:
        self._line.session(job.recipients[0].rpartition("@")[2].lower(), host.rule, session)

    def _next(self, pool: SmtpPool) -> Parcel | None:
        if pool is not self._pool or (self.only_copies and not self.copies):
            return None
        now = self._loop.time()
        wait = self._provider.allowance.wait(now)
        if wait == float("inf"):
            self._provider.waiting.setdefault(self)
            return None
        if wait > 0:
            self._wake_in(wait)
            return None
        parcel = self.copies.popleft() if self.copies else self._take(self)
        if parcel is not None:
            self._provider.allowance.begin(now)
            self.under_way += 1
        return parcel

    def _wake_in(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(seconds, self._timed)

    def _timed(self) -> None:
        self._timer = None
        self.wake()

    def _host_failed(self, pool: SmtpPool, outcome: Deferred) -> None:
        if pool is not self._pool:
            return
        now = self._loop.time()
        if is_complaint(outcome):
            self._provider.allowance.complain(now)
        self._changed(self, self.name, outcome)
        self._retire(0.0)
        if self._host + 1 < len(self._hosts):
            self._host += 1
            self._fallback_since = now
            self.wake()
            return
        self._host = 0
        self.health.failed(now)
        if self._sources is not None:
            self._sources.unreached(pool.found)
        self._gone(outcome)

    def _gone(self, outcome: Outcome) -> None:
        """The site is away: hand out what waits here."""
        self._away = away = _unreached(outcome)
        for message in self.lanes.drain():
            self._deferred(self, message, away)
        if self.overflows:
            self._overflow(self)
        copies, self.copies = self.copies, deque()
        for copy in copies:
            copy.give_up(away)

    def _retire(self, grace: float) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            task = self._loop.create_task(pool.close(grace))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)


def is_trouble(outcome: Outcome) -> bool:
    """Whether it says more of the host than of the mail: it broke off before it had the mail, or closes (421)."""
    return isinstance(outcome, Deferred) and outcome.code in (None, 421)


def _as_deferred(outcome: Outcome) -> Deferred:
    return Deferred(**msgspec.structs.asdict(outcome))


def _unreached(outcome: Outcome) -> Deferred:
    return Deferred(
        code=outcome.code,
        enhanced=outcome.enhanced,
        text=outcome.text,
        host=outcome.host,
        address=outcome.address,
        tls=outcome.tls,
        stage="connect",
    )
