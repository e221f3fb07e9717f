"""Asking the DNS, on the event loop, with dnspython.

Whatever an answer holds, what leaves here is bounded and printable: at most ``MOST_RECORDS`` records, host names
in lower case. Answers that chase aliases in circles, don't parse or don't come are ``Trouble``.
"""

from ipaddress import ip_address

import dns.asyncbackend
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.PTR
import dns.rdtypes.ANY.TLSA
import dns.rdtypes.ANY.TXT
import dns.resolver

from postroom.delivery.routing.dane import Tlsa
from postroom.delivery.routing.records import (
    AddressAnswer,
    AddressesFound,
    MxAnswer,
    MxFound,
    MxRecord,
    NameAnswer,
    NamesFound,
    Nothing,
    TextAnswer,
    TextFound,
    TlsaAnswer,
    TlsaFound,
    Trouble,
)

MOST_RECORDS = 100
QUESTION_SECONDS = 15.0
"""For one question, all servers and repeats included."""
NEGATIVE_SECONDS = 300.0
_SERVER_SECONDS = 3.0


class Resolver:
    """Asks ``servers`` (address and port each), or those of this machine when there are none given.

    ``validates`` says whether they are believed when they call an answer validated (the AD flag); None is for: when
    all of them are on this machine, since on the way from anywhere else the flag could be set by anybody.
    Raises ValueError when neither names one.
    """

    def __init__(
        self,
        servers: tuple[tuple[str, int], ...] = (),
        *,
        seconds: float = QUESTION_SECONDS,
        validates: bool | None = None,
    ) -> None:
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        except dns.resolver.NoResolverConfiguration:
            raise ValueError("this machine names no DNS server (/etc/resolv.conf); name one") from None
        if servers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in servers]
        self._resolver.timeout = min(_SERVER_SECONDS, seconds)
        self._resolver.lifetime = seconds
        self._resolver.use_edns(0, 0, 1232)
        asked = [address for address, _ in servers] or [str(each) for each in self._resolver.nameservers]
        self.validates = all(_is_loopback(address) for address in asked) if validates is None else validates
        """Whether answers can be secure."""
        if self.validates:
            # Asks for the flag without asking for the signatures (RFC 6840 §5.7).
            self._resolver.set_flags(dns.flags.RD | dns.flags.AD)
        self._backend = dns.asyncbackend.get_backend("asyncio")

    async def mx(self, name: str) -> MxAnswer:
        """See ``Dns``."""
        answer = await self._ask(name, "MX")
        if not isinstance(answer, dns.resolver.Answer):
            return answer
        records = [
            MxRecord(each.preference, _host(each.exchange))
            for each in answer
            if isinstance(each, dns.rdtypes.ANY.MX.MX)
        ]
        # The most preferred are kept; the order among equals is the sender's business (RFC 5321 §5.1).
        records.sort(key=lambda record: record.preference)
        return MxFound(tuple(records[:MOST_RECORDS]), _ttl(answer), self._secure(answer.response))

    async def ipv4(self, name: str) -> AddressAnswer:
        """See ``Dns``."""
        return await self._addresses(name, "A")

    async def ipv6(self, name: str) -> AddressAnswer:
        """See ``Dns``."""
        return await self._addresses(name, "AAAA")

    async def tlsa(self, name: str) -> TlsaAnswer:
        """The TLSA records of a name such as ``_25._tcp.mx.example.com``."""
        answer = await self._ask(name, "TLSA")
        if not isinstance(answer, dns.resolver.Answer):
            return answer
        records = [
            Tlsa(each.usage, each.selector, each.mtype, each.cert)
            for each in answer
            if isinstance(each, dns.rdtypes.ANY.TLSA.TLSA)
        ]
        return TlsaFound(tuple(records[:MOST_RECORDS]), _ttl(answer), self._secure(answer.response))

    async def text(self, name: str) -> TextAnswer:
        """The TXT records of a name."""
        answer = await self._ask(name, "TXT")
        if not isinstance(answer, dns.resolver.Answer):
            return answer
        records = [each for each in answer if isinstance(each, dns.rdtypes.ANY.TXT.TXT)]
        return TextFound(tuple(b"".join(each.strings).decode("ascii", "replace") for each in records[:MOST_RECORDS]))

    async def reverse(self, address: str) -> NameAnswer:
        """The names that the DNS has for an IP address. Raises ValueError when it is none."""
        answer = await self._ask(ip_address(address).reverse_pointer, "PTR")
        if not isinstance(answer, dns.resolver.Answer):
            return answer
        records = [each for each in answer if isinstance(each, dns.rdtypes.ANY.PTR.PTR)]
        return NamesFound(tuple(_host(each.target) for each in records[:MOST_RECORDS]))

    async def _addresses(self, name: str, kind: str) -> AddressAnswer:
        answer = await self._ask(name, kind)
        if not isinstance(answer, dns.resolver.Answer):
            return answer
        return AddressesFound(
            tuple(each.to_text() for each in answer)[:MOST_RECORDS],
            _ttl(answer),
            self._secure(answer.response),
            _host(answer.canonical_name),
        )

    def _secure(self, response: dns.message.Message) -> bool:
        return self.validates and bool(response.flags & dns.flags.AD)

    async def _ask(self, name: str, kind: str) -> dns.resolver.Answer | Nothing | Trouble:
        try:
            answer = await self._resolver.resolve(
                dns.name.from_text(name), kind, raise_on_no_answer=False, search=False, backend=self._backend
            )
        except dns.resolver.NXDOMAIN:
            return Nothing(exists=False, ttl=NEGATIVE_SECONDS)
        except dns.exception.Timeout:
            return Trouble(f"no answer from the DNS for {kind} of {name}")
        except dns.resolver.NoNameservers:
            return Trouble(f"the DNS servers fail for {kind} of {name}")
        except (dns.exception.DNSException, OSError, ValueError) as problem:
            return Trouble(f"the DNS answer for {kind} of {name} is unusable ({type(problem).__name__})")
        if answer.rrset is None:
            return Nothing(exists=True, ttl=NEGATIVE_SECONDS, secure=self._secure(answer.response))
        return answer


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _host(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if len(name) > 1 else ""


def _ttl(answer: dns.resolver.Answer) -> float:
    return float(answer.chaining_result.minimum_ttl)
