"""`postroom message`: messages that wait for somebody's decision."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import typer

from postroom.cli.database import run_on_database
from postroom.cli.options import with_settings
from postroom.intake.holding import HeldMessage, Place, cancel_held, held_messages, release_held
from postroom.settings import Settings
from postroom.store.pool import Connection
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID

message_app = typer.Typer(help="Messages: those that are held, and what becomes of them.", no_args_is_help=True)

Keys = Annotated[list[str], typer.Argument(metavar="MESSAGE_KEY...", help="The message keys.")]
Mid = Annotated[int, typer.Option("--mid", help="The business unit.")]


@message_app.callback()
def messages() -> None:
    """Messages: those that are held, and what becomes of them."""


@message_app.command("held")
@with_settings
def held_command(settings: Settings, mid: Mid = DEFAULT_ACCOUNT_ID) -> None:
    """Print up to 1,000 messages that are held, the earliest first, as JSON."""

    async def read(connection: Connection) -> list[HeldMessage]:
        return await held_messages(connection, mid)

    found = run_on_database(settings, "postroom message", read)
    shown = [
        {"messageKey": each.message_key, "to": each.address, "acceptedAt": each.accepted_at.isoformat()}
        for each in found
    ]
    typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))


@message_app.command("release")
@with_settings
def release_command(settings: Settings, message_keys: Keys, mid: Mid = DEFAULT_ACCOUNT_ID) -> None:
    """Send held messages again, now. One whose outcome was unknown may then arrive twice."""
    _decide(settings, message_keys, mid, "released", release_held)


@message_app.command("cancel")
@with_settings
def cancel_command(settings: Settings, message_keys: Keys, mid: Mid = DEFAULT_ACCOUNT_ID) -> None:
    """Give held messages up: they count as not sent, status 39."""
    _decide(settings, message_keys, mid, "cancelled", cancel_held)


def _decide(
    settings: Settings,
    message_keys: Sequence[str],
    mid: int,
    done: str,
    act: Callable[[Connection, int, Sequence[Place]], Awaitable[int]],
) -> None:
    async def work(connection: Connection) -> tuple[list[HeldMessage], int]:
        found = await held_messages(connection, mid, message_keys)
        return found, await act(connection, mid, [each.place for each in found])

    found, number = run_on_database(settings, "postroom message", work)
    known = {each.message_key.lower() for each in found}
    for key in message_keys:
        if key.lower() not in known:
            typer.echo(f"{key}: no message of business unit {mid} with this key is held", err=True)
    typer.echo(f"{number} {done}")
    if len(known) < len({key.lower() for key in message_keys}):
        raise typer.Exit(1)
