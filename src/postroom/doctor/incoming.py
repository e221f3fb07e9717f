"""Mail to the domain: replies and bounces have to arrive, and TLS of its own hosts is told for information."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from postroom.delivery.routing.mx import NoRoute, Route, find_route, is_public
from postroom.delivery.routing.records import MxFound, TextFound, TlsaFound, Trouble
from postroom.delivery.routing.sts_fetch import NoPolicy
from postroom.delivery.routing.sts_policy import StsPolicy, announced_id
from postroom.doctor.finding import Check, Finding, ok, unanswered
from postroom.doctor.mail_hosts import LookAtHost
from postroom.doctor.questions import Questions
from postroom.doctor.sender import Sender

FetchPolicy: TypeAlias = Callable[[str], Awaitable[StsPolicy | NoPolicy]]
_MOST_HOSTS = 3


@dataclass(frozen=True, slots=True)
class Looks:
    """What is looked at beyond the DNS. ``allow_private`` also goes to hosts in private networks."""

    host: LookAtHost
    policy: FetchPolicy
    allow_private: bool = False


async def examine_replies(sender: Sender, dns: Questions, allow_private: bool) -> tuple[list[Finding], Route | None]:
    """Whether mail to the from-domain arrives, and where."""
    domain = sender.domain
    returns = sender.return_domain == domain
    route = await find_route(domain, dns, rand=lambda: 0.0, allow_private=True)
    if isinstance(route, NoRoute):
        if not route.permanent:
            return [unanswered("from", route.text)], None
        what = "replies and bounces" if returns else "replies"
        text = f"{domain} can't take {what}: {route.text.removeprefix('not sent: ')}"
        much = "; receivers refuse mail from a domain that takes none" if returns or "null MX" in text else ""
        fix = f"publish an MX record of {domain}, or take a from-address that can be answered"
        return [Finding("fails" if much else "warns", "from", f"{text}{much}", fix)], None
    private = [host.name for host in route.hosts if not any(map(is_public, host.addresses))]
    if len(private) == len(route.hosts) and not allow_private:
        text = f"replies to {domain} can't arrive: {private[0]} is not on the public internet"
        return [Finding("fails", "from", text, f"publish an MX record of {domain} that leads to a public host")], route
    if not isinstance(await dns.mx(domain), MxFound):
        text = f"{domain} has no MX record; its own address takes the replies"
        return [Finding("warns", "from", text, f"publish {domain} MX 10 with the host that takes its mail")], route
    return [ok("from", f"replies to {domain} go to {', '.join(host.name for host in route.hosts)}")], route


async def examine_return_path(sender: Sender, dns: Questions) -> list[Finding]:
    """Whether bounces come to this server."""
    domain = sender.return_domain
    shown: Check = "return path"
    if domain == sender.domain:
        text = f"bounces go to the from-address at {domain}, where Postroom can't count them"
        fix = f"set POSTROOM_BOUNCE_DOMAIN=bounces.{domain} (docs/bounces.md)"
        return [Finding("warns", shown, text, fix)]
    answer = await dns.mx(domain)
    if isinstance(answer, Trouble):
        return [unanswered(shown, answer.text)]
    fix = f"publish {domain} MX 10 {sender.own_host}"
    if not isinstance(answer, MxFound):
        text = f"the return path's domain {domain} has no MX record; receivers may refuse mail that can't be returned"
        return [Finding("fails", shown, text, fix)]
    hosts = [record.host for record in answer.records]
    if not any(hosts):
        text = f"the return path's domain {domain} says that it takes no mail (null MX); receivers refuse such mail"
        return [Finding("fails", shown, text, fix)]
    if sender.own_host not in hosts:
        text = f"bounces to {domain} go to {', '.join(hosts)} and not to {sender.own_host}"
        return [Finding("warns", shown, text, f"{fix}, unless that host hands them on")]
    return [ok(shown, f"bounces to {domain} come to {sender.own_host}")]


async def examine_tls(sender: Sender, route: Route | None, dns: Questions, looks: Looks) -> list[Finding]:
    """TLS of the hosts that take the replies, as far as there are any."""
    reports = _tls_reports(sender.domain, dns)
    if route is None:
        return [await reports]
    hosts = asyncio.gather(*(_tls(host.name, host.addresses, looks) for host in route.hosts[:_MOST_HOSTS]))
    dane, sts = _dane(route, dns), _sts(sender.domain, route, dns, looks)
    seen, secured, policy, asked = await asyncio.gather(hosts, dane, sts, reports)
    return [*seen, *secured, *policy, asked]


async def _tls(host: str, addresses: tuple[str, ...], looks: Looks) -> Finding:
    usable = [address for address in addresses if looks.allow_private or is_public(address)]
    # Of both families IPv4 is tried: this machine may have no IPv6.
    address = next((each for each in usable if ":" not in each), usable[0] if usable else "")
    if not address:
        return Finding("not checked", "tls", f"TLS of {host}: it is not on the public internet")
    seen = await looks.host(host, address)
    if seen.unreachable:
        text = f"TLS of {host}: it can't be reached from here ({seen.unreachable})"
        return Finding("not checked", "tls", text, "try from a machine that may connect to port 25")
    if not seen.offered:
        text = f"{host}, which takes the replies, offers no TLS; they travel in the clear"
        return Finding("warns", "tls", text, "give it a certificate and offer STARTTLS")
    if seen.certificate:
        text = f"the certificate of {host}, which takes the replies, is not good: {seen.certificate}"
        return Finding("warns", "tls", text, "give it one of a public authority for its own name")
    return ok("tls", f"{host}, which takes the replies, offers TLS with a good certificate")


async def _dane(route: Route, dns: Questions) -> list[Finding]:
    secured = []
    hosts = route.hosts[:_MOST_HOSTS]
    answers = await asyncio.gather(*(dns.tlsa(f"_25._tcp.{host.name}") for host in hosts))
    for host, answer in zip(hosts, answers, strict=True):
        if isinstance(answer, TlsaFound) and any(record.usable for record in answer.records):
            secured.append(host.name)
        elif isinstance(answer, TlsaFound):
            text = f"the TLSA records of {host.name} are of no use for mail (RFC 7672 wants usage 2 or 3)"
            return [Finding("warns", "tls", text, "publish 3 1 1 with the digest of its key, or take them away")]
    return [ok("tls", f"DANE: TLSA records are published for {', '.join(secured)}")] if secured else []


async def _sts(domain: str, route: Route, dns: Questions, looks: Looks) -> list[Finding]:
    answer = await dns.text(f"_mta-sts.{domain}")
    if isinstance(answer, Trouble):
        return [unanswered("tls", answer.text)]
    if not isinstance(answer, TextFound) or not announced_id(answer.texts):
        return [ok("tls", f"{domain} announces no MTA-STS policy; receivers do not ask that of senders")]
    policy = await looks.policy(domain)
    if isinstance(policy, NoPolicy):
        text = f"{domain} announces an MTA-STS policy that can't be had: {policy.reason}"
        return [Finding("warns", "tls", text, f"serve it at https://mta-sts.{domain}/.well-known/mta-sts.txt")]
    left_out = [host.name for host in route.hosts if policy.mode != "none" and not policy.allows(host.name)]
    if left_out:
        text = f"the MTA-STS policy of {domain} does not name {left_out[0]}, which the MX records do"
        return [Finding("warns", "tls", f"{text}; senders that keep to it won't use it", f"add mx: {left_out[0]}")]
    return [ok("tls", f"{domain} has an MTA-STS policy with mode {policy.mode}")]


async def _tls_reports(domain: str, dns: Questions) -> Finding:
    answer = await dns.text(f"_smtp._tls.{domain}")
    if isinstance(answer, Trouble):
        return unanswered("tls", answer.text)
    found = isinstance(answer, TextFound) and any(
        text.replace(" ", "").startswith("v=TLSRPTv1;") for text in answer.texts
    )
    return ok("tls", f"{domain} {'asks' if found else 'does not ask'} for TLS reports (_smtp._tls)")
