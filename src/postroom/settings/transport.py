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
    tls_reports: Annotated[
        Literal["on", "off"],
        doc(
            "Whether recipients' domains that ask for it (`_smtp._tls`) are told once a day how TLS with their MX "
            "hosts went (RFC 8460), by mail or HTTPS. Needs `POSTROOM_TLS_REPORT_FROM`."
        ),
    ] = "off"
    tls_report_from: Annotated[
        str | None,
        doc(
            "The from-address of these reports, such as `tls-reports@example.com`; its domain is one that mail is "
            "signed for (`postroom domain create`).",
            unit="email address",
            default="none",
        ),
    ] = None
    tls_report_organization: Annotated[
        str | None,
        doc("Who reports, as the reports call it.", unit="name", default="the domain of `POSTROOM_TLS_REPORT_FROM`"),
    ] = None
    tls_report_contact: Annotated[
        str | None,
        doc(
            "Whom to ask about the reports, as they say.",
            unit="email address",
            default="`POSTROOM_TLS_REPORT_FROM`",
        ),
    ] = None
