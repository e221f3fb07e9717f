"""`postroom client`: the API clients of business units."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from postroom.audience.suppression_file import moment_text
from postroom.cli.database import run_on_database
from postroom.cli.options import with_settings
from postroom.cli.output import AsJson, print_json, print_list
from postroom.settings import Settings
from postroom.store.pool import Connection
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID, AccountIdInvalid, ensure_account
from postroom.tenancy.clients import (
    ClientSummary,
    ClientUnknown,
    NewClient,
    SecretHasher,
    create_client,
    list_clients,
    revoke_client,
    rotate_secret,
    set_rate,
    set_scopes,
)
from postroom.tenancy.scopes import SCOPES, ScopeUnknown, parse_scopes, scopes_text

client_app = typer.Typer(help="API clients: who may ask for access tokens.", no_args_is_help=True)

# Credentials are for a program, and shown once: they are JSON with and without it.
Credentials = Annotated[bool, typer.Option("--json", help="What is printed is JSON anyway.")]
ClientId = Annotated[str, typer.Argument(help="The client_id.", metavar="CLIENT_ID")]
_ROLE = "postroom client"
_LONGEST_NAME = 200
_T = TypeVar("_T")


@client_app.callback()
def clients() -> None:
    """API clients: who may ask for access tokens."""


@client_app.command("create")
@with_settings
def create_command(
    settings: Settings,
    name: Annotated[str, typer.Option("--name", help="What the client is called.")],
    mid: Annotated[
        int, typer.Option("--mid", help="The business unit it acts for; made with its defaults when it is new.")
    ] = DEFAULT_ACCOUNT_ID,
    scope: Annotated[
        str | None, typer.Option("--scope", help='What it may do, such as "email_send email_read". [all]')
    ] = None,
    as_json: Credentials = True,
) -> None:
    """Create a client and print its credentials, always as JSON. The secret is never shown again."""
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        text = f"write what the client is called in one line of 1 to {_LONGEST_NAME} printable characters"
        raise typer.BadParameter(text, param_hint="--name")
    scopes = frozenset(SCOPES) if scope is None else _scopes(scope, "--scope")

    async def create(connection: Connection) -> NewClient:
        async with connection.transaction():
            await ensure_account(connection, mid, f"Business unit {mid}")
            return await create_client(connection, mid, name, scopes, hasher=SecretHasher())

    try:
        client = run_on_database(settings, _ROLE, create)
    except AccountIdInvalid as invalid:
        raise typer.BadParameter(str(invalid), param_hint="--mid") from None
    base_url = settings.public_url.rstrip("/") + "/"
    shown = {
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "account_id": client.account_id,
        "auth_base_url": base_url,
        "rest_base_url": base_url,
    }
    print_json(shown)


@client_app.command("list")
@with_settings
def list_command(
    settings: Settings,
    mid: Annotated[int | None, typer.Option("--mid", help="Only those of this business unit.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the clients, revoked ones too."""

    async def read(connection: Connection) -> list[ClientSummary]:
        return await list_clients(connection, mid)

    found = run_on_database(settings, _ROLE, read, mid=mid)
    rows = [
        {
            "client_id": each.client_id,
            "mid": each.account_id,
            "name": each.name,
            "created": each.created_at,
            "revoked": each.revoked_at,
            "per minute": each.rate_per_minute or "no limit",
            "scope": "all" if each.scopes == frozenset(SCOPES) else scopes_text(each.scopes) or "nothing",
        }
        for each in found
    ]
    print_list([_shown(each) for each in found], rows, "no clients", as_json=as_json)


@client_app.command("rotate")
@with_settings
def rotate_command(settings: Settings, client_id: ClientId, as_json: Credentials = True) -> None:
    """Give the client a new secret and print it, always as JSON; the old one stops working at once."""

    async def rotate(connection: Connection) -> str:
        return await rotate_secret(connection, client_id, hasher=SecretHasher())

    secret = _of_client(settings, client_id, rotate)
    print_json({"client_id": client_id, "client_secret": secret})


@client_app.command("revoke")
@with_settings
def revoke_command(settings: Settings, client_id: ClientId, as_json: AsJson = False) -> None:
    """End the client for good. Its tokens are refused within seconds."""

    async def revoke(connection: Connection) -> None:
        await revoke_client(connection, client_id)

    _of_client(settings, client_id, revoke)
    if as_json:
        print_json({"client_id": client_id, "revoked": True})
    else:
        typer.echo(f"client {client_id} is revoked")


@client_app.command("scopes")
@with_settings
def scopes_command(
    settings: Settings,
    client_id: ClientId,
    scope: Annotated[str, typer.Argument(help='All it may do, such as "email_send email_read".', metavar="SCOPE")],
    as_json: AsJson = False,
) -> None:
    """Set what the client may do, from its next token on."""
    scopes = _scopes(scope, "SCOPE")

    async def change(connection: Connection) -> None:
        await set_scopes(connection, client_id, scopes)

    _of_client(settings, client_id, change)
    if as_json:
        print_json({"client_id": client_id, "scope": scopes_text(scopes)})
    else:
        typer.echo(f"client {client_id} may do: {scopes_text(scopes) or 'nothing'}")


@client_app.command("limit")
@with_settings
def limit_command(
    settings: Settings,
    client_id: ClientId,
    per_minute: Annotated[
        int,
        typer.Argument(
            help="Calls a minute that each API process takes; 0 for no limit.",
            min=0,
            max=1_000_000,
            metavar="CALLS",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Limit how fast the client may call; what is over is answered 429 with Retry-After."""

    async def change(connection: Connection) -> None:
        await set_rate(connection, client_id, per_minute or None)

    _of_client(settings, client_id, change)
    if as_json:
        print_json({"client_id": client_id, "rate_per_minute": per_minute or None})
    else:
        typer.echo(f"client {client_id}: {f'{per_minute} calls a minute' if per_minute else 'no limit'}")


def _of_client(settings: Settings, client_id: str, work: Callable[[Connection], Awaitable[_T]]) -> _T:
    try:
        return run_on_database(settings, _ROLE, work)
    except ClientUnknown:
        raise typer.BadParameter(
            f"there is no client {client_id!r}, or it was revoked; see postroom client list", param_hint="CLIENT_ID"
        ) from None


def _scopes(text: str, hint: str) -> frozenset[str]:
    try:
        return parse_scopes(text)
    except ScopeUnknown as unknown:
        raise typer.BadParameter(str(unknown), param_hint=hint) from None


def _shown(client: ClientSummary) -> dict[str, object]:
    return {
        "client_id": client.client_id,
        "account_id": client.account_id,
        "name": client.name,
        "scope": scopes_text(client.scopes),
        "rate_per_minute": client.rate_per_minute,
        "created_at": moment_text(client.created_at),
        "revoked_at": None if client.revoked_at is None else moment_text(client.revoked_at),
    }
