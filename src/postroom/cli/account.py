"""`postroom account`: the business units."""

import dataclasses
import json
from typing import Annotated

import typer

from postroom.cli.database import run_on_database
from postroom.cli.options import with_settings
from postroom.settings import Settings
from postroom.store.pool import Connection
from postroom.tenancy.accounts import (
    LANGUAGES,
    Account,
    AccountIdInvalid,
    LanguageUnknown,
    change_account,
    ensure_account,
    list_accounts,
)

_LANGUAGE = f"The language of its recipients' pages: {', '.join(LANGUAGES)}."

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
    language: Annotated[str, typer.Option("--language", help=_LANGUAGE)] = LANGUAGES[0],
) -> None:
    """Create a business unit with its list, classification and content folder; print it as JSON."""
    shown_name = name.strip() or f"Business unit {mid}"

    async def create(connection: Connection) -> bool:
        async with connection.transaction():
            return await ensure_account(connection, mid, shown_name, language)

    try:
        created = run_on_database(settings, "postroom account", create)
    except AccountIdInvalid as invalid:
        raise typer.BadParameter(str(invalid), param_hint="--mid") from None
    except LanguageUnknown as unknown:
        raise typer.BadParameter(str(unknown), param_hint="--language") from None
    if not created:
        raise typer.BadParameter(f"there is already a business unit {mid}", param_hint="--mid")
    _show(Account(mid, shown_name, language.lower()))


@account_app.command("change")
@with_settings
def change_command(
    settings: Settings,
    mid: Annotated[int, typer.Option("--mid", help="Which business unit.")],
    name: Annotated[str | None, typer.Option("--name", help="What it is called from now on. [as it is]")] = None,
    language: Annotated[str | None, typer.Option("--language", help=f"{_LANGUAGE} [as it is]")] = None,
) -> None:
    """Change a business unit's name or language; print it as JSON."""

    async def change(connection: Connection) -> Account | None:
        return await change_account(connection, mid, name=name, language=language)

    try:
        changed = run_on_database(settings, "postroom account", change)
    except LanguageUnknown as unknown:
        raise typer.BadParameter(str(unknown), param_hint="--language") from None
    if changed is None:
        raise typer.BadParameter(f"there is no business unit {mid}", param_hint="--mid")
    _show(changed)


@account_app.command("list")
@with_settings
def list_command(settings: Settings) -> None:
    """Print all business units as JSON."""

    async def read(connection: Connection) -> list[Account]:
        return await list_accounts(connection)

    found = run_on_database(settings, "postroom account", read)
    typer.echo(json.dumps([dataclasses.asdict(account) for account in found], indent=2, ensure_ascii=False))


def _show(account: Account) -> None:
    typer.echo(json.dumps(dataclasses.asdict(account), indent=2, ensure_ascii=False))
