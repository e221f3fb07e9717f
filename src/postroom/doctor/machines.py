"""The machines that hand mail to receivers: reverse DNS, and the names that they say.

Gmail and Yahoo refuse mail from an address without a reverse DNS name that leads back to it, over IPv6 always.
"""

import asyncio
import re
from ipaddress import ip_address

from postroom.delivery.routing.records import AddressesFound, NamesFound, Trouble
from postroom.doctor.finding import Finding, ok, unanswered
from postroom.doctor.questions import Questions
from postroom.doctor.sender import Sender, SendingAddress

_MOST_NAMES = 10
_GENERIC = re.compile(
    r"(?:^|[.-])(?:dyn(?:amic)?|dsl|adsl|vdsl|dhcp|dial(?:up|in)?|pool|ppp|pppoe|broadband|cable|client|cust(?:omer)?"
    r"|generic|unassigned|static|reverse)[0-9]*(?:[.-]|$)"
)


async def examine_machines(sender: Sender, dns: Questions) -> list[Finding]:
    """Each sending address, then each name that is said."""
    if not sender.addresses:
        if sender.relays:
            text = "reverse DNS and the HELO name: mail leaves by a relay, whose provider answers for its addresses"
            return [Finding("not checked", "address", text)]
        text = f"reverse DNS: no public address is known for {sender.own_host}"
        return [Finding("not checked", "address", text, "name the one that receivers see with --address")]
    said = {
        helo: [each.ip for each in sender.public_addresses if each.helo == helo]
        for helo in dict.fromkeys(each.helo for each in sender.addresses)
    }
    return list(
        await asyncio.gather(
            *(_reverse(address, dns) for address in sender.addresses),
            *(_helo(helo, addresses, dns) for helo, addresses in said.items()),
        )
    )


async def _reverse(address: SendingAddress, dns: Questions) -> Finding:
    ip = address.ip
    if not address.public:
        text = f"{ip} is not on the public internet: receivers see another address, of which nothing is known"
        return Finding("not checked", "address", text, "name the one that receivers see with --address")
    answer = await dns.reverse(ip)
    if isinstance(answer, Trouble):
        return unanswered("address", answer.text)
    ask = f"have whoever leases you the address set its reverse DNS to {address.helo}"
    names = answer.names[:_MOST_NAMES] if isinstance(answer, NamesFound) else ()
    if not names:
        return Finding("fails", "address", f"{ip} has no reverse DNS name (PTR); large receivers refuse its mail", ask)
    lead = await asyncio.gather(*(_leads_to(name, ip, dns) for name in names))
    confirmed = [name for name, back in zip(names, lead, strict=True) if back]
    if not confirmed:
        text = f"the reverse DNS name of {ip}, {names[0]}, does not lead back to it; large receivers refuse its mail"
        kind = "AAAA" if ":" in ip else "A"
        return Finding("fails", "address", text, f"publish {names[0]} {kind} {ip}, or {ask}")
    if all(is_generic(name, ip) for name in confirmed):
        text = f"{confirmed[0]}, the reverse DNS name of {ip}, looks like one of a home or rented machine"
        return Finding("warns", "address", text, ask)
    return ok("address", f"{ip} is {confirmed[0]}, and that leads back to it")


def is_generic(name: str, ip: str) -> bool:
    """Whether a name looks as providers name the addresses that nobody has named: it holds the address, or says what
    kind of line it is."""
    parsed = ip_address(ip)
    if parsed.version == 4:
        octets = str(parsed).split(".")
        numbers = re.findall(r"[0-9]+", name)
        plain = [number.lstrip("0") or "0" for number in numbers]
        runs = [plain[at : at + 4] for at in range(len(plain))]
        if octets in runs or octets[::-1] in runs:
            return True
        if parsed.packed.hex() in name or "".join(each.zfill(3) for each in octets) in name:
            return True
    else:
        digits = parsed.packed.hex()
        if digits[16:] in re.sub(r"[^0-9a-f]", "", name) or digits[16:] in re.sub(r"[^0-9a-f]", "", name)[::-1]:
            return True
    return _GENERIC.search(name) is not None


async def _helo(helo: str, addresses: list[str], dns: Questions) -> Finding:
    if "." not in helo or not helo.rpartition(".")[2].isalpha():
        text = f"this server calls itself {helo}, which is no name that the DNS could know; many receivers refuse it"
        return Finding("fails", "helo", text, "set POSTROOM_PUBLIC_URL, or helo in the source pool, to a host name")
    answers = await asyncio.gather(dns.ipv4(helo), dns.ipv6(helo))
    found = [address for each in answers if isinstance(each, AddressesFound) for address in each.addresses]
    trouble = next((each.text for each in answers if isinstance(each, Trouble)), "")
    if not found:
        if trouble:
            return unanswered("helo", trouble)
        text = f"this server calls itself {helo}, a name without an address; some receivers refuse it"
        return Finding("fails", "helo", text, f"publish an A record of {helo}")
    strange = [ip for ip in addresses if ip_address(ip) not in map(ip_address, found)]
    if strange:
        text = f"{helo}, the name said from {strange[0]}, does not lead there but to {', '.join(found[:4])}"
        fix = f"publish {helo} {'AAAA' if ':' in strange[0] else 'A'} {strange[0]}"
        return Finding("warns", "helo", text, fix)
    if not addresses:
        return Finding("not checked", "helo", f"whether {helo} is the name of the address that receivers see")
    return ok("helo", f"{helo}, the name that is said, leads to the address it is said from")


async def _leads_to(name: str, ip: str, dns: Questions) -> bool:
    answer = await (dns.ipv6(name) if ":" in ip else dns.ipv4(name))
    return isinstance(answer, AddressesFound) and ip_address(ip) in map(ip_address, answer.addresses)
