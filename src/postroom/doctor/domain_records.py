"""The DNS records that a sender domain needs, and what is wrong with those that are published.

SPF (RFC 7208) is asked of the domain of the envelope sender: the return path's, where mail has one of its own, else
that of the from-address. The MX of the return path leads to the server that takes bounces. DMARC (RFC 7489) begins
with `p=none`, which asks receivers for nothing but to look.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from postroom.delivery.dkim.record import key_name, key_value, tags
from postroom.delivery.routing.records import AddressesFound, MxFound, TextFound, Trouble
from postroom.doctor.published_key import published_fault
from postroom.doctor.questions import Asked, Questions
from postroom.doctor.spf import check_host
from postroom.doctor.spf_record import spf_texts
from postroom.tenancy.sender_domains import SenderDomain

Purpose: TypeAlias = Literal["dkim", "spf", "dmarc", "mx"]
State: TypeAlias = Literal["ok", "missing", "wrong", "unknown"]

_STRING = 255  # RFC 1035 §3.3: the longest character-string


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
class Comparison:
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


async def check_records(domain: SenderDomain, records: Sequence[Record], dns: Questions) -> list[Comparison]:
    """What is published, compared with what should be. Never raises for what the DNS says."""
    asked = Asked(dns)
    return list(await asyncio.gather(*(_compare(domain, record, asked) for record in records)))


async def _compare(domain: SenderDomain, record: Record, dns: Questions) -> Comparison:
    answer = await (dns.mx(record.name) if record.type == "MX" else dns.text(record.name))
    if isinstance(answer, Trouble):
        return Comparison(record, "unknown", f"{answer.text}; try again")
    if record.type == "MX":
        found = answer.records if isinstance(answer, MxFound) else ()
        return _judge_route(record, [f"{each.preference} {each.host}" for each in found])
    texts = answer.texts if isinstance(answer, TextFound) else ()
    if record.purpose == "dkim":
        return _judge_key(domain, record, texts)
    if record.purpose == "dmarc":
        return _judge_policy(record, texts)
    return await _judge_spf(record, texts, dns)


def _judge_route(record: Record, values: Sequence[str]) -> Comparison:
    wanted = record.value.partition(" ")[2].lower()
    if wanted in [each.partition(" ")[2] for each in values]:
        return Comparison(record, "ok", f"bounces come to {wanted}")
    if not values:
        text = "there is no MX record; until there is, receivers may refuse the return path"
        return Comparison(record, "missing", text)
    return Comparison(record, "wrong", f"bounces go to {', '.join(values)}; publish {record.value}")


def _judge_key(domain: SenderDomain, record: Record, texts: Sequence[str]) -> Comparison:
    key = next(key for key in domain.keys if key.selector == record.selector)
    fault = published_fault(texts, key)
    if not texts:
        return Comparison(record, "missing", f"the key {fault}; until it is, receivers take mail as unsigned")
    if fault:
        return Comparison(record, "wrong", f"the key {fault}; publish it anew, and nothing beside it")
    return Comparison(record, "ok", "the published key is the one that signs")


def _judge_policy(record: Record, texts: Sequence[str]) -> Comparison:
    found = [tags(text) for text in texts if text.split(";")[0].replace(" ", "").lower() == "v=dmarc1"]
    if len(found) != 1:
        return _not_one(record, len(found))
    policy = found[0].get("p", "").lower()
    if policy not in ("none", "quarantine", "reject"):
        return Comparison(record, "wrong", f"its p={policy} is none of none, quarantine and reject")
    return Comparison(record, "ok", f"asks receivers for p={policy}")


async def _judge_spf(record: Record, texts: Sequence[str], dns: Questions) -> Comparison:
    found = spf_texts(texts)
    if len(found) != 1:
        return _not_one(record, len(found))
    wanted = record.value.split(" ")[1]
    if wanted in found[0].lower().split(" "):
        return Comparison(record, "ok", f"lets {wanted} send")
    other = await _lets_send(record.name, wanted, dns)
    if other:
        return Comparison(record, "ok", f"lets {wanted} send by {other}")
    return Comparison(record, "wrong", f'says "{found[0]}", which does not let {wanted} send; add it')


async def _lets_send(domain: str, wanted: str, dns: Questions) -> str:
    """By which parts a record lets all addresses of ``a:HOST`` send; empty when it does not, or nobody can tell."""
    kind, _, host = wanted.partition(":")
    answers = [await dns.ipv4(host), await dns.ipv6(host)] if kind == "a" else []
    addresses = [address for each in answers if isinstance(each, AddressesFound) for address in each.addresses]
    verdicts = [await check_host(address, domain, dns, helo=host) for address in addresses]
    if any(verdict.result != "pass" for verdict in verdicts):
        return ""
    return " and ".join(dict.fromkeys(verdict.reason for verdict in verdicts))


def _not_one(record: Record, number: int) -> Comparison:
    kind = record.purpose.upper()
    if number:
        return Comparison(record, "wrong", f"there are {number} {kind} records, which count as none; keep one")
    return Comparison(record, "missing", f"there is no {kind} record; publish it")
