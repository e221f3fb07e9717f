"""What delivery by routes is told, and how its parts are put together."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from postroom.bounces.verdict import Rules
from postroom.delivery.job import Job
from postroom.delivery.lanes import Lanes
from postroom.delivery.outcome import Outcome
from postroom.delivery.routing.blame import Blame
from postroom.delivery.routing.host_addresses import HostAddresses
from postroom.delivery.routing.mx import NoRoute, RouteAnswer, find_route
from postroom.delivery.routing.ramps import StoredCounts
from postroom.delivery.routing.resolver import QUESTION_SECONDS, Resolver
from postroom.delivery.routing.routes import Routes
from postroom.delivery.routing.secured_route import Securing
from postroom.delivery.routing.shaping import Shaping, read_shaping
from postroom.delivery.routing.site import Line
from postroom.delivery.routing.sites import Sites
from postroom.delivery.routing.sources import SourceTurns, check_source, has_address
from postroom.delivery.routing.sts import StoredPolicies, StsPolicies
from postroom.delivery.routing.sts_fetch import PolicyFetcher
from postroom.delivery.routing.table import RouteTable, single_route
from postroom.delivery.routing.tls_counts import TlsCounts
from postroom.delivery.routing.tls_rule import RuleKind, TlsRule, Trusts
from postroom.delivery.slices import Message
from postroom.delivery.smtp.reach import Reach
from postroom.delivery.smtp.timeouts import Timeouts
from postroom.events.put_offs import PutOff
from postroom.store.pool import Pool


@dataclass(frozen=True, slots=True)
class MxOptions:
    """The routes, and how MX hosts are found and reached. Without ``dns_servers`` those of this machine are asked."""

    dns_servers: tuple[tuple[str, int], ...] = ()
    dns_seconds: float = QUESTION_SECONDS
    """For one question, all servers and repeats included."""
    port: int = 25
    allow_private: bool = False
    """Whether MX hosts may have loopback and private addresses."""
    tls: RuleKind = RuleKind.OPPORTUNISTIC
    """For hosts whose domain says nothing about it."""
    verifying: ssl.SSLContext | None = None
    """The authorities that vouch for hosts and for policies, in place of the system's."""
    sts: bool = True
    """Whether MTA-STS policies are asked for."""
    sts_port: int = 443
    dane: bool | None = None
    """Whether the DNS servers are believed when they say that an answer is validated; None: when on this machine."""
    shaping: Shaping = field(default_factory=read_shaping)
    timeouts: Timeouts = field(default_factory=Timeouts)
    table: RouteTable = field(default_factory=single_route)

    def __str__(self) -> str:
        """For the log."""
        return "the route table"


def open_sites(
    options: MxOptions,
    *,
    pool: Pool,
    helo: str,
    rules: Rules,
    lane_messages: int,
    rand: Callable[[], float],
    take: Callable[[Lanes], Job | None],
    settled: Callable[[Message, Outcome], None],
    postponed: Callable[[Message, float, PutOff], None],
    withdraw: Callable[[Lanes], list[Message]],
    changed: Callable[[], None],
) -> Sites:
    """The sites of one worker; see ``Sites``.

    Raises ValueError when there is no DNS server to ask, or this machine has no address of a source pool.
    """
    resolver = (
        Resolver(options.dns_servers, seconds=options.dns_seconds, validates=options.dane)
        if options.table.uses_mx
        else None
    )
    verifying = options.verifying or ssl.create_default_context()
    trusts = Trusts(verifying)
    counts = TlsCounts(pool, today=lambda: datetime.now(UTC).date())
    clock = asyncio.get_running_loop().time
    reach = Reach(clock)
    blames = Blame(rules)

    def line(source: str | None) -> Line:
        made = Line(
            port=options.port,
            helo=helo,
            trust=trusts.trust,
            session=counts.session,
            blames=blames,
            timeouts=options.timeouts,
            rand=rand,
            reach=reach,
        )
        if source is None:
            return made
        source_pool = options.table.sources[source]
        check_source(source_pool, has_address)
        return replace(made, sources=SourceTurns(source_pool, helo=helo, has=has_address, clock=clock))

    return Sites(
        options.table,
        Routes(
            _no_route if resolver is None else _securing(options, pool, resolver, verifying, rand, counts).route,
            clock=clock,
        ),
        options.shaping,
        line,
        StoredCounts(pool),
        lane_messages=lane_messages,
        take=take,
        settled=settled,
        postponed=postponed,
        withdraw=withdraw,
        changed=changed,
        closed=counts.close,
    )


def _securing(
    options: MxOptions,
    pool: Pool,
    resolver: Resolver,
    verifying: ssl.SSLContext,
    rand: Callable[[], float],
    counts: TlsCounts,
) -> Securing:
    fetcher = PolicyFetcher(resolver, verifying=verifying, port=options.sts_port, allow_private=options.allow_private)
    policies = StsPolicies(StoredPolicies(pool), text=resolver.text, fetch=fetcher.fetch, failed=counts.policy_failed)
    counts.policy = policies.lines
    shared = HostAddresses(resolver, clock=asyncio.get_running_loop().time)
    return Securing(
        find=lambda domain: find_route(domain, shared, rand=rand, allow_private=options.allow_private),
        policy=policies.policy if options.sts else None,
        tlsa=resolver.tlsa,
        rule=TlsRule(options.tls),
        port=options.port,
        failed=counts.policy_failed,
    )


async def _no_route(domain: str) -> RouteAnswer:
    return NoRoute(False, "4.3.5", f"no route of the table leads {domain} to MX hosts")
