"""Where mail goes, how fast and how often it is tried."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from postroom.settings.option import doc


@dataclass(frozen=True, kw_only=True)
class DeliverySettings:
    """Delivery."""

    delivery: Annotated[
        Literal["sandbox", "relay", "mx", "routes"],
        doc(
            "Where mail goes: `sandbox` keeps it in the capture mailbox, `relay` hands it to the relay, `mx` takes "
            "it straight to the recipients' MX hosts, `routes` does what the route table says."
        ),
    ] = "sandbox"
    relay: Annotated[
        str | None,
        doc(
            "The relay that takes all mail when `delivery` is `relay`: `smtp://[user:pass@]host[:port]`, "
            "`smtps://` for TLS from the first byte; `?tls=` is off, opportunistic, required or verify; `auth=` is "
            "plain, login, cram-md5 or xoauth2, without it the strongest that the relay offers.",
            unit="URL",
            default="none",
        ),
    ] = None
    relay_connections: Annotated[
        int,
        doc("Most SMTP connections one delivery process opens.", unit="connections", ge=1, le=1000),
    ] = 16
    routes: Annotated[
        Path | None,
        doc(
            "The route table when `delivery` is `routes`: a TOML file that says which mail goes to which relays or to "
            "MX hosts, and from which addresses.",
            unit="file",
            default="none",
        ),
    ] = None
    dns_servers: Annotated[
        str | None,
        doc(
            "The DNS servers that are asked for MX hosts: IP addresses with commas between them, each with "
            "its port if that is not 53.",
            unit="addresses",
            default="those of the machine, from `/etc/resolv.conf`",
        ),
    ] = None
    mx_port: Annotated[
        int,
        doc(
            "The port of MX hosts. On the internet it is 25; others are for test networks.", unit="port", ge=1, le=65535
        ),
    ] = 25
    mx_private_addresses: Annotated[
        Literal["refuse", "allow"],
        doc(
            "MX hosts with loopback, link-local or private addresses: `refuse` them, since whoever owns a domain can "
            "point it into your network, or `allow` them, for mail within a network and for tests."
        ),
    ] = "refuse"
    shaping: Annotated[
        Path | None,
        doc(
            "A TOML file that says how fast each provider's MX hosts are fed, in place of the rules that "
            "come with Postroom.",
            unit="file",
            default="`src/postroom/delivery/routing/shaping.toml`",
        ),
    ] = None
    retry_schedule: Annotated[
        str,
        doc(
            "Waits before the second, third and further attempts of a deferred mail, with spaces between them; the "
            "last one repeats. Each is varied by up to 20 %.",
            unit="waits in s, m, h or d",
        ),
    ] = "1m 5m 15m 1h 3h 6h"
    retry_max_hours: Annotated[
        float,
        doc("Age at which a mail that is still deferred counts as not sent.", unit="hours", gt=0, le=720),
    ] = 72.0
    delivery_processes: Annotated[
        int,
        doc(
            "Processes that claim, compose and send.",
            unit="processes",
            default="half the cores, at least 1",
            ge=1,
            le=256,
        ),
    ]
    signing_multibuffer: Annotated[
        Literal["auto", "off"],
        doc(
            "RSA signatures eight at a time: `auto` makes them so where the package `ipp-crypto` is installed and the "
            "processor has AVX-512 IFMA, `off` makes them one at a time."
        ),
    ] = "auto"
    lease_seconds: Annotated[
        float,
        doc(
            "How long a delivery process owns what it claimed without renewing it; after a lost machine, "
            "others go on after this time.",
            unit="seconds",
            ge=1,
            le=3600,
        ),
    ] = 30.0
    settle_milliseconds: Annotated[
        int,
        doc(
            "How long outcomes are gathered before they are committed together.",
            unit="milliseconds",
            ge=1,
            le=1000,
        ),
    ] = 20
    slice_size: Annotated[
        int,
        doc(
            "Most recipients of one request that one claim hands out together.",
            unit="recipients",
            ge=1,
            le=2000,
        ),
    ] = 250
    claim_messages: Annotated[
        int,
        doc(
            "Most messages of one definition's batches that one delivery process holds at a time; "
            "a quarter of it for its small requests. At the least, one slice is held. As many again may wait in it for "
            "slow MX hosts and for the DNS.",
            unit="messages",
            ge=1,
            le=100_000,
        ),
    ] = 1000
