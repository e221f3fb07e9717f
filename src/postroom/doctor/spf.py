"""Whether SPF lets an address send (RFC 7208 §4), and what a record costs those who ask.

    none       no record                          pass, fail, softfail, neutral   what it says of the address
    permerror  a record that receivers can't use  temperror                       no answer from the DNS

A record may make receivers ask ten questions (§4.6.4), of which two may come to nothing, and name ten MX hosts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal, TypeAlias

from postroom.delivery.routing.records import AddressesFound, NamesFound, Nothing, TextFound, Trouble
from postroom.doctor.questions import Questions
from postroom.doctor.spf_record import ASKS, Qualifier, SpfInvalid, SpfRecord, Term, expand, read_spf, spf_texts

SpfResult: TypeAlias = Literal["none", "pass", "fail", "softfail", "neutral", "permerror", "temperror"]

MOST_QUESTIONS = 10
MOST_VOID = 2
MOST_HOSTS = 10
MOST_RECORDS = 50
"""Of others that are read to count: far more than any receiver would."""
_RESULTS: Mapping[Qualifier, SpfResult] = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


@dataclass(frozen=True, slots=True)
class SpfVerdict:
    """``reason`` is the term that decided, or what is wrong."""

    result: SpfResult
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SpfCost:
    """How many questions a record makes a receiver ask that has to read it to its end; ``dear`` are the domains that
    are included, with the questions of each, the dearest first."""

    questions: int
    dear: tuple[tuple[str, int], ...] = ()


class NoAnswer(Exception):
    """The DNS did not answer; the text says to what."""


async def check_host(address: str, domain: str, dns: Questions, *, helo: str) -> SpfVerdict:
    """What the SPF record of ``domain`` says of mail from ``address``. Never raises for what the DNS says."""
    evaluation = _Evaluation(ip_address(address), domain, helo, dns)
    try:
        return await evaluation.of(domain)
    except SpfInvalid as wrong:
        return SpfVerdict("permerror", str(wrong))
    except NoAnswer as trouble:
        return SpfVerdict("temperror", str(trouble))


async def find_record(domain: str, dns: Questions) -> SpfRecord | None:
    """The record of a domain; None without one. Raises SpfInvalid, also for several records, and NoAnswer."""
    answer = await dns.text(domain)
    if isinstance(answer, Trouble):
        raise NoAnswer(answer.text)
    found = spf_texts(answer.texts) if isinstance(answer, TextFound) else []
    if len(found) > 1:
        raise SpfInvalid(f"{domain} has {len(found)} SPF records")
    return read_spf(found[0]) if found else None


async def spf_cost(record: SpfRecord, dns: Questions) -> SpfCost:
    """Count them, through all that is included. What can't be read costs its one question."""
    known: dict[str, int] = {}
    total = await _cost(record, dns, known)
    own = ((name, 1 + known[name]) for name in _included(record) if name in known)
    return SpfCost(total, tuple(sorted(own, key=lambda each: -each[1])))


def _included(record: SpfRecord) -> list[str]:
    names = [term.value for term in record.terms if term.mechanism == "include"]
    return names + ([record.redirect] if record.redirect and record.all is None else [])


async def _cost(record: SpfRecord, dns: Questions, known: dict[str, int]) -> int:
    names = _included(record)
    asks = [term for term in record.terms if term.mechanism in ASKS and term.mechanism != "include"]
    for name in names:
        if "%" in name or name in known or len(known) == MOST_RECORDS:
            continue
        known[name] = 0  # What includes itself is cut here.
        try:
            inner = await find_record(name, dns)
        except (SpfInvalid, NoAnswer):
            continue
        if inner is not None:
            known[name] = await _cost(inner, dns, known)
    return len(asks) + sum(1 + known.get(name, 0) for name in names)


class _Evaluation:
    """check_host() for one address; the counts hold for all records together."""

    def __init__(self, address: IPv4Address | IPv6Address, sender_domain: str, helo: str, dns: Questions) -> None:
        self._address = address
        self._sender_domain = sender_domain
        self._helo = helo
        self._dns = dns
        self._questions = 0
        self._void = 0

    async def of(self, domain: str) -> SpfVerdict:
        record = await find_record(domain, self._dns)
        if record is None:
            return SpfVerdict("none", f"{domain} has no SPF record")
        for term in record.terms:
            if await self._matches(term, domain):
                return SpfVerdict(_RESULTS[term.qualifier], term.text)
        if record.redirect:
            self._count()
            target = self._expand(record.redirect, domain)
            verdict = await self.of(target)
            if verdict.result == "none":
                raise SpfInvalid(f"redirect={target} leads to a domain without an SPF record")
            return verdict
        return SpfVerdict("neutral", "no part of it")

    async def _matches(self, term: Term, domain: str) -> bool:
        if term.mechanism in ASKS:
            self._count()
        if term.mechanism == "all":
            return True
        if term.network is not None:
            return self._address in term.network
        target = self._expand(term.value, domain) if term.value else domain
        if term.mechanism == "include":
            inner = await self.of(target)
            if inner.result == "none":
                raise SpfInvalid(f"include:{target} names a domain without an SPF record")
            return inner.result == "pass"
        if term.mechanism == "exists":
            return bool(self._heard(await self._dns.ipv4(target)))
        if term.mechanism == "ptr":
            return await self._has_name_below(target)
        return await self._is_host(term, target)

    async def _is_host(self, term: Term, target: str) -> bool:
        if term.mechanism == "a":
            return await self._has(target, term)
        answer = await self._dns.mx(target)
        if isinstance(answer, Trouble):
            raise NoAnswer(answer.text)
        if isinstance(answer, Nothing):
            self._count_void()
            return False
        hosts = [record.host for record in answer.records if record.host]
        if len(hosts) > MOST_HOSTS:
            raise SpfInvalid(f"{term.text} stands for more than {MOST_HOSTS} hosts")
        return any(await asyncio.gather(*(self._has(host, term, counts=False) for host in hosts)))

    async def _has(self, host: str, term: Term, *, counts: bool = True) -> bool:
        version = self._address.version
        answer = await (self._dns.ipv4(host) if version == 4 else self._dns.ipv6(host))
        prefix = term.prefix4 if version == 4 else term.prefix6
        found = self._heard(answer, counts=counts)
        return any(self._address in ip_network(f"{each}/{prefix}", strict=False) for each in found)

    async def _has_name_below(self, target: str) -> bool:
        answer = await self._dns.reverse(str(self._address))
        names = answer.names[:MOST_HOSTS] if isinstance(answer, NamesFound) else ()
        host = Term("", "+", "a")
        for name in names:
            if (name == target or name.endswith(f".{target}")) and await self._has(name, host, counts=False):
                return True
        return False

    def _heard(self, answer: AddressesFound | Nothing | Trouble, *, counts: bool = True) -> tuple[str, ...]:
        if isinstance(answer, Trouble):
            raise NoAnswer(answer.text)
        if isinstance(answer, AddressesFound):
            return answer.addresses
        if counts:
            self._count_void()
        return ()

    def _count(self) -> None:
        self._questions += 1
        if self._questions > MOST_QUESTIONS:
            raise SpfInvalid(f"it makes receivers ask the DNS more than {MOST_QUESTIONS} times")

    def _count_void(self) -> None:
        self._void += 1
        if self._void > MOST_VOID:
            raise SpfInvalid(f"more than {MOST_VOID} names in it do not exist")

    def _expand(self, text: str, domain: str) -> str:
        packed = self._address.packed.hex()
        dotted = str(self._address) if self._address.version == 4 else ".".join(packed)
        sender = f"postmaster@{self._sender_domain}"
        values = {"s": sender, "l": "postmaster", "o": self._sender_domain, "d": domain, "i": dotted}
        values |= {"h": self._helo, "v": "in-addr" if self._address.version == 4 else "ip6", "p": "unknown"}
        return expand(text, values).lower().rstrip(".")
