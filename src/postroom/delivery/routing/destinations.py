"""Where a message goes: by its route, the DNS, and the source pools that are warm enough.

message -> way -> relay, or hosts -> source pool -> site
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from postroom.delivery.routing.known_sites import KnownSites
from postroom.delivery.routing.mx import NoRoute, Route
from postroom.delivery.routing.ramps import Ramp, Ramps
from postroom.delivery.routing.routes import Routes
from postroom.delivery.routing.site import Site
from postroom.delivery.routing.table import RouteTable, SourcePool
from postroom.delivery.routing.way import Way
from postroom.delivery.slices import Message
from postroom.events.put_offs import PutOff

COME_AGAIN_SECONDS = 15.0
"""For what waits for room among the sites, for copies to leave or for the database."""


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: come again after so many seconds."""

    seconds: float
    why: PutOff


Destination: TypeAlias = Site | NoRoute | Later | Ramp | str
"""A site, or why there is none: a ramp or a domain must be asked first."""


class Destinations:
    """``ways`` has the routes of the table at work, by name."""

    def __init__(
        self, table: RouteTable, ways: Mapping[str, Way], routes: Routes, sites: KnownSites, ramps: Ramps
    ) -> None:
        self._table = table
        self._ways = ways
        self._routes = routes
        self._sites = sites
        self._ramps = ramps
        self._clock = asyncio.get_running_loop().time

    def way(self, message: Message, domain: str) -> Way | None:
        """The route that a message takes to a domain; None when it wants one that there is not."""
        slice_ = message.slice
        name = slice_.sending.route
        if name is None or not self._table.by_name:
            name = self._table.route(domain, slice_.definition_key, slice_.account_id).name
        return self._ways.get(name)

    def find(self, message: Message, domain: str, *, first: bool) -> Destination:
        """Where a message goes, or a copy of it for this domain."""
        way = self.way(message, domain)
        if way is None:
            name = message.slice.sending.route
            return NoRoute(
                False, "4.3.5", f"its definition wants the route {name!r}, which POSTROOM_ROUTES does not have"
            )
        if way.relays:
            now = self._clock()
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
        return self._sites.site(way, source, answer) or Later(COME_AGAIN_SECONDS, PutOff("tooManySites"))

    def _admit(self, message: Message, way: Way, pool: SourcePool, route: Route, *, first: bool) -> str | Later | Ramp:
        """The source pool that a message goes by: the first that the site takes mail from, and that is warm enough for
        one more there."""
        if first and isinstance(message.admitted, Ramp):
            return message.admitted.source.name
        label = self._sites.label(route.hosts)
        while True:
            if pool.overflow is not None:
                site = self._sites.known(way, pool.name, route)
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
