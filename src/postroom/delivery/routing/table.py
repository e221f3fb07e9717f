"""The route table: which mail takes which way. Read from a TOML file, checked as a whole before anything is sent.

    [[rule]]        in order; the first whose conditions all hold decides; the last has none
    [route.NAME]    relays, or the recipients' MX hosts; TLS, connections, the source pool
    [source.NAME]   addresses of this machine with weights; a warm-up, and who takes what is beyond it

Pure. Every mistake is a TableRejected that names the file, the line, the place and the fix.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from postroom.delivery.routing.warm_up import WarmUp
from postroom.delivery.smtp.target import SmtpTarget, TlsMode


class TableRejected(ValueError):
    """The route table cannot be used; the text names file, line, place, value and fix."""


@dataclass(frozen=True, slots=True)
class Relay:
    """One relay of a route. The lowest ``priority`` is used first; equals share by ``weight``."""

    target: SmtpTarget
    priority: int = 1
    weight: int = 1


@dataclass(frozen=True, slots=True)
class NamedRoute:
    """One way: to relays, or to MX hosts when there are none. ``connections`` are to each relay."""

    name: str
    relays: tuple[Relay, ...] = ()
    connections: int = 16
    tls: TlsMode | None = None
    """What MX hosts have to offer; None leaves it to the server's setting. A relay's target has its own."""
    source: str | None = None
    """The source pool; None leaves the address to the system."""


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """An address of this machine that connections come from, and the name that is said with it."""

    ip: str
    helo: str | None = None
    weight: int = 1


@dataclass(frozen=True, slots=True)
class SourcePool:
    """Addresses that share their work by weight. What is beyond ``warm_up`` goes to ``overflow``, or waits."""

    name: str
    addresses: tuple[SourceAddress, ...]
    warm_up: WarmUp | None = None
    overflow: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Empty conditions hold for everything. ``domains`` are exact, ``suffixes`` begin with a dot."""

    route: str
    domains: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()
    definitions: frozenset[str] = frozenset()
    """Definition keys, folded."""
    units: frozenset[int] = frozenset()

    def holds(self, domain: str, definition_key: str, account_id: int) -> bool:
        """Whether the conditions hold for one mail; the key is folded, the domain in lower case."""
        return (
            (not self.units or account_id in self.units)
            and (not self.definitions or definition_key in self.definitions)
            and (not (self.domains or self.suffixes) or domain in self.domains or domain.endswith(self.suffixes))
        )


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Rules, routes and source pools that fit together."""

    rules: tuple[Rule, ...]
    routes: Mapping[str, NamedRoute]
    sources: Mapping[str, SourcePool]
    by_name: bool = True
    """Whether definitions may name their route; without a table of routes the name says nothing."""

    def route(self, domain: str, definition_key: str, account_id: int) -> NamedRoute:
        """The way of a mail to a domain (lower case, A-labels)."""
        key = definition_key.lower()
        for rule in self.rules:
            if rule.holds(domain, key, account_id):
                return self.routes[rule.route]
        raise LookupError("the last rule of a table has no conditions")

    @property
    def uses_mx(self) -> bool:
        """Whether any route goes to MX hosts."""
        return any(not route.relays for route in self.routes.values())


def single_route() -> RouteTable:
    """The table of a server that sends everything to MX hosts."""
    return RouteTable((Rule("mx"),), {"mx": NamedRoute("mx")}, {}, by_name=False)
