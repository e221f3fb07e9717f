"""`postroom account`: the business units."""

import json
from typing import Annotated

import typer

from postroom.cli.database import run_on_database
from postroom.cli.options import with_settings
from postroom.settings import Settings
from postroom.store.pool import Connection
from postroom.tenancy.accounts import Account, AccountIdInvalid, ensure_account, list_accounts

account_app = typer.Typer(help="Business units: each with its own keys, content and clients.", no_args_is_help=True)


@account_app.callback()
def accounts() -> None:
    """Business units: each with its own keys, content and clients."""


@account_app.command("create")
@with_settings
def create_command(
    settings: Settings,
    mid: Annotated[int, typer.Option("--mid", help="Its MID, a number of your choice.")],
    name: Annotated[str, typer.Option("--name", help='What it is called. ["Business unit" and its MID]')] = "",
) -> None:
    """Create a business unit with its list, classification and content folder; print it as JSON."""
    shown_name = name.strip() or f"Business unit {mid}"

    async def create(connection: Connection) -> bool:
        async with connection.transaction():
            return await ensure_account(connection, mid, shown_name)

    try:
        created = run_on_database(settings, "postroom account", create)
    except AccountIdInvalid as invalid:
        raise typer.BadParameter(str(invalid), param_hint="--mid") from None
    if not created:
        raise typer.BadParameter(f"there is already a business unit {mid}", param_hint="--mid")
    typer.echo(json.dumps({"account_id": mid, "name": shown_name}, indent=2, ensure_ascii=False))


@account_app.command("list")
@with_settings
def list_command(settings: Settings) -> None:
    """Print all business units as JSON."""

    async def read(connection: Connection) -> list[Account]:
        return await list_accounts(connection)

    found = run_on_database(settings, "postroom account", read)
    shown = [{"account_id": account.account_id, "name": account.name} for account in found]
    typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))
