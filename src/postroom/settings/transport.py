"""How mail to MX hosts is protected on its way."""

from dataclasses import dataclass
from typing import Annotated, Literal

from postroom.settings.option import doc


@dataclass(frozen=True, kw_only=True)
class TransportSettings:
    """Transport security."""

    mx_tls: Annotated[
        Literal["opportunistic", "required", "verify"],
        doc(
            "TLS to MX hosts whose domain publishes no rule of its own (MTA-STS, DANE): `opportunistic` uses it where "
            "it is offered and works, `required` sends nothing without it, `verify` wants a certificate of a public "
            "authority for the name of the host as well. The last two leave many domains unreachable."
        ),
    ] = "opportunistic"
    mta_sts: Annotated[
        Literal["on", "off"],
        doc(
            "Whether MX hosts have to keep to the MTA-STS policy of the recipient's domain (RFC 8461). Policies are "
            "fetched from `https://mta-sts.<domain>/`: where a delivery process may not make such requests, `off`."
        ),
    ] = "on"
    dane: Annotated[
        Literal["auto", "on", "off"],
        doc(
            "Whether the certificates of MX hosts have to agree with their TLSA records (DANE, RFC 7672). That needs "
            "DNS servers that validate (DNSSEC) and are reached over a way that nobody can tamper with. `auto` is on "
            "when all of them are on this machine; `on` trusts those that are asked, wherever they are."
        ),
    ] = "auto"
