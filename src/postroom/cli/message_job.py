"""`postroom message job`: the same done to many messages, counted first and confirmed with the count."""

import asyncio
import getpass
from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

import msgspec
import typer
from uuid_utils.compat import uuid7

from postroom.api.wire.message_jobs import shown_job, shown_resent
from postroom.assembly.rooms import ledger_of
from postroom.cli.database import run_with_pool
from postroom.cli.message_filter import (
    Before,
    ContactKey,
    DefinitionKey,
    Recipient,
    Since,
    Status,
    wanted_messages,
)
from postroom.cli.options import with_settings
from postroom.cli.output import AsJson, AsJsonLines, clock_text, note, print_json, print_list
from postroom.delivery.smtp.reply import printable
from postroom.events.search import Wanted
from postroom.intake.announce import queue_announcer
from postroom.intake.message_jobs import (
    ACTIONS,
    MATCHING,
    RESULTS,
    MessageJob,
    cancel_job,
    confirm_job,
    count_job,
    find_job,
    latest_jobs,
    resent_messages,
    take_step,
)
from postroom.settings import Settings
from postroom.store.database import Pool
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID

_ROLE = "postroom message job"
_PAGE = 1_000
_ANOTHER_IS_AT_IT_SECONDS = 0.2

_WORDS = {
    "notSent": "not sent",
    "claimed": "left to the worker that had them",
    "erased": "erased",
    "definitionGone": "without a definition",
    "otherState": "not in a state for it",
    "refused": "refused by the database, see its log",
}

job_app = typer.Typer(help="Do the same to many messages: count them, then confirm.", no_args_is_help=True)

Mid = Annotated[int, typer.Option("--mid", help="The business unit.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]


@job_app.callback()
def jobs() -> None:
    """Do the same to many messages: count them, then confirm."""


@job_app.command("count")
@with_settings
def count_command(
    settings: Settings,
    action: Annotated[str, typer.Argument(metavar="ACTION", help=f"One of {', '.join(ACTIONS)}.")],
    recipient: Recipient = None,
    contact_key: ContactKey = None,
    definition_key: DefinitionKey = None,
    status: Status = None,
    since: Since = None,
    before: Before = None,
    mid: Mid = DEFAULT_ACCOUNT_ID,
    as_json: AsJson = False,
) -> None:
    """Count the messages that a filter finds and note a job over them; nothing is done before it is confirmed."""
    known = next((each for each in ACTIONS if each == action.lower()), None)
    if known is None:
        raise typer.BadParameter(f"{action[:50]!r} is no action; use one of {', '.join(ACTIONS)}", param_hint="ACTION")
    wanted = wanted_messages(recipient, contact_key, definition_key, status, since, before)
    if wanted == Wanted():
        raise typer.BadParameter("give at least one of --recipient … --to; for everything give a --from")

    async def work(pool: Pool) -> MessageJob:
        return await count_job(pool, mid, known, wanted, new_id=uuid7(), requested_by=f"{_ROLE} ({getpass.getuser()})")

    job = run_with_pool(settings, _ROLE, work, mid=mid)
    _show(job, as_json)
    if not as_json and job.meant:
        unit = "" if mid == DEFAULT_ACCOUNT_ID else f" --mid {mid}"
        typer.echo(f"to begin: postroom message job confirm {job.job_id} {job.meant}{unit}")


@job_app.command("confirm")
@with_settings
def confirm_command(
    settings: Settings,
    job_id: JobId,
    count: Annotated[int, typer.Argument(metavar="COUNT", help="Of how many messages, as it was counted.", min=0)],
    mid: Mid = DEFAULT_ACCOUNT_ID,
    as_json: AsJson = False,
) -> None:
    """Begin a counted job and work on it, together with the API processes that run, until it is finished.

    When the command is interrupted, a running server goes on; without one, the same command does.
    """

    async def work(pool: Pool) -> MessageJob:
        job = await _existing(pool, mid, job_id)
        if count != job.meant:
            raise typer.BadParameter(
                f"{job.action} is for {job.meant} of the messages that were counted, not {count}; "
                f"look at it with postroom message job show {job.job_id}",
                param_hint="COUNT",
            )
        await confirm_job(pool, mid, job.job_id)
        ledger, announce = ledger_of(settings, pool), queue_announcer(pool)
        while True:
            goes_on = await take_step(pool, ledger, mid, job.job_id)
            await announce(mid)
            if not goes_on:
                job = await _existing(pool, mid, job_id)
                if job.state != "running":
                    return job
                await asyncio.sleep(_ANOTHER_IS_AT_IT_SECONDS)

    job = run_with_pool(settings, _ROLE, work, mid=mid)
    _show(job, as_json)
    if job.state == "cancelled":
        raise typer.Exit(1)


@job_app.command("show")
@with_settings
def show_command(settings: Settings, job_id: JobId, mid: Mid = DEFAULT_ACCOUNT_ID, as_json: AsJson = False) -> None:
    """Print what a job found when it was counted, and what became of the messages so far."""
    _show(run_with_pool(settings, _ROLE, lambda pool: _existing(pool, mid, job_id), mid=mid), as_json)


@job_app.command("list")
@with_settings
def list_command(
    settings: Settings,
    limit: Annotated[int, typer.Option("--limit", help="At most so many.", min=1, max=1_000)] = 50,
    mid: Mid = DEFAULT_ACCOUNT_ID,
    as_json: AsJson = False,
) -> None:
    """Print the newest jobs, newest first."""
    found = run_with_pool(settings, _ROLE, lambda pool: latest_jobs(pool, mid, limit), mid=mid)
    rows = [
        {
            "job": each.job_id,
            "action": each.action,
            "status": each.state,
            "counted": each.counted_at,
            "messages": each.meant,
            "done": each.results["done"],
            "filter": _filter(each),
        }
        for each in found
    ]
    print_list([_json(each) for each in found], rows, f"business unit {mid} has no jobs", as_json=as_json)


@job_app.command("cancel")
@with_settings
def cancel_command(settings: Settings, job_id: JobId, mid: Mid = DEFAULT_ACCOUNT_ID, as_json: AsJson = False) -> None:
    """Let a job do no more; what it has done stays. Exit code 1 when it was finished before."""

    async def work(pool: Pool) -> MessageJob:
        job = await _existing(pool, mid, job_id)
        return await cancel_job(pool, mid, job.job_id) or job

    job = run_with_pool(settings, _ROLE, work, mid=mid)
    _show(job, as_json)
    if job.state != "cancelled":
        note("it was over before; nothing is cancelled")
        raise typer.Exit(1)


@job_app.command("resent")
@with_settings
def resent_command(
    settings: Settings, job_id: JobId, mid: Mid = DEFAULT_ACCOUNT_ID, as_json: AsJsonLines = False
) -> None:
    """Print which new message stands for which old one: the old key, a tab, the new one."""

    async def work(pool: Pool) -> None:
        job = await _existing(pool, mid, job_id)
        after = 0
        while page := await resent_messages(pool, mid, job.job_id, after=after, limit=_PAGE):
            for shown in map(shown_resent, page):
                if as_json:
                    typer.echo(msgspec.json.encode(shown))
                else:
                    typer.echo(f"{printable(shown.message_key)}\t{printable(shown.resent_as)}")
            after = page[-1].number

    run_with_pool(settings, _ROLE, work, mid=mid)


async def _existing(pool: Pool, mid: int, job_id: str) -> MessageJob:
    try:
        found = await find_job(pool, mid, UUID(job_id))
    except ValueError:
        found = None
    if found is None:
        raise typer.BadParameter(
            f"business unit {mid} has no job {job_id[:50]!r}; postroom message job list shows them", param_hint="JOB"
        )
    return found


def _show(job: MessageJob, as_json: bool) -> None:
    if as_json:
        print_json(_json(job))
        return
    more = "" if job.complete else ", and there are more"
    typer.echo(f"job {job.job_id}: {job.action} {_filter(job)}; {job.state}")
    found = f"{_counts(job.matching, MATCHING)}{more}"
    typer.echo(f"  counted {clock_text(job.counted_at)}: {found}; for {job.action}: {job.meant}")
    if job.state != "counted":
        typer.echo(f"  {'so far' if job.state == 'running' else job.state}: {_counts(job.results, RESULTS)}")


def _json(job: MessageJob) -> dict[str, object]:
    shown: dict[str, object] = msgspec.to_builtins(shown_job(job))
    return shown


def _filter(job: MessageJob) -> str:
    return printable(" ".join(f"{name}={value}" for name, value in shown_job(job).filter.items()))


def _counts(counts: Mapping[str, int], names: tuple[str, ...]) -> str:
    return ", ".join(f"{counts[name]} {_WORDS.get(name, name)}" for name in names if counts[name]) or "none"
