"""`postroom apply`: bring a business unit to the shape that a file states."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from uuid_utils.compat import uuid7

from postroom.assembly.delivery import route_names
from postroom.assembly.rooms import dialect_of
from postroom.catalog.blueprint import Blueprint, read_blueprint
from postroom.catalog.blueprint_folder import BlueprintFolder, BlueprintRejected
from postroom.catalog.data_extensions import ExtensionRejected
from postroom.catalog.publishing import Publisher, PublishingRejected
from postroom.catalog.shaping import carry_out, plan
from postroom.cli.database import database_of
from postroom.cli.options import with_settings
from postroom.cli.output import AsJson, note, print_json
from postroom.content.ampscript.engine import Engine
from postroom.content.model import ContentRejected
from postroom.settings import Settings
from postroom.store.pool import open_pool
from postroom.tenancy.accounts import AccountIdInvalid


@with_settings
def apply(
    settings: Settings,
    stated: Annotated[Path | None, typer.Argument(help="The TOML file that states the shape.", metavar="FILE")] = None,
    option: Annotated[Path | None, typer.Option("--file", "-f", help="The same, as an option.", metavar="FILE")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a business unit to the shape a TOML file states, and print what that takes: + is new, ~ changes.

    Applying the same file again changes nothing. What the file does not name is left alone. What is doubtful in a
    template that is published is printed as a warning.
    """
    file = stated or option
    if file is None or (stated and option):
        raise typer.BadParameter("name one TOML file, such as account.toml", param_hint="FILE")
    try:
        folder = BlueprintFolder(
            file.parent, most_files=settings.template_attachments, most_bytes=settings.template_attached_bytes
        )
        blueprint = read_blueprint(file.read_text(encoding="utf-8"), folder)
    except OSError as problem:
        raise typer.BadParameter(
            f"{file} can't be read ({problem.strerror}); name a TOML file that may be read", param_hint="FILE"
        ) from None
    except (BlueprintRejected, UnicodeDecodeError) as rejected:
        raise typer.BadParameter(f"{file}: {rejected}", param_hint="FILE") from None
    try:
        lines, doubtful = asyncio.run(_apply(settings, blueprint, dry_run=dry_run))
    except (PublishingRejected, ContentRejected, ExtensionRejected, AccountIdInvalid) as rejected:
        raise typer.BadParameter(f"{file}: {rejected}", param_hint="FILE") from None
    if as_json:
        print_json({"account_id": blueprint.account.mid, "dry_run": dry_run, "steps": lines, "warnings": doubtful})
        return
    for line in lines:
        typer.echo(line)
    for warning in doubtful:
        note(f"warning: {warning}")
    if not lines:
        typer.echo(f"business unit {blueprint.account.mid} is as {file} states; nothing to do")


async def _apply(settings: Settings, blueprint: Blueprint, *, dry_run: bool) -> tuple[list[str], list[str]]:
    async with database_of(settings) as dsn:
        pool = await open_pool(dsn, max_size=2, application_name="postroom apply")
        try:
            publisher = Publisher(
                pool,
                from_name=settings.from_name,
                from_address=settings.from_address,
                new_status=settings.new_definition_status,
                engine=Engine(dialect_of(settings)),
                new_id=uuid7,
                routes=route_names(settings),
            )
            async with pool.acquire() as connection:
                steps = await plan(connection, publisher, blueprint)
            doubtful = [] if dry_run else await carry_out(pool, steps)
            return [step.text for step in steps], doubtful
        finally:
            await pool.close()
