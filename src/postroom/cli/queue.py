"""`postroom queue`: what waits, which destinations are behind, and why."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
import typer

from postroom.api.wire.queue_report import ShownDestination, ShownQueue, shown_queue
from postroom.cli.database import run_with_pool
from postroom.cli.options import with_settings
from postroom.cli.output import AsJson, print_json, table_lines
from postroom.delivery.smtp.reply import printable
from postroom.intake.queue_report import queue_report
from postroom.settings import Settings
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID

_ROLE = "postroom queue"
_REPLY_SHOWN = 120


@with_settings
def queue_command(
    settings: Settings,
    definition_key: Annotated[
        str | None, typer.Option("--definition-key", help="Only what was sent with this definition.")
    ] = None,
    mid: Annotated[int, typer.Option("--mid", help="The business unit.")] = DEFAULT_ACCOUNT_ID,
    as_json: AsJson = False,
) -> None:
    """Print what is in the queue, and which destinations are behind and why."""
    found = run_with_pool(settings, _ROLE, lambda pool: queue_report(pool, mid, definition_key), mid=mid)
    if found is None:
        text = f"business unit {mid} has no definition with the key {definition_key!r}; without it all are told"
        raise typer.BadParameter(text, param_hint="--definition-key")
    shown = shown_queue(found)
    if as_json:
        print_json(msgspec.to_builtins(shown))
    else:
        typer.echo("\n".join(queue_lines(shown)))


def queue_lines(shown: ShownQueue) -> Iterator[str]:
    """The report as tables; nothing in them can move a terminal's cursor."""
    if not shown.definitions:
        yield "Nothing is queued."
    else:
        yield from table_lines(
            [
                {
                    "definition": each.definition_key
                    + ("" if each.status == "Active" else f" ({each.status.lower()})"),
                    **{
                        name: f"{number}{'+' if each.more else ''}"
                        for name, number in (("due", each.due), ("leased", each.leased), ("waiting", each.waiting))
                    },
                    "held": each.held,
                    "oldest": _ago(each.oldest, shown.at),
                    "next try": _ahead(each.next, shown.at),
                }
                for each in shown.definitions
            ]
        )
    for away in shown.relay_away:
        yield ""
        yield printable(f"Relay {away.relay} is away for {_ago(away.since, shown.at)}: {_short(away.reply)}")
    if shown.destinations:
        others = ", of the messages accepted first" if shown.more else ""
        yield ""
        yield f"Behind{others}:"
        head, *lines = table_lines(
            [
                {
                    "destination": each.domain,
                    "messages": each.messages,
                    "tried": each.tried,
                    "in hand": each.in_hand,
                    "oldest": _ago(each.oldest, shown.at),
                    "next try": _ahead(each.next, shown.at),
                }
                for each in shown.destinations
            ]
        )
        yield head
        for line, each in zip(lines, shown.destinations, strict=True):
            yield line
            yield from map(printable, _whys(each, shown.at))
    if shown.sites:
        yield ""
        yield "Given back, because more waits for the site than goes there:"
        yield from table_lines(
            [
                {
                    "site": site.site,
                    "messages": site.messages,
                    "oldest": _ago(site.oldest, shown.at),
                    "next try": _ahead(site.next, shown.at),
                }
                for site in shown.sites
            ]
        )


def _whys(each: ShownDestination, at: str) -> Iterator[str]:
    last = each.last_attempt
    if last is not None:
        code = "" if last.code is None else f"{last.code} "
        host = f"{last.host}: " if last.host else ""
        yield f"    {_ago(last.at, at)} ago {host}{code}{_short(last.reply)}"
    for why in each.put_offs[:3]:
        yield f"    put off: {why.reason} {why.place} ({why.messages})"


def _ago(moment: str | None, now: str) -> str:
    return "" if moment is None else _span(datetime.fromisoformat(now) - datetime.fromisoformat(moment))


def _ahead(moment: str | None, now: str) -> str:
    if moment is None:
        return ""
    left = datetime.fromisoformat(moment) - datetime.fromisoformat(now)
    return "now" if left <= timedelta() else f"in {_span(left)}"


def _span(span: timedelta) -> str:
    seconds = max(0, round(span.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _short(text: str) -> str:
    return text if len(text) <= _REPLY_SHOWN else text[: _REPLY_SHOWN - 1] + "…"
