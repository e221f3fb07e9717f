"""`postroom doctor`: what a large receiver would object to in the mail of a domain."""

import asyncio
import shutil
import socket
import ssl
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from ipaddress import ip_address
from typing import Annotated, TextIO

import typer
from publicsuffixlist import PublicSuffixList

from postroom.assembly.delivery import mx_options, own_host
from postroom.cli.database import run_on_database
from postroom.cli.domain import Domain, Mid, Nameserver, resolver_of, sender_name
from postroom.cli.options import with_settings
from postroom.cli.output import AsJson, print_json
from postroom.content.links import PATHS
from postroom.delivery.routing.resolver import Resolver
from postroom.delivery.routing.sts_fetch import PolicyFetcher
from postroom.delivery.smtp.target import parse_relay_url
from postroom.delivery.tracking_domain import NOBODY, look_at
from postroom.doctor.active_definitions import mailings_from
from postroom.doctor.examination import Instruments, Tell, counts, examine, lines
from postroom.doctor.finding import Check, Finding
from postroom.doctor.incoming import Looks
from postroom.doctor.mail_hosts import look_at_host
from postroom.doctor.sender import (
    Sender,
    SendingAddress,
    addresses_of_machine,
    addresses_of_table,
    relays_of_table,
)
from postroom.settings import Settings
from postroom.store.pool import Connection
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID
from postroom.tenancy.link_keys import load_link_tokens
from postroom.tenancy.sender_domains import DomainKey, list_domains

# Nothing is sent there: connecting a datagram socket only chooses the address it would be sent from.
_FAR_AWAY = ("198.51.100.1", "2001:db8::1")


@with_settings
def doctor(
    settings: Settings,
    domain: Domain,
    mid: Mid = DEFAULT_ACCOUNT_ID,
    address: Annotated[
        list[str] | None,
        typer.Option("--address", help="An IP address that receivers see; may be repeated. [found out]", metavar="IP"),
    ] = None,
    nameserver: Nameserver = None,
    seconds: Annotated[
        int, typer.Option("--seconds", help="What is not known by then is not checked.", min=1, max=600)
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Say in plain words what a large receiver would object to in mail from a domain; exit code 1 if anything fails."""
    name = sender_name(domain)
    given = [_ip(each) for each in address or ()]
    dns = resolver_of(settings, nameserver)
    tell = progress(name, sys.stderr)

    async def run(connection: Connection) -> list[Finding]:
        options = mx_options(settings)
        verifying = ssl.create_default_context()
        host = own_host(settings)
        looks = Looks(
            host=partial(look_at_host, port=options.port, helo=host, tls=verifying),
            policy=PolicyFetcher(dns, verifying=verifying, allow_private=options.allow_private).fetch,
            allow_private=options.allow_private,
        )
        tokens = await load_link_tokens(connection)
        track = partial(look_at, settings.tracking_url, PATHS["open"] + tokens.head(NOBODY).token("open"))
        suffixes = PublicSuffixList()
        keys = next((each.keys for each in await list_domains(connection, mid) if each.domain == name), ())
        tell(["address"])
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        addresses, relays = await _ways(settings, given, dns, end)
        sender = Sender(
            domain=name,
            keys=keys,
            return_domain=_return_domain(settings, name, keys),
            own_host=host,
            mode=settings.delivery,
            addresses=tuple(addresses),
            relays=relays,
            mailings=tuple(await mailings_from(connection, mid, name, from_address=settings.from_address)),
            tracking_url=settings.tracking_url,
        )
        instruments = Instruments(dns, looks, track, lambda text: suffixes.privatesuffix(text) or text)
        return await examine(sender, instruments, seconds=max(0.0, end - loop.time()), tell=tell)

    findings = run_on_database(settings, "postroom doctor", run, mid=mid)
    if as_json:
        shown = {"domain": name, "findings": [asdict(each) for each in findings], "counts": counts(findings)}
        print_json(shown)
    else:
        typer.echo("\n".join(lines(findings)))
    if counts(findings)["fails"]:
        raise typer.Exit(1)


def progress(domain: str, terminal: TextIO) -> Tell:
    """Shows a person at a terminal in one line, which goes away at the end, what is waited for."""
    if not terminal.isatty():
        return lambda _waiting: None

    def tell(waiting: Sequence[Check]) -> None:
        text = f"{domain}: looking at {', '.join(waiting)} ..." if waiting else ""
        terminal.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
        terminal.flush()

    return tell


async def _ways(
    settings: Settings, given: Sequence[str], dns: Resolver, end: float
) -> tuple[list[SendingAddress], tuple[str, ...]]:
    """The addresses that receivers see, and the relays."""
    host = own_host(settings)
    known = [SendingAddress(each, host) for each in given]
    if settings.delivery == "relay" and settings.relay is not None:
        return known, (parse_relay_url(settings.relay).host,)
    if settings.delivery != "routes":
        return known or await _machine(host, dns, end), ()
    table = mx_options(settings).table
    found, by_system = addresses_of_table(table, host)
    if by_system:
        found += await _machine(host, dns, end)
    return known or found, relays_of_table(table)


async def _machine(host: str, dns: Resolver, end: float) -> list[SendingAddress]:
    """Its addresses, as far as they are known at the time ``end`` of the event loop."""
    try:
        async with asyncio.timeout_at(end):
            return await addresses_of_machine(host, _outgoing(), dns)
    except TimeoutError:
        return []


def _return_domain(settings: Settings, domain: str, keys: Sequence[DomainKey]) -> str:
    pattern = settings.bounce_domain
    if pattern is None or ("*" in pattern and all(key.waiting for key in keys)):
        return domain
    return pattern.replace("*", domain)


def _outgoing() -> list[str]:
    """The addresses from which this machine reaches the internet."""
    found = []
    for far in _FAR_AWAY:
        family = socket.AF_INET6 if ":" in far else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as trial:
                trial.connect((far, 25))
                found.append(str(trial.getsockname()[0]))
        except OSError:
            continue
    return found


def _ip(text: str) -> str:
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no IP address; write one such as 192.0.2.7", param_hint="--address"
        ) from None
