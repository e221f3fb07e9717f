"""What delivery straight to MX hosts is told, and how its parts are put together."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from postroom.delivery.job import Job
from postroom.delivery.lanes import Lanes
from postroom.delivery.outcome import Outcome
from postroom.delivery.routing.mx import find_route
from postroom.delivery.routing.resolver import Resolver
from postroom.delivery.routing.routes import Routes
from postroom.delivery.routing.shaping import Shaping, read_shaping
from postroom.delivery.routing.site import Line
from postroom.delivery.routing.sites import Sites
from postroom.delivery.slices import Message
from postroom.delivery.smtp.timeouts import Timeouts


@dataclass(frozen=True, slots=True)
class MxOptions:
    """How MX hosts are found and reached. Without ``dns_servers`` those of this machine are asked."""

    dns_servers: tuple[tuple[str, int], ...] = ()
    port: int = 25
    allow_private: bool = False
    """Whether MX hosts may have loopback and private addresses."""
    shaping: Shaping = field(default_factory=read_shaping)
    timeouts: Timeouts = field(default_factory=Timeouts)

    def __str__(self) -> str:
        """For the log."""
        return "MX hosts"


def open_sites(
    options: MxOptions,
    *,
    helo: str,
    lane_messages: int,
    rand: Callable[[], float],
    take: Callable[[Lanes], Job | None],
    settled: Callable[[Message, Outcome], None],
    postponed: Callable[[Message, float], None],
    changed: Callable[[], None],
) -> Sites:
    """The sites of one worker; see ``Sites``. Raises ValueError when there is no DNS server to ask."""
    resolver = Resolver(options.dns_servers)
    # Receivers' certificates are seldom for their MX name: TLS is used where it is offered, whoever is there.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return Sites(
        Routes(
            lambda domain: find_route(domain, resolver, rand=rand, allow_private=options.allow_private),
            clock=asyncio.get_running_loop().time,
        ),
        options.shaping,
        Line(port=options.port, helo=helo, context=context, timeouts=options.timeouts, rand=rand),
        lane_messages=lane_messages,
        take=take,
        settled=settled,
        postponed=postponed,
        changed=changed,
    )
