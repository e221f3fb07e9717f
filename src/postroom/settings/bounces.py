"""Where bounces and complaints come in, and what is made of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from postroom.settings.option import MiB, doc


@dataclass(frozen=True, kw_only=True)
class BounceSettings:
    """Bounces and complaints."""

    bounce_domain: Annotated[
        str | None,
        doc(
            "The domain of the return path of every mail, such as `bounces.example.com`, whose MX is this server. "
            "A `*` in it stands for the domain of the from-address, as in `bounces.*`, and then only mail that is "
            "signed has a return path of its own.",
            unit="domain",
            default="none: the return path is the from-address",
        ),
    ] = None
    bounce_smtp: Annotated[
        str | None,
        doc(
            "Where bounces and complaints are taken by SMTP, such as `0.0.0.0:25`.",
            unit="host:port",
            default="none: no bounces are taken",
        ),
    ] = None
    bounce_max_bytes: Annotated[
        int,
        doc(
            "Largest mail that is taken there; of a longer report than 256 KiB only the beginning is looked at.",
            unit="bytes",
            ge=64 * 1024,
            le=256 * MiB,
        ),
    ] = 50 * MiB
    bounce_tls_certificate: Annotated[
        Path | None,
        doc(
            "The certificate for STARTTLS there, in PEM, with those that lead to its authority.",
            unit="file",
            default="none: STARTTLS is not offered",
        ),
    ] = None
    bounce_tls_key: Annotated[
        Path | None,
        doc("The private key of that certificate, in PEM.", unit="file", default="none"),
    ] = None
    bounce_rules: Annotated[
        Path | None,
        doc(
            "A TOML file that says what refusals mean, in place of the rules that come with Postroom.",
            unit="file",
            default="`src/postroom/bounces/rules.toml`",
        ),
    ] = None
    soft_bounces: Annotated[
        int,
        doc(
            "After how many soft bounces of its own mailbox (full, over quota), with no mail delivered between them, "
            "an address is suppressed; 0 is never, and 3 is what the vendor is said to do.",
            unit="messages",
            ge=0,
            le=100,
        ),
    ] = 0
    soft_bounce_days: Annotated[
        int,
        doc(
            "How long after the first of them the last must come: a mailbox that is full for a day is no reason.",
            unit="days",
            ge=0,
            le=365,
        ),
    ] = 15
