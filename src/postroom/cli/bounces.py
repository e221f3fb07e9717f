"""`postroom bounces`: the server that takes them, and the rules of today over what was refused before."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from postroom.assembly.bounces import bounce_rules
from postroom.audience.suppression_file import read_moment
from postroom.bounces.rerun import Change, Rerun, rerun
from postroom.cli.database import run_on_database
from postroom.cli.options import with_settings
from postroom.cli.output import AsJson, print_json
from postroom.cli.roles import bounces_command
from postroom.delivery.smtp.reply import printable
from postroom.settings import Settings
from postroom.store.pool import Connection
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID

bounces_app = typer.Typer(help="Bounces and complaints: take them, and judge refusals anew.", no_args_is_help=True)


@bounces_app.callback()
def bounces() -> None:
    """Bounces and complaints: take them, and judge refusals anew."""


bounces_app.command("serve")(bounces_command)


@bounces_app.command("rerun")
@with_settings
def rerun_command(
    settings: Settings,
    mid: Annotated[int, typer.Option("--mid", help="The business unit whose mail was refused.")] = DEFAULT_ACCOUNT_ID,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Only what was refused since this date (UTC) or time. [as long as events are kept]",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; print what would change.")] = False,
    as_json: AsJson = False,
) -> None:
    """Apply the rules of today to stored replies; suppress and release addresses as the new verdicts say."""
    rules = bounce_rules(settings)
    now = datetime.now(UTC)
    kept = now - timedelta(days=settings.retention_days + 1)
    begin = kept if since is None else max(kept, _moment(since))

    async def work(connection: Connection) -> Rerun:
        return await rerun(connection, mid, rules, since=begin, now=now, dry_run=dry_run)

    done = run_on_database(settings, "postroom bounces", work, mid=mid)
    if as_json:
        changes = [_shown(each) for each in done.changes]
        print_json({"judged": done.judged, "changes": changes})
        return
    for each in done.changes:
        shown = _shown(each)
        effect = f"; address {each.effect}" if each.effect else ""
        typer.echo(f"{printable(each.message_key) or '(kept no more)'}: {shown['before']} -> {shown['after']}{effect}")
        typer.echo(f"    {printable(each.reply)}")
    effects = [each.effect for each in done.changes]
    would = "would be " if dry_run else ""
    typer.echo(
        f"{done.judged} refusals judged, {len(effects)} verdicts {would}changed, "
        f"{effects.count('suppressed')} addresses {would}suppressed, {effects.count('lifted')} {would}lifted"
    )


def _moment(text: str) -> datetime:
    try:
        return read_moment("--since", text)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None


def _shown(change: Change) -> dict[str, str]:
    before, after = change.before, change.after
    return {
        "messageKey": change.message_key,
        "address": change.address,
        "reply": change.reply,
        "before": f"{before.fault}/{before.permanence}/{before.category}",
        "after": f"{after.fault}/{after.permanence}/{after.category}",
        "rule": after.rule,
        "effect": change.effect,
    }
