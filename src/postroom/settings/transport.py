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
