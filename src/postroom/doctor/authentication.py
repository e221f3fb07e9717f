"""DKIM, SPF and DMARC of a domain's mail: what the large receivers of 2024 and later ask of everybody who sends much.

DKIM signatures of Postroom name the from-domain itself, so they are always aligned. SPF speaks for the domain of the
return path, which is aligned when both belong to one organisation (or, with aspf=s, are the same).
"""

import asyncio
import base64
import binascii
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from postroom.delivery.dkim.record import key_name, tags
from postroom.delivery.routing.records import TextFound, Trouble
from postroom.doctor.finding import Finding, ok, unanswered
from postroom.doctor.published_key import published_fault
from postroom.doctor.questions import Questions
from postroom.doctor.sender import Organisation, Sender
from postroom.doctor.spf import MOST_QUESTIONS, NoAnswer, check_host, find_record, spf_cost
from postroom.doctor.spf_record import SpfInvalid, SpfRecord
from postroom.tenancy.sender_domains import DomainKey

_SHORTEST_RSA = 1024
_GOOD_RSA = 2048
_POLICIES = ("none", "quarantine", "reject")


async def examine_dkim(sender: Sender, dns: Questions) -> tuple[list[Finding], bool]:
    """Each key, and whether one that signs is good."""
    if not sender.signs:
        unless = ", unless the relay signs it" if sender.relays else ""
        missing = Finding(
            "warns" if sender.relays else "fails",
            "dkim",
            f"mail from {sender.domain} is not signed{unless}; Gmail, Yahoo and Microsoft want a signature",
            f"postroom domain create {sender.domain}, and publish the records that it prints",
        )
        return [missing], False
    findings = list(await asyncio.gather(*(_key(sender, key, dns) for key in sender.keys)))
    active = [finding for key, finding in zip(sender.keys, findings, strict=True) if not key.waiting]
    good = any(finding.severity != "fails" for finding in active)
    if good and all(key.algorithm == "ed25519" for key in sender.keys if not key.waiting):
        findings.append(
            Finding(
                "warns",
                "dkim",
                "the only signature is Ed25519, which many receivers can't verify and take as none",
                "sign with RSA, or with both: postroom domain create --algorithm both",
            )
        )
    return findings, good


async def _key(sender: Sender, key: DomainKey, dns: Questions) -> Finding:
    name = key_name(key.selector, sender.domain)
    answer = await dns.text(name)
    if isinstance(answer, Trouble):
        return unanswered("dkim", answer.text)
    texts = answer.texts if isinstance(answer, TextFound) else ()
    fault = published_fault(texts, key)
    fix = f"publish it as postroom domain dns {sender.domain} prints it"
    if fault and key.waiting:
        return Finding("warns", "dkim", f"the new key at {name} {fault}; it signs nothing yet", fix)
    if fault:
        return Finding("fails", "dkim", f"the key at {name} {fault}, so signatures can't be verified", fix)
    bits = _rsa_bits(key)
    if bits and bits < _GOOD_RSA:
        rotate = f"postroom domain rotate {sender.domain} makes one of {_GOOD_RSA}"
        text = f"the key at {name} has only {bits} bits"
        return Finding("fails" if bits < _SHORTEST_RSA else "warns", "dkim", text, rotate)
    if "y" in tags(texts[0]).get("t", "").split(":"):
        text = f"the key at {name} says that it is being tested (t=y): receivers may take signatures as none"
        return Finding("warns", "dkim", text, "publish the record without t=y")
    kind = f"RSA of {bits} bits" if bits else "Ed25519"
    return ok("dkim", f"the key at {name} is published: {kind}{', waiting to sign' if key.waiting else ''}")


def _rsa_bits(key: DomainKey) -> int:
    if key.algorithm != "rsa":
        return 0
    try:
        public = load_der_public_key(base64.b64decode(key.public_key))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return 0
    return public.key_size if isinstance(public, RSAPublicKey) else 0


async def examine_spf(sender: Sender, dns: Questions) -> tuple[list[Finding], bool | None]:
    """The record and each address, and whether all of them pass; None where nobody knows."""
    domain = sender.return_domain
    publish = f"postroom domain dns {sender.domain} prints a record to begin with"
    try:
        record = await find_record(domain, dns)
    except NoAnswer as trouble:
        return [unanswered("spf", str(trouble))], None
    except SpfInvalid as wrong:
        text = f"the SPF record of {domain} can't be used: {wrong}; receivers take it as an error"
        return [Finding("fails", "spf", text, "keep one record, with nothing in it but what RFC 7208 knows")], False
    if record is None:
        text = f"{domain}, the domain of the return path, has no SPF record"
        return [Finding("fails", "spf", text, f"publish one; {publish}")], False
    findings = await _spf_record(domain, record, dns)
    passes: bool | None = None
    verdicts = await asyncio.gather(
        *(check_host(address.ip, domain, dns, helo=address.helo) for address in sender.public_addresses)
    )
    for address, verdict in zip(sender.public_addresses, verdicts, strict=True):
        if verdict.result == "temperror":
            findings.append(unanswered("spf", verdict.reason))
            continue
        passes = verdict.result == "pass" and passes is not False
        if verdict.result == "pass":
            findings.append(ok("spf", f"{address.ip} may send for {domain} ({verdict.reason})"))
        elif verdict.result == "permerror":
            text = f"{address.ip} can't be checked: {verdict.reason}; receivers take the record as an error"
            findings.append(Finding("fails", "spf", text, f'correct the record "{record.text}"'))
        else:
            network = f"ip{6 if ':' in address.ip else 4}:{address.ip}"
            text = f'{address.ip} may not send for {domain}: {verdict.result} by {verdict.reason} of "{record.text}"'
            findings.append(Finding("fails", "spf", text, f"add {network} before the last part of the record"))
    if sender.relays:
        hosts = " and ".join(sender.relays)
        text = f"whether {domain} lets {hosts} send: the addresses from which a relay goes on are its own affair"
        fix = 'the provider of the relay says which "include:" the record needs; name its addresses with --address'
        findings.append(Finding("not checked", "spf", text, "" if sender.public_addresses else fix))
    elif passes is None and not any(each.severity == "not checked" for each in findings):
        text = f"whether {domain} lets this machine send: its public address is not known"
        findings.append(Finding("not checked", "spf", text, "name it with --address"))
    return findings, passes


async def _spf_record(domain: str, record: SpfRecord, dns: Questions) -> list[Finding]:
    findings: list[Finding] = []
    cost = await spf_cost(record, dns)
    if cost.questions > MOST_QUESTIONS:
        dear = ", ".join(f"{name} ({questions})" for name, questions in cost.dear[:3])
        findings.append(
            Finding(
                "fails",
                "spf",
                f"the SPF record of {domain} makes receivers ask the DNS {cost.questions} times; "
                f"they stop at {MOST_QUESTIONS} and take the record as an error",
                f"take out what no longer sends{f'; the dearest parts are {dear}' if dear else ''}",
            )
        )
    everybody = record.all
    if everybody == "+":
        text = f"the SPF record of {domain} lets the whole internet send (+all)"
        findings.append(Finding("fails", "spf", text, "end it with ~all or -all"))
    elif everybody == "?" or (everybody is None and not record.redirect):
        text = f"the SPF record of {domain} says nothing of those it does not name"
        findings.append(Finding("warns", "spf", text, "end it with ~all"))
    if any(term.mechanism == "ptr" for term in record.terms):
        text = f"the SPF record of {domain} has ptr, which RFC 7208 advises against and some receivers pass over"
        findings.append(Finding("warns", "spf", text, "name the addresses with ip4: and ip6:"))
    return findings or [
        ok("spf", f"{domain} has one SPF record, which costs {cost.questions} of {MOST_QUESTIONS} look-ups")
    ]


@dataclass(frozen=True, slots=True)
class _Policy:
    domain: str
    record: dict[str, str]
    asks: str


async def examine_dmarc(
    sender: Sender, dns: Questions, organisation: Organisation, *, signed: bool, spf: bool | None
) -> list[Finding]:
    """The policy, and whether mail passes, given what DKIM and SPF came to."""
    found = await _policy(sender.domain, dns, organisation)
    if isinstance(found, Finding):
        return [found]
    findings = [_asked_for(found)]
    if "rua" not in found.record:
        text = f"the DMARC record of {found.domain} names nobody to report to (rua), so failures stay unseen"
        findings.append(Finding("warns", "dmarc", text, f"add rua=mailto:dmarc@{found.domain} or an analyst's address"))
    strict = found.record.get("aspf", "r").lower() == "s"
    same = sender.return_domain == sender.domain
    aligned = same or (not strict and organisation(sender.return_domain) == organisation(sender.domain))
    why = "the record asks for the same domain (aspf=s)" if strict else "they belong to different organisations"
    by_spf = spf is True and aligned
    if not signed and spf is None and aligned:
        text = "whether mail passes DMARC: it is not signed by Postroom, and SPF could not be checked"
        findings.append(Finding("not checked", "dmarc", text, "see dkim and spf above"))
    elif not signed and not by_spf:
        text = f"mail from {sender.domain} does not pass DMARC: neither a signature nor SPF speaks for the domain"
        findings.append(Finding("fails", "dmarc", text, "see dkim and spf above; one of them must be right"))
    elif not aligned:
        text = f"SPF speaks for {sender.return_domain} and not for {sender.domain}: {why}; DMARC rests on DKIM alone"
        findings.append(Finding("warns", "dmarc", text, f"take a return path below {organisation(sender.domain)}"))
    elif signed and spf is not False:
        text = "DKIM and SPF both speak" if spf else "DKIM speaks"
        findings.append(ok("dmarc", f"mail passes DMARC: {text} for {sender.domain}"))
    else:
        other = "SPF" if signed else "DKIM"
        text = f"mail passes DMARC by {'DKIM' if signed else 'SPF'} alone; large receivers want {other} as well"
        findings.append(Finding("warns", "dmarc", text, f"see {other.lower()} above"))
    return findings


async def _policy(domain: str, dns: Questions, organisation: Organisation) -> _Policy | Finding:
    for name in dict.fromkeys((domain, organisation(domain))):
        answer = await dns.text(f"_dmarc.{name}")
        if isinstance(answer, Trouble):
            return unanswered("dmarc", answer.text)
        texts = answer.texts if isinstance(answer, TextFound) else ()
        found = [tags(text) for text in texts if text.split(";")[0].replace(" ", "") == "v=DMARC1"]
        if len(found) > 1:
            text = f"_dmarc.{name} has {len(found)} DMARC records, which count as none"
            return Finding("fails", "dmarc", text, "keep one")
        if not found:
            continue
        record = found[0]
        asks = record.get("p", "").lower()
        if name != domain:
            asks = record.get("sp", asks).lower()
        if asks not in _POLICIES:
            text = f'the DMARC record of {name} asks for "{asks}", which is none of none, quarantine and reject'
            return Finding("fails", "dmarc", text, "write p=none to begin with")
        return _Policy(name, record, asks)
    text = f"{domain} has no DMARC record; Gmail, Yahoo and Microsoft want one of everybody who sends much"
    return Finding("fails", "dmarc", text, f'publish _dmarc.{domain} TXT "v=DMARC1; p=none; rua=mailto:dmarc@{domain}"')


def _asked_for(policy: _Policy) -> Finding:
    if policy.asks == "none":
        text = "asks receivers for nothing yet (p=none): enough for large receivers, and no protection against forgers"
        return ok("dmarc", f"_dmarc.{policy.domain} {text}")
    return ok("dmarc", f"_dmarc.{policy.domain} asks receivers for p={policy.asks}")
