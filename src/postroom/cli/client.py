"""`postroom client`: the API clients of business units."""

import asyncio
import json
from typing import Annotated

import typer

from postroom.cli.database import database_of
from postroom.cli.options import with_settings
from postroom.settings import Settings
from postroom.store.pool import connect
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID, AccountIdInvalid, ensure_account
from postroom.tenancy.clients import NewClient, SecretHasher, create_client
from postroom.tenancy.scopes import SCOPES, ScopeUnknown, parse_scopes

client_app = typer.Typer(help="API clients: who may ask for access tokens.", no_args_is_help=True)


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
) -> None:
    """Create a client and print its credentials as JSON. The secret is never shown again."""
    try:
        scopes = frozenset(SCOPES) if scope is None else parse_scopes(scope)
        client = asyncio.run(_create(settings, name, mid, scopes))
    except ScopeUnknown as unknown:
        raise typer.BadParameter(str(unknown), param_hint="--scope") from None
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
    typer.echo(json.dumps(shown, indent=2))


async def _create(settings: Settings, name: str, account_id: int, scopes: frozenset[str]) -> NewClient:
    async with database_of(settings) as dsn:
        connection = await connect(dsn, application_name="postroom client")
        try:
            async with connection.transaction():
                await ensure_account(connection, account_id, f"Business unit {account_id}")
                return await create_client(connection, account_id, name, scopes, hasher=SecretHasher())
        finally:
            await connection.close()
