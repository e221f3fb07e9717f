"""How a report gets to its destination: as a signed mail, or by HTTPS.

Neither asks more of the way than that it is there: a report about TLS that fails must not wait for that TLS (RFC 8460
§3), so mail goes without MTA-STS and DANE, with whatever TLS the host offers. By HTTPS the certificate has to be
good, and the host to have public addresses, as for every request of this server.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from postroom.content.ampscript.run import Request
from postroom.delivery.fetch import FetchLimits, GuardedFetcher
from postroom.delivery.outcome import Deferred, Outcome, Sent
from postroom.delivery.routing.mx import MxHost, NoRoute, find_route, is_public
from postroom.delivery.routing.options import MxOptions
from postroom.delivery.routing.records import AddressesFound
from postroom.delivery.routing.resolver import Resolver
from postroom.delivery.smtp.pool import SmtpPool
from postroom.delivery.smtp.target import SmtpTarget

MAIL_SECONDS = 120.0
MOST_HOSTS = 4
_LIMITS = FetchLimits(seconds=60.0, body=64_000, header=16_000, redirects=0, kept=0)
_GRACE_SECONDS = 2.0


@dataclass(slots=True)
class _Parcel:
    """One mail for one recipient, as the SMTP pool takes it."""

    sender: str
    recipients: Sequence[str]
    data: bytes
    done: asyncio.Future[Outcome]
    smtputf8: bool = False
    first_decides: bool = True

    def finish(self, outcome: Outcome) -> None:
        """Called by the pool exactly once."""
        if not self.done.done():
            self.done.set_result(outcome)


class Carriers:
    """Both ways; they answer what went wrong, or an empty text."""

    def __init__(self, mx: MxOptions, resolver: Resolver, *, helo: str, rand: Callable[[], float]) -> None:
        self._mx = mx
        self._resolver = resolver
        self._helo = helo
        self._rand = rand

    async def mail(self, sender: str, recipient: str, data: bytes) -> str:
        """Hand a mail to the MX hosts of its recipient."""
        domain = recipient.rpartition("@")[2]
        route = await find_route(domain, self._resolver, rand=self._rand, allow_private=self._mx.allow_private)
        if isinstance(route, NoRoute):
            return route.text
        problem = ""
        for host in route.hosts[:MOST_HOSTS]:
            outcome = await self._hand_over(host, sender, recipient, data)
            if isinstance(outcome, Sent):
                return ""
            problem = f"{host.name}: {outcome.text}"
            if not (isinstance(outcome, Deferred) and outcome.stage == "connect"):
                break
        return problem

    async def _hand_over(self, host: MxHost, sender: str, recipient: str, data: bytes) -> Outcome:
        parcel = _Parcel(sender, (recipient,), data, asyncio.get_running_loop().create_future())
        waiting = [parcel]
        pool = SmtpPool(
            SmtpTarget(host.name, self._mx.port),
            size=1,
            take=lambda: waiting.pop() if waiting else None,
            helo=self._helo,
            timeouts=self._mx.timeouts,
            rand=self._rand,
            addresses=lambda: host.addresses,
        )
        try:
            pool.wake()
            async with asyncio.timeout(MAIL_SECONDS):
                return await parcel.done
        except TimeoutError:
            return Deferred(text=f"no end within {MAIL_SECONDS:g} s")
        finally:
            await pool.close(_GRACE_SECONDS)

    async def post(self, url: str, body: bytes) -> str:
        """Send a report by HTTPS."""
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        fetcher = GuardedFetcher(
            frozenset({f"{host}:{parts.port or 443}"}),
            limits=_LIMITS,
            tls=self._mx.verifying,
            resolve=self._addresses,
            reachable=lambda address: self._mx.allow_private or is_public(address),
        )
        headers = [("Content-Type", "application/tlsrpt+gzip")]
        response = await fetcher.fetch(Request("POST", url, headers, body))
        if 200 <= response.status < 300:
            return ""
        return response.problem or f"{host} answers with status {response.status}"

    async def _addresses(self, host: str, _port: int) -> Sequence[str]:
        # IPv4 first: only one address is tried, and not every machine has IPv6.
        for question in (self._resolver.ipv4, self._resolver.ipv6):
            answer = await question(host)
            if isinstance(answer, AddressesFound) and answer.addresses:
                return answer.addresses
        return ()
