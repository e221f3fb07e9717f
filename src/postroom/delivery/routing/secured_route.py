"""The route of a domain together with what the TLS of each host has to prove.

MTA-STS enforce    hosts that the policy does not name are left out; the others need TLS with a certificate of
                   a public authority for their name. None is left: the mail waits
MTA-STS testing    the same is tried and told in reports, and the mail goes anyway
nothing            the rule of POSTROOM_MX_TLS
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog

from postroom.delivery.routing.mx import MxHost, NoRoute, Route, RouteAnswer, is_host_name
from postroom.delivery.routing.sts_fetch import NoPolicy
from postroom.delivery.routing.sts_policy import StsPolicy
from postroom.delivery.routing.tls_rule import RuleKind, TlsRule
from postroom.store.errors import DATABASE_AWAY

_CRYPTOGRAPHIC_FAILURE = "4.7.5"


@dataclass(frozen=True, slots=True)
class Securing:
    """``find`` finds routes, ``policy`` MTA-STS policies (None: they are not asked for); ``rule`` is for the rest.

    ``failed(domain, why)`` is told of hosts that a policy does not name.
    """

    find: Callable[[str], Awaitable[RouteAnswer]]
    policy: Callable[[str], Awaitable[StsPolicy | None]] | None
    rule: TlsRule
    failed: Callable[[str, NoPolicy], None]

    async def route(self, domain: str) -> RouteAnswer:
        """The route with a rule for each host. Never raises for what the DNS or the domain's hosts say."""
        try:
            answer, policy = await asyncio.gather(self.find(domain), self._policy(domain))
        except DATABASE_AWAY as error:
            structlog.get_logger("delivery").warning("sts_policy_waits_for_database", domain=domain, error=repr(error))
            return NoRoute(False, "4.3.0", "not sent yet: whether the domain has an MTA-STS policy could not be read")
        if not isinstance(answer, Route):
            return answer
        hosts = tuple(replace(host, rule=self.rule) for host in answer.hosts)
        return self._under_policy(domain, replace(answer, hosts=hosts), policy)

    async def _policy(self, domain: str) -> StsPolicy | None:
        return await self.policy(domain) if self.policy is not None and is_host_name(domain) else None

    def _under_policy(self, domain: str, route: Route, policy: StsPolicy | None) -> RouteAnswer:
        if policy is None or policy.mode == "none":
            return route
        named = [host for host in route.hosts if policy.allows(host.name)]
        for host in route.hosts:
            if host not in named:
                self.failed(domain, NoPolicy("validation-failure", f"{host.name} is not in the policy"))
        if policy.mode == "testing":
            return replace(route, hosts=tuple(self._tested(host, host in named) for host in route.hosts))
        if not named:
            names = ", ".join(host.name for host in route.hosts)
            text = f"the MTA-STS policy of {domain} names none of its MX hosts ({names})"
            return NoRoute(False, _CRYPTOGRAPHIC_FAILURE, text[:1000])
        return replace(route, hosts=tuple(replace(host, rule=TlsRule(RuleKind.STS)) for host in named))

    def _tested(self, host: MxHost, named: bool) -> MxHost:
        # A rule of our own that is stricter is not weakened by a test.
        testing = named and self.rule.kind is RuleKind.OPPORTUNISTIC
        return replace(host, rule=TlsRule(RuleKind.STS_TESTING)) if testing else host
