"""The DNS records that a sender domain needs, and what is wrong with those that are published.

SPF (RFC 7208) is asked of the domain of the envelope sender: the return path's, where mail has one of its own, else
that of the from-address. The MX of the return path leads to the server that takes bounces. DMARC (RFC 7489) begins
with `p=none`, which asks receivers for nothing but to look.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import dns.asyncresolver
import dns.exception
import dns.resolver

from postroom.delivery.dkim.record import key_name, key_value, record_fault, tags
from postroom.tenancy.sender_domains import SenderDomain

Purpose: TypeAlias = Literal["dkim", "spf", "dmarc", "mx"]
State: TypeAlias = Literal["ok", "missing", "wrong", "unknown"]

_STRING = 255  # RFC 1035 §3.3: the longest character-string
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Record:
    """One record to publish; ``value`` of a TXT record is its whole text."""

    purpose: Purpose
    name: str
    value: str
    selector: str = ""
    type: Literal["TXT", "MX"] = "TXT"

    def line(self) -> str:
        """As a line of a zone file; long texts are cut into the strings that DNS wants."""
        if self.type == "MX":
            return f"{self.name}. IN MX {self.value}."
        strings = [self.value[at : at + _STRING] for at in range(0, len(self.value), _STRING)]
        return f"{self.name}. IN {self.type} " + " ".join(f'"{each}"' for each in strings)


@dataclass(frozen=True, slots=True)
class Finding:
    """What DNS says about one record; ``explanation`` is for people and names the fix."""

    record: Record
    state: State
    explanation: str


@dataclass(frozen=True, slots=True)
class ReturnDomain:
    """Where bounces go: the domain of the return path, and the machine that takes them."""

    domain: str
    host: str


def records_of(domain: SenderDomain, sending_host: str, returns: ReturnDomain | None = None) -> list[Record]:
    """All records; ``sending_host`` is the name of the machine that hands mail to receivers, or empty when it is
    the domain's own mail host. ``returns`` is None while bounces go to the from-address."""
    found = [
        Record("dkim", key_name(key.selector, domain.domain), key_value(key.algorithm, key.public_key), key.selector)
        for key in domain.keys
    ]
    sends = f"a:{sending_host}" if sending_host else "mx"
    found.append(Record("spf", domain.domain, f"v=spf1 {sends} ~all"))
    if returns is not None:
        found.append(Record("mx", returns.domain, f"10 {returns.host}", type="MX"))
        # Not `mx` where no host is named: the MX of the return path is the machine that takes bounces.
        found.append(Record("spf", returns.domain, f"v=spf1 a:{sending_host or returns.host} ~all"))
    found.append(Record("dmarc", f"_dmarc.{domain.domain}", "v=DMARC1; p=none"))
    return found


class Unanswered(Exception):
    """DNS gave no answer, and why."""


Lookup: TypeAlias = Callable[[str, Literal["TXT", "MX"]], Awaitable[list[str]]]
"""The values of all records of a name and type, none when there are none: whole texts, or ``10 mail.example.com``.
Raises Unanswered."""


def dns_lookup(nameserver: tuple[str, int] | None = None) -> Lookup:
    """Asks the system's resolvers, or the one given as address and port."""
    resolver = dns.asyncresolver.Resolver(configure=nameserver is None)
    if nameserver is not None:
        resolver.nameservers = [nameserver[0]]
        resolver.port = nameserver[1]
    resolver.lifetime = _SECONDS

    async def look_up(name: str, kind: Literal["TXT", "MX"]) -> list[str]:
        try:
            answer = await resolver.resolve(f"{name}.", kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError) as problem:
            raise Unanswered(str(problem)) from problem
        if kind == "MX":
            return [f"{each.preference} {each.exchange.to_text(omit_final_dot=True).lower()}" for each in answer]
        return [b"".join(each.strings).decode("utf-8", "replace") for each in answer]

    return look_up


async def check_records(domain: SenderDomain, records: Sequence[Record], look_up: Lookup) -> list[Finding]:
    """What is published, compared with what should be."""

    async def check(record: Record) -> Finding:
        try:
            values = await look_up(record.name, record.type)
        except Unanswered as problem:
            return Finding(record, "unknown", f"DNS did not answer: {problem}; try again")
        return _judge_route(record, values) if record.type == "MX" else _judge(domain, record, values)

    return list(await asyncio.gather(*(check(record) for record in records)))


def _judge_route(record: Record, values: list[str]) -> Finding:
    wanted = record.value.partition(" ")[2].lower()
    if wanted in [each.partition(" ")[2] for each in values]:
        return Finding(record, "ok", f"bounces come to {wanted}")
    if not values:
        return Finding(record, "missing", "there is no MX record; until there is, receivers may refuse the return path")
    return Finding(record, "wrong", f"bounces go to {', '.join(values)}; publish {record.value}")


def _judge(domain: SenderDomain, record: Record, texts: list[str]) -> Finding:
    if record.purpose == "dkim":
        return _judge_key(domain, record, texts)
    begin = "v=spf1" if record.purpose == "spf" else "v=dmarc1"
    found = [text for text in texts if text.lower().split(";")[0].split(" ")[0].strip() == begin]
    if not found:
        return Finding(record, "missing", f"there is no {record.purpose.upper()} record; publish it")
    if len(found) > 1:
        return Finding(
            record, "wrong", f"there are {len(found)} {record.purpose.upper()} records, which count as none; keep one"
        )
    if record.purpose == "dmarc":
        policy = tags(found[0]).get("p", "")
        if policy not in ("none", "quarantine", "reject"):
            return Finding(record, "wrong", f"its p={policy} is none of none, quarantine and reject")
        return Finding(record, "ok", f"asks receivers for p={policy}")
    wanted = record.value.split(" ")[1]
    if wanted in found[0].split(" "):
        return Finding(record, "ok", f"lets {wanted} send")
    return Finding(record, "wrong", f'says "{found[0]}", without {wanted}; add it, if no other part of it covers it')


def _judge_key(domain: SenderDomain, record: Record, texts: list[str]) -> Finding:
    key = next(key for key in domain.keys if key.selector == record.selector)
    if not texts:
        return Finding(record, "missing", "the key is not published; until it is, receivers take mail as unsigned")
    if len(texts) > 1:
        return Finding(record, "wrong", f"there are {len(texts)} TXT records, and receivers take any of them; keep one")
    fault = record_fault(texts[0], key.algorithm, key.public_key)
    return (
        Finding(record, "wrong", f"the published record {fault}; publish it anew")
        if fault
        else Finding(record, "ok", "the published key is the one that signs")
    )
