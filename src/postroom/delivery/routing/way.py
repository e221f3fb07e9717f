"""A route at work: its relays as sites, or the lines to MX hosts."""

from collections.abc import Callable
from dataclasses import replace

from postroom.delivery.routing.choice import Choice, Member
from postroom.delivery.routing.mx import MxHost, Route
from postroom.delivery.routing.shaping import Allowance, Limits
from postroom.delivery.routing.site import Line, Provider, Site
from postroom.delivery.routing.table import NamedRoute, Relay
from postroom.delivery.routing.tls_rule import RuleKind, TlsRule
from postroom.delivery.smtp.target import TlsMode

MESSAGES_PER_CONNECTION = 1000
BOOKED_PER_SECOND = 1000.0
"""What waits for relays that are away comes back at this rate: a backlog must not go round and round."""
LONGEST_BOOKING_SECONDS = 300.0
SHORTEST_BOOKING_SECONDS = 0.5
PROBED_SECONDS = 1.0

_OWN = frozenset({RuleKind.OPPORTUNISTIC, RuleKind.REQUIRED, RuleKind.VERIFY})


class Way:
    """``open_site`` makes the site of one relay. A route without relays has none: its sites are found by the DNS."""

    def __init__(
        self, route: NamedRoute, line: Line, open_site: Callable[["Way", MxHost, Line, Provider], Site]
    ) -> None:
        self.name = route.name
        self.source = route.source
        self._tls = route.tls
        self.line = line
        self.relays: list[Site] = []
        self._booked_until = 0.0
        members = []
        for relay in route.relays:
            limits = Limits("", route.connections, MESSAGES_PER_CONNECTION, 0.0)
            site = open_site(self, _host(relay), replace(line, relay=relay.target), Provider(Allowance(limits, 0.0)))
            self.relays.append(site)
            members.append(Member(site, site.health, relay.priority, relay.weight))
        self._choice = Choice(members)

    def ruled(self, route: Route) -> Route:
        """A route of the DNS with what this way wants of its hosts' TLS. What their domain asks for stays."""
        tls = self._tls
        if tls is None:
            return route
        own = _OWN if tls is TlsMode.OPPORTUNISTIC else _OWN | {RuleKind.STS_TESTING}
        rule = TlsRule(RuleKind(tls))
        return replace(route, hosts=tuple(replace(h, rule=rule) if h.rule.kind in own else h for h in route.hosts))

    def next(self, now: float) -> Site | None:
        """The relay that takes the next message; None while none can be reached."""
        return self._choice.next(now)

    def book(self, now: float) -> float:
        """Seconds after which a message that finds no relay should come again."""
        wait = max(SHORTEST_BOOKING_SECONDS, self._choice.wait(now))
        if any(site.health.state(now) == "suspect" for site in self.relays):
            # A probe is on its way: most answer soon.
            wait = min(wait, PROBED_SECONDS)
        self._booked_until = max(self._booked_until, now + wait) + 1 / BOOKED_PER_SECOND
        self._booked_until = min(self._booked_until, now + max(wait, LONGEST_BOOKING_SECONDS))
        return self._booked_until - now


def _host(relay: Relay) -> MxHost:
    host = relay.target.host
    return MxHost(f"[{host}]:{relay.target.port}" if ":" in host else f"{host}:{relay.target.port}", ())
