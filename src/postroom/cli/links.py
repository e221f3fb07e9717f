"""`postroom links`: the key that links in mails are signed with."""

import typer

from postroom.cli.database import run_on_database
from postroom.cli.options import with_settings
from postroom.cli.output import AsJson, print_json
from postroom.settings import Settings
from postroom.store.pool import Connection
from postroom.tenancy.link_keys import TooManyKeys, rotate_link_key

links_app = typer.Typer(help="The key that links in mails are signed with.", no_args_is_help=True)


@links_app.callback()
def links() -> None:
    """The key that links in mails are signed with."""


@links_app.command("rotate")
@with_settings
def rotate_command(settings: Settings, as_json: AsJson = False) -> None:
    """Make a new key. Links under older keys go on working.

    Processes learn of it when they start: restart those of the API first, then those that deliver.
    """

    async def rotate(connection: Connection) -> int:
        async with connection.transaction():
            return await rotate_link_key(connection)

    try:
        key_id = run_on_database(settings, "postroom links", rotate)
    except TooManyKeys as none_left:
        raise typer.BadParameter(str(none_left)) from None
    if as_json:
        print_json({"link_key": key_id})
    else:
        typer.echo(
            f"links are signed with key {key_id} by processes that start from now on; restart those of the API first"
        )
