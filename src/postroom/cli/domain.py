"""`postroom domain`: the domains mail comes from, their DKIM keys and their DNS records."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

import typer

from postroom.assembly.delivery import own_host
from postroom.audience.suppression_file import moment_text
from postroom.cli.database import run_on_database
from postroom.cli.options import with_settings
from postroom.cli.output import AsJson, print_json, print_list
from postroom.delivery.routing.resolver import Resolver
from postroom.delivery.smtp.reply import printable
from postroom.delivery.smtp.target import parse_relay_url
from postroom.doctor.domain_records import Comparison, Record, ReturnDomain, check_records, records_of
from postroom.settings import Settings
from postroom.settings.option import parse_dns_servers
from postroom.store.pool import Connection
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID
from postroom.tenancy.sealing import load_seal
from postroom.tenancy.sender_domains import (
    ALGORITHMS,
    TAKES_EFFECT,
    DomainInvalid,
    DomainTaken,
    DomainUnknown,
    KeyAlgorithm,
    SenderDomain,
    add_waiting_keys,
    create_domain,
    domain_name,
    find_domain,
    list_domains,
    new_key,
    switch_keys,
)

domain_app = typer.Typer(help="Sender domains: signing keys and DNS records.", no_args_is_help=True)

Domain = Annotated[str, typer.Argument(help="The domain, such as example.com.", metavar="DOMAIN")]
Mid = Annotated[int, typer.Option("--mid", help="The business unit it belongs to.")]
SendingHost = Annotated[
    str | None,
    typer.Option(
        "--sending-host",
        help="The machine that hands mail to receivers, for SPF. [the relay, or the host of the public URL]",
    ),
]
Nameserver = Annotated[
    str | None,
    typer.Option(
        "--nameserver",
        metavar="ADDRESS[:PORT]",
        help="Ask this DNS server, such as 192.0.2.53. [those of the settings, or the system's]",
    ),
]
_ROLE = "postroom domain"
_QUESTION_SECONDS = 8.0
_T = TypeVar("_T")


@domain_app.callback()
def domains() -> None:
    """Sender domains: mail whose from-address is in one of them is signed."""


@domain_app.command("create")
@with_settings
def create_command(
    settings: Settings,
    domain: Domain,
    mid: Mid = DEFAULT_ACCOUNT_ID,
    algorithm: Annotated[
        Literal["rsa", "ed25519", "both"],
        typer.Option("--algorithm", help="The kind of its key: rsa is understood everywhere. [rsa]"),
    ] = "rsa",
    sending_host: SendingHost = None,
    as_json: AsJson = False,
) -> None:
    """Make a domain with its keys. Mail from exactly this domain is signed from now on; print its DNS records."""
    name = sender_name(domain)
    keys = [new_key(each) for each in (ALGORITHMS if algorithm == "both" else (algorithm,))]

    async def create(connection: Connection) -> SenderDomain:
        seal = await load_seal(connection)
        async with connection.transaction():
            await create_domain(connection, mid, name, keys, seal=seal)
        return await find_domain(connection, mid, name)

    made = _run(settings, create, mid)
    time.sleep(TAKES_EFFECT.total_seconds())
    _print_records(made, _records(settings, made, sending_host), as_json)


@domain_app.command("list")
@with_settings
def list_command(settings: Settings, mid: Mid = DEFAULT_ACCOUNT_ID, as_json: AsJson = False) -> None:
    """Print the domains of a business unit with their keys."""

    async def read(connection: Connection) -> list[SenderDomain]:
        return await list_domains(connection, mid)

    found = _run(settings, read, mid)
    shown = [
        {
            "domain": each.domain,
            "created": moment_text(each.created_at),
            "keys": [
                {
                    "selector": key.selector,
                    "algorithm": key.algorithm,
                    "state": "waiting" if key.waiting else "active",
                    "created": moment_text(key.created_at),
                }
                for key in each.keys
            ],
        }
        for each in found
    ]
    rows = [
        {
            "domain": each.domain,
            "selector": key.selector,
            "algorithm": key.algorithm,
            "state": "waiting" if key.waiting else "active",
            "created": key.created_at,
        }
        for each in found
        for key in each.keys
    ]
    print_list(shown, rows, f"business unit {mid} has no domains", as_json=as_json)


@domain_app.command("dns")
@with_settings
def dns_command(
    settings: Settings,
    domain: Domain,
    mid: Mid = DEFAULT_ACCOUNT_ID,
    sending_host: SendingHost = None,
    as_json: AsJson = False,
) -> None:
    """Print the DNS records of a domain, as lines of a zone file or as JSON."""
    found = _find(settings, domain, mid)
    _print_records(found, _records(settings, found, sending_host), as_json)


@domain_app.command("check")
@with_settings
def check_command(
    settings: Settings,
    domain: Domain,
    mid: Mid = DEFAULT_ACCOUNT_ID,
    sending_host: SendingHost = None,
    nameserver: Nameserver = None,
    as_json: AsJson = False,
) -> None:
    """Compare what DNS says with what it should; exit code 1 unless all of it is right."""
    found = _find(settings, domain, mid)
    findings = _check(settings, found, _records(settings, found, sending_host), nameserver)
    if as_json:
        print_json({"domain": found.domain, "records": [_finding(each) for each in findings]})
    else:
        for each in findings:
            typer.echo(f"{each.state:8} {each.record.purpose:6} {each.record.name}: {printable(each.explanation)}")
    if any(each.state != "ok" for each in findings):
        raise typer.Exit(1)


@domain_app.command("rotate")
@with_settings
def rotate_command(
    settings: Settings,
    domain: Domain,
    mid: Mid = DEFAULT_ACCOUNT_ID,
    finish: Annotated[
        bool, typer.Option("--finish", help="Sign with the new keys, once DNS has them; the old ones retire.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="With --finish: do not look whether DNS has them.")] = False,
    sending_host: SendingHost = None,
    nameserver: Nameserver = None,
    as_json: AsJson = False,
) -> None:
    """Make new keys that sign nothing yet, and print the records; after these are published, --finish switches."""
    found = _find(settings, domain, mid)
    waiting = [key for key in found.keys if key.waiting]
    if finish:
        _finish(settings, found, mid, nameserver, force)
    elif not waiting:
        algorithms: Sequence[KeyAlgorithm] = [key.algorithm for key in found.keys]
        keys = [new_key(each) for each in dict.fromkeys(algorithms)]

        async def add(connection: Connection) -> None:
            seal = await load_seal(connection)
            async with connection.transaction():
                await add_waiting_keys(connection, mid, found.domain, keys, seal=seal)

        _run(settings, add, mid)
    shown = _find(settings, domain, mid)
    _print_records(shown, _records(settings, shown, sending_host), as_json)


def _finish(settings: Settings, found: SenderDomain, mid: int, nameserver: str | None, force: bool) -> None:
    waiting = {key.selector for key in found.keys if key.waiting}
    if not waiting:
        raise typer.BadParameter(
            f"{found.domain} has no new keys; postroom domain rotate {found.domain} makes them", param_hint="--finish"
        )
    if not force:
        records = [record for record in records_of(found, "") if record.selector in waiting]
        faults = [each for each in _check(settings, found, records, nameserver) if each.state != "ok"]
        if faults:
            raise typer.BadParameter(
                f"{faults[0].record.name}: {faults[0].explanation}; or give --force", param_hint="--finish"
            )

    async def switch(connection: Connection) -> None:
        async with connection.transaction():
            await switch_keys(connection, mid, found.domain)

    _run(settings, switch, mid)
    time.sleep(TAKES_EFFECT.total_seconds())


def _run(settings: Settings, work: Callable[[Connection], Awaitable[_T]], mid: int) -> _T:
    try:
        return run_on_database(settings, _ROLE, work, mid=mid)
    except (DomainTaken, DomainUnknown) as wrong:
        raise typer.BadParameter(str(wrong.args[0]), param_hint="DOMAIN") from None


def sender_name(text: str) -> str:
    """The domain of an argument as domains are stored."""
    try:
        return domain_name(text)
    except DomainInvalid as wrong:
        raise typer.BadParameter(str(wrong), param_hint="DOMAIN") from None


def _find(settings: Settings, domain: str, mid: int) -> SenderDomain:
    name = sender_name(domain)

    async def read(connection: Connection) -> SenderDomain:
        return await find_domain(connection, mid, name)

    return _run(settings, read, mid)


def _records(settings: Settings, domain: SenderDomain, sending_host: str | None) -> list[Record]:
    host = sending_host if sending_host is not None else _sending_host(settings)
    returns = None
    if settings.bounce_domain is not None:
        returns = ReturnDomain(settings.bounce_domain.replace("*", domain.domain), own_host(settings))
    return records_of(domain, host, returns)


def _sending_host(settings: Settings) -> str:
    """The name of the machine that receivers see, as far as the settings tell."""
    if settings.delivery == "relay" and settings.relay is not None:
        host = parse_relay_url(settings.relay).host
    else:
        host = urlsplit(settings.public_url).hostname or ""
    return host if "." in host and host.rpartition(".")[2].isalpha() else ""


def _check(
    settings: Settings, domain: SenderDomain, records: Sequence[Record], nameserver: str | None
) -> list[Comparison]:
    return asyncio.run(check_records(domain, records, resolver_of(settings, nameserver)))


def resolver_of(settings: Settings, nameserver: str | None) -> Resolver:
    """Asks the one that `--nameserver` names, else those of the settings, else the system's; somebody waits for it."""
    if nameserver is not None:
        return Resolver(nameserver_addresses(nameserver), seconds=_QUESTION_SECONDS)
    known = tuple((each.host, each.port) for each in settings.dns_server_addresses)
    try:
        return Resolver(known, seconds=_QUESTION_SECONDS)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong), param_hint="--nameserver") from None


def nameserver_addresses(text: str) -> tuple[tuple[str, int], ...]:
    """The servers that `--nameserver` names, as in the setting of that purpose."""
    try:
        return tuple((each.host, each.port) for each in parse_dns_servers(text))
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong), param_hint="--nameserver") from None


def _shown(record: Record) -> dict[str, str]:
    return {"type": record.type, "name": record.name, "value": record.value}


def _finding(finding: Comparison) -> dict[str, str]:
    return _shown(finding.record) | {"state": finding.state, "explanation": finding.explanation}


def _print_records(domain: SenderDomain, records: Sequence[Record], as_json: bool) -> None:
    if as_json:
        print_json({"domain": domain.domain, "records": [_shown(record) for record in records]})
        return
    for record in records:
        typer.echo(record.line())
