"""`postroom message`: what happened to a message, and messages that wait for somebody's decision."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import typer

from postroom.api.wire.search import ShownMessage, shown_messages
from postroom.api.wire.timeline import shown_timeline
from postroom.audience.suppression_file import moment_text
from postroom.cli.database import run_on_database, run_with_pool
from postroom.cli.message_filter import (
    Before,
    ContactKey,
    DefinitionKey,
    Recipient,
    Since,
    Status,
    wanted_messages,
)
from postroom.cli.message_job import job_app
from postroom.cli.message_story import story_lines
from postroom.cli.options import with_settings
from postroom.cli.output import AsJson, AsJsonLines, clock_text, note, print_json, print_list, table_lines
from postroom.events.search import search_messages
from postroom.events.timeline import message_timeline
from postroom.intake.holding import HeldMessage, Place, cancel_held, held_messages, release_held
from postroom.settings import Settings
from postroom.store.pool import Connection, Pool
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID

_ROLE = "postroom message"

message_app = typer.Typer(help="Messages: what happened to one, those that are held, jobs.", no_args_is_help=True)
message_app.add_typer(job_app, name="job")

Keys = Annotated[list[str], typer.Argument(metavar="MESSAGE_KEY...", help="The message keys.")]
Mid = Annotated[int, typer.Option("--mid", help="The business unit.")]


@message_app.callback()
def messages() -> None:
    """Messages: what happened to one, those that are held, jobs over many."""


@message_app.command("show")
@with_settings
def show_command(
    settings: Settings,
    message_key: Annotated[str, typer.Argument(metavar="MESSAGE_KEY", help="The message key.")],
    mid: Mid = DEFAULT_ACCOUNT_ID,
    as_json: AsJson = False,
) -> None:
    """Print what happened to a message, or what it waits for; times are UTC."""

    tried_for = timedelta(days=settings.ens_retry_days)
    found = run_with_pool(
        settings, _ROLE, lambda pool: message_timeline(pool, mid, message_key, tried_for=tried_for), mid=mid
    )
    if found is None:
        text = (
            f"business unit {mid} keeps no message with the key {message_key!r}; postroom message search finds messages"
        )
        raise typer.BadParameter(text, param_hint="MESSAGE_KEY")
    shown = shown_timeline(found)
    if as_json:
        print_json(msgspec.to_builtins(shown))
    else:
        typer.echo("\n".join(story_lines(shown)))


@message_app.command("search")
@with_settings
def search_command(
    settings: Settings,
    recipient: Recipient = None,
    contact_key: ContactKey = None,
    definition_key: DefinitionKey = None,
    status: Status = None,
    since: Since = None,
    before: Before = None,
    limit: Annotated[int, typer.Option("--limit", help="At most so many.", min=1, max=100_000)] = 50,
    mid: Mid = DEFAULT_ACCOUNT_ID,
    as_json: AsJsonLines = False,
) -> None:
    """Print messages, newest first; times are UTC. All that is given has to be true of them."""
    wanted = wanted_messages(recipient, contact_key, definition_key, status, since, before)

    rows: list[dict[str, object]] = []

    async def search(pool: Pool) -> None:
        now, left, after = datetime.now(UTC), limit, None
        while left:
            found = await search_messages(pool, mid, wanted, after=after, limit=min(left, 500), now=now)
            for item in shown_messages(found, wanted).items:
                if as_json:
                    typer.echo(msgspec.json.encode(item))
                else:
                    rows.append(_row(item))
            left, after = left - len(found.messages), found.behind
            if after is None:
                break

    run_with_pool(settings, _ROLE, search, mid=mid)
    if rows:
        typer.echo("\n".join(table_lines(rows)))
    elif not as_json:
        note("no message matches")


def _row(item: ShownMessage) -> dict[str, object]:
    marks = [name for name, is_so in (("held", item.held), ("bounced", item.bounced)) if is_so]
    status = f"{item.status} {item.status_code}" if item.status_code is not None else item.status
    return {
        "accepted": clock_text(item.accepted),
        "status": ", ".join([status, *marks]),
        "message key": item.message_key,
        "to": item.to,
        "contact": item.contact_key,
        "definition": item.definition_key,
    }


@message_app.command("held")
@with_settings
def held_command(settings: Settings, mid: Mid = DEFAULT_ACCOUNT_ID, as_json: AsJson = False) -> None:
    """Print up to 1,000 messages that are held, the earliest first."""

    async def read(connection: Connection) -> list[HeldMessage]:
        return await held_messages(connection, mid)

    found = run_on_database(settings, _ROLE, read, mid=mid)
    shown = [
        {"messageKey": each.message_key, "to": each.address, "acceptedAt": moment_text(each.accepted_at)}
        for each in found
    ]
    rows = [{"message key": each.message_key, "to": each.address, "accepted": each.accepted_at} for each in found]
    print_list(shown, rows, f"business unit {mid} holds no message", as_json=as_json)


@message_app.command("release")
@with_settings
def release_command(
    settings: Settings, message_keys: Keys, mid: Mid = DEFAULT_ACCOUNT_ID, as_json: AsJson = False
) -> None:
    """Send held messages again, now. One whose outcome was unknown may then arrive twice.

    Exit code 1 when one of them is not held.
    """
    _decide(settings, message_keys, mid, "released", release_held, as_json)


@message_app.command("cancel")
@with_settings
def cancel_command(
    settings: Settings, message_keys: Keys, mid: Mid = DEFAULT_ACCOUNT_ID, as_json: AsJson = False
) -> None:
    """Give held messages up: they count as not sent, status 39. Exit code 1 when one of them is not held."""
    _decide(settings, message_keys, mid, "cancelled", cancel_held, as_json)


def _decide(
    settings: Settings,
    message_keys: Sequence[str],
    mid: int,
    done: str,
    act: Callable[[Connection, int, Sequence[Place]], Awaitable[int]],
    as_json: bool,
) -> None:
    async def work(connection: Connection) -> tuple[list[HeldMessage], int]:
        found = await held_messages(connection, mid, message_keys)
        return found, await act(connection, mid, [each.place for each in found])

    found, number = run_on_database(settings, _ROLE, work, mid=mid)
    known = {each.message_key.lower() for each in found}
    others = [key for key in message_keys if key.lower() not in known]
    for key in others:
        note(f"{key}: no message of business unit {mid} with this key is held")
    if as_json:
        print_json({done: number, "notHeld": others})
    else:
        typer.echo(f"{number} {done}")
    if others:
        raise typer.Exit(1)
