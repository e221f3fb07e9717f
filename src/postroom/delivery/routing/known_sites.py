"""The sites that mail has been found to go to, and what those of one provider share."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from postroom.delivery.routing.mx import MxHost, Route
from postroom.delivery.routing.shaping import Allowance, Shaping
from postroom.delivery.routing.site import Line, Provider, Site
from postroom.delivery.routing.tls_rule import TlsRule
from postroom.delivery.routing.way import Way
from postroom.metrics.sites import BusySite

MOST_SITES = 1000
MOST_TOLD = 100

# When there are too many sites, those go first that had nothing to do for this time.
_FORGET_EARLY_SECONDS = 5.0


class SiteKey(NamedTuple):
    """Sites are kept by route, source pool and hosts."""

    route: str
    source: str | None
    hosts: frozenset[tuple[str, TlsRule]]


class KnownSites:
    """``lines`` has how connections are made from each source pool, and without one; ``make`` makes a site,
    ``forgotten`` closes one that had nothing to do."""

    def __init__(
        self,
        shaping: Shaping,
        lines: Mapping[str | None, Line],
        *,
        make: Callable[[tuple[MxHost, ...], Provider, Line], Site],
        forgotten: Callable[[Site], None],
    ) -> None:
        self._shaping = shaping
        self._lines = lines
        self._make = make
        self._forgotten = forgotten
        self._clock = asyncio.get_running_loop().time
        self._sites: OrderedDict[SiteKey, Site] = OrderedDict()
        self._providers: dict[str, Provider] = {}

    def __len__(self) -> int:
        return len(self._sites)

    def __iter__(self) -> Iterator[Site]:
        return iter(self._sites.values())

    def busy(self) -> dict[str, BusySite]:
        """The sites that have something in hand, by name; those of the same name together."""
        now, found = self._clock(), dict[str, BusySite]()
        for site in self:
            one = site.busy(now)
            if one is not None:
                found[one.site] = one.with_others(found.get(one.site))
        return found

    def with_room(self) -> list[tuple[Site, int]]:
        """The sites that gave messages back and have room now, for how many."""
        now = self._clock()
        return [(site, room) for site in self if (room := site.room(now)) > 0]

    def known(self, way: Way, source: str, route: Route) -> Site | None:
        """The site of these hosts for one source pool, if mail went there lately."""
        return self._sites.get(SiteKey(way.name, source, way.ruled(route).site))

    def site(self, way: Way, source: str | None, route: Route) -> Site | None:
        """The site of these hosts, new or known; None while too many others are at work."""
        route = way.ruled(route)
        key = SiteKey(way.name, source, route.site)
        site = self._sites.get(key)
        if site is not None:
            site.found_again(route.hosts)
            return site
        if len(self._sites) >= MOST_SITES and not self._forget_one():
            return None
        site = self._sites[key] = self._make(route.hosts, self._provider(route.hosts), self._lines[source])
        return site

    def open_relay(self, way: Way, host: MxHost, line: Line, provider: Provider) -> Site:
        """The site of one relay of a route."""
        site = self._make((host,), provider, line)
        self._sites[SiteKey(way.name, way.source, frozenset({(host.name, host.rule)}))] = site
        return site

    def label(self, hosts: Sequence[MxHost]) -> str:
        """What a site is called where its messages are counted: its provider, or one of its hosts."""
        return self._shaping.limits(hosts[0].name).provider or min(host.name for host in hosts)

    def tick(self, seconds: float) -> None:
        """Time passes; who had nothing to do for long is forgotten."""
        now = self._clock()
        for key, site in list(self._sites.items()):
            site.tick(seconds)
            if site.forgettable(now):
                self._forget(key, site)

    def _provider(self, hosts: Sequence[MxHost]) -> Provider:
        limits = self._shaping.limits(hosts[0].name)
        if not limits.provider:
            return Provider(Allowance(limits, self._clock()))
        provider = self._providers.get(limits.provider)
        if provider is None:
            provider = self._providers[limits.provider] = Provider(Allowance(limits, self._clock()))
        return provider

    def _forget_one(self) -> bool:
        for key, site in self._sites.items():
            if site.forgettable(self._clock(), _FORGET_EARLY_SECONDS):
                self._forget(key, site)
                return True
        return False

    def _forget(self, key: SiteKey, site: Site) -> None:
        del self._sites[key]
        self._forgotten(site)
