"""The route of a domain together with what the TLS of each host has to prove.

    DANE               the DNS has validated the MX records, the addresses of a host and its TLSA records: TLS with a
                       certificate that agrees with them. None of them is usable: TLS with any certificate.
                       They can't be looked up: the host is not used
    MTA-STS enforce    hosts that the policy does not name are left out; the others need TLS with a certificate of
                       a public authority for their name
    MTA-STS testing    the same is tried and told in reports, and the mail goes anyway
    nothing            the rule of POSTROOM_MX_TLS

The first that applies to a host counts (RFC 8461 §2). When no host is left the mail waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog

from postroom.delivery.routing.dane import usable_records
from postroom.delivery.routing.host_name import is_host_name
from postroom.delivery.routing.mx import MxHost, NoRoute, Route, RouteAnswer
from postroom.delivery.routing.records import TlsaAnswer, TlsaFound, Trouble
from postroom.delivery.routing.sts_fetch import NoPolicy
from postroom.delivery.routing.sts_policy import StsPolicy
from postroom.delivery.routing.tls_rule import RuleKind, TlsRule
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

_CRYPTOGRAPHIC_FAILURE = "4.7.5"


@dataclass(frozen=True, slots=True)
class Securing:
    """``find`` finds routes, ``policy`` MTA-STS policies (None: they are not asked for), ``tlsa`` the TLSA records of
    a name that begins with ``_port._tcp``; ``rule`` is for the rest.

    ``failed(domain, why)`` is told of hosts that a policy does not name, and of TLSA records that can't be had or used.
    """

    find: Callable[[str], Awaitable[RouteAnswer]]
    policy: Callable[[str], Awaitable[StsPolicy | None]] | None
    tlsa: Callable[[str], Awaitable[TlsaAnswer]]
    rule: TlsRule
    port: int
    failed: Callable[[str, NoPolicy], None]

    async def route(self, domain: str) -> RouteAnswer:
        """The route with a rule for each host. Never raises for what the DNS or the domain's hosts say."""
        try:
            answer, policy = await asyncio.gather(self.find(domain), self._policy(domain))
        except DATABASE_TROUBLE as error:
            tell_trouble(structlog.get_logger("delivery"), "sts_policy_waits_for_database", error, domain=domain)
            return NoRoute(False, "4.3.0", "not sent yet: whether the domain has an MTA-STS policy could not be read")
        if not isinstance(answer, Route):
            return answer
        route = await self._with_tlsa(domain, answer)
        return self._under_policy(domain, route, policy) if isinstance(route, Route) else route

    async def _policy(self, domain: str) -> StsPolicy | None:
        return await self.policy(domain) if self.policy is not None and is_host_name(domain) else None

    # -- DANE

    async def _with_tlsa(self, domain: str, route: Route) -> RouteAnswer:
        """The route with a rule for each host, as if there were no policy."""
        if not route.secure:
            return replace(route, hosts=tuple(replace(host, rule=self.rule) for host in route.hosts))
        looked_up = await asyncio.gather(*(self._tlsa(host) for host in route.hosts))
        hosts, ttl, trouble = [], route.ttl, ""
        for host, answer in zip(route.hosts, looked_up, strict=True):
            if isinstance(answer, Trouble):
                # An attacker who can't forge records could suppress them instead (RFC 7672 §2.1.1).
                trouble = answer.text
                self.failed(domain, NoPolicy("dnssec-invalid", trouble))
            elif answer is None:
                hosts.append(replace(host, rule=self.rule))
            else:
                ttl = min(ttl, answer[1].ttl)
                hosts.append(replace(host, rule=self._tlsa_rule(domain, *answer)))
        if not hosts:
            return NoRoute(False, _CRYPTOGRAPHIC_FAILURE, f"no host of {domain} can be trusted: {trouble}"[:1000])
        return replace(route, hosts=tuple(hosts), ttl=ttl)

    async def _tlsa(self, host: MxHost) -> tuple[str, TlsaFound] | Trouble | None:
        """Validated records with the name they are for; None when the host has none."""
        if not host.secure:
            return None
        # What the name is an alias of comes first (RFC 7672 §2.2.2).
        for base in dict.fromkeys((host.owner or host.name, host.name)):
            answer = await self.tlsa(f"_{self.port}._tcp.{base}")
            if isinstance(answer, Trouble):
                return answer
            if isinstance(answer, TlsaFound) and answer.secure and answer.records:
                return base, answer
        return None

    def _tlsa_rule(self, domain: str, base: str, found: TlsaFound) -> TlsRule:
        usable = usable_records(found.records)
        if usable:
            return TlsRule(RuleKind.DANE, usable, base)
        self.failed(domain, NoPolicy("tlsa-invalid", f"none of the TLSA records of {base} is usable"))
        return self.rule if self.rule.kind is RuleKind.VERIFY else TlsRule(RuleKind.REQUIRED)

    # -- MTA-STS

    def _under_policy(self, domain: str, route: Route, policy: StsPolicy | None) -> RouteAnswer:
        if policy is None or policy.mode == "none":
            return route
        bound = [host for host in route.hosts if host.rule.kind is not RuleKind.DANE]
        named = {host.name for host in bound if policy.allows(host.name)}
        for host in bound:
            if host.name not in named:
                self.failed(domain, NoPolicy("validation-failure", f"{host.name} is not in the policy"))
        hosts = []
        for host in route.hosts:
            if host not in bound:
                hosts.append(host)
            elif policy.mode == "testing":
                # A rule that is stricter is not weakened by a test.
                testing = host.name in named and host.rule.kind is RuleKind.OPPORTUNISTIC
                hosts.append(replace(host, rule=TlsRule(RuleKind.STS_TESTING)) if testing else host)
            elif host.name in named:
                hosts.append(replace(host, rule=TlsRule(RuleKind.STS)))
        if not hosts:
            names = ", ".join(host.name for host in route.hosts)
            text = f"the MTA-STS policy of {domain} names none of its MX hosts ({names})"
            return NoRoute(False, _CRYPTOGRAPHIC_FAILURE, text[:1000])
        return replace(route, hosts=tuple(hosts))
