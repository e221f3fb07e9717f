"""Fetching an MTA-STS policy (RFC 8461 §3.3): HTTPS with a valid certificate, no redirects, within bounds."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from postroom.content.ampscript.run import Request
from postroom.delivery.fetch import FetchLimits, GuardedFetcher
from postroom.delivery.routing.mx import is_public
from postroom.delivery.routing.records import AddressesFound, Dns
from postroom.delivery.routing.sts_policy import LONGEST_POLICY, PolicyInvalid, StsPolicy, read_policy
from postroom.delivery.smtp.reply import printable
from postroom.delivery.smtp.trust import TlsFailure

FETCH_SECONDS = 10.0
_LIMITS = FetchLimits(seconds=FETCH_SECONDS, body=LONGEST_POLICY, header=16_000, redirects=0, kept=0)


@dataclass(frozen=True, slots=True)
class NoPolicy:
    """The policy could not be had; ``failure`` as reports name it."""

    failure: TlsFailure
    reason: str


class PolicyFetcher:
    """``verifying`` is the context that checks the policy host; ``port`` is another one in tests only."""

    def __init__(self, dns: Dns, *, verifying: ssl.SSLContext, port: int = 443, allow_private: bool = False) -> None:
        self._dns = dns
        self._verifying = verifying
        self._port = port
        self._allow_private = allow_private

    async def fetch(self, domain: str) -> StsPolicy | NoPolicy:
        """The policy of a domain as it is now. Never raises for what the domain's hosts do."""
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                return await self._fetch(domain)
        except TimeoutError:
            return NoPolicy("sts-policy-fetch-error", f"no answer within {FETCH_SECONDS:g} s")

    async def _fetch(self, domain: str) -> StsPolicy | NoPolicy:
        host = f"mta-sts.{domain}"
        problem = f"{host} has no address"
        # One family after the other: a machine without IPv6 must not fail at hosts that have both.
        for question in (self._dns.ipv4, self._dns.ipv6):
            answer = await question(host)
            if not isinstance(answer, AddressesFound) or not answer.addresses:
                continue
            found = answer.addresses

            async def resolve(_host: str, _port: int, found: Sequence[str] = found) -> Sequence[str]:
                return found

            fetcher = GuardedFetcher(
                frozenset({f"{host}:{self._port}"}),
                limits=_LIMITS,
                tls=self._verifying,
                resolve=resolve,
                reachable=lambda address: self._allow_private or is_public(address),
            )
            port = "" if self._port == 443 else f":{self._port}"
            response = await fetcher.fetch(Request("GET", f"https://{host}{port}/.well-known/mta-sts.txt"))
            if response.status == 200:
                return _read(response.body)
            problem = response.problem or f"{host} answers with status {response.status}"
        failure: TlsFailure = (
            "sts-webpki-invalid" if "CERTIFICATE_VERIFY_FAILED" in problem else "sts-policy-fetch-error"
        )
        return NoPolicy(failure, printable(problem[:300]))


def _read(body: bytes) -> StsPolicy | NoPolicy:
    try:
        return read_policy(body)
    except PolicyInvalid as invalid:
        return NoPolicy("sts-policy-invalid", str(invalid))
