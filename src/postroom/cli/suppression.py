"""`postroom suppression`: the addresses that a business unit sends nothing to."""

import io
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, Literal, TypeVar

import typer

from postroom.audience.suppression import (
    CAUSES,
    AddressInvalid,
    Cause,
    Entry,
    Suppression,
    lift,
    list_suppressions,
    suppress,
    suppressions_of,
)
from postroom.audience.suppression_file import (
    FileFormat,
    file_head,
    file_line,
    moment_text,
    read_cause,
    read_file,
    read_moment,
)
from postroom.audience.suppression_transfer import ImportReport, every_suppression, import_lines
from postroom.cli.database import run_with_pool
from postroom.cli.files import unusable
from postroom.cli.options import with_settings
from postroom.cli.output import AsJson, clock_text, note, print_json, print_list
from postroom.settings import Settings
from postroom.store.database import Pool
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID

suppression_app = typer.Typer(help="Addresses that get no mail.", no_args_is_help=True)

Mid = Annotated[int, typer.Option("--mid", help="The business unit.")]
Address = Annotated[str, typer.Argument(help="The email address.", metavar="ADDRESS")]
CauseOption = Annotated[str | None, typer.Option("--cause", help=f"One of {', '.join(CAUSES)}.")]
Format = Annotated[
    Literal["csv", "ndjson"] | None,
    typer.Option("--format", help="What kind of file. [ndjson when its name ends so, else csv]"),
]
_T = TypeVar("_T")


@suppression_app.callback()
def suppressions() -> None:
    """Addresses that get no mail."""


@suppression_app.command("add")
@with_settings
def add_command(
    settings: Settings,
    address: Address,
    mid: Mid = DEFAULT_ACCOUNT_ID,
    cause: CauseOption = None,
    evidence: Annotated[str, typer.Option("--evidence", help="Who asked for it, and when.")] = "",
    expires: Annotated[str | None, typer.Option("--expires", help="A date or time with its offset. [never]")] = None,
    as_json: AsJson = False,
) -> None:
    """Suppress an address, for the cause manual unless another is given."""
    with _sentences():
        moment = None if expires is None else read_moment("--expires", expires)
        entry = Entry(address, _cause(cause) or "manual", evidence, moment)

    async def add(pool: Pool) -> list[Suppression]:
        async with pool.acquire() as connection, connection.transaction():
            await suppress(connection, mid, [entry])
            return await suppressions_of(connection, mid, address, cause=entry.cause, expired=True)

    (stored,) = _run(settings, mid, add)
    if as_json:
        print_json(_shown(stored))
    else:
        until = "" if stored.expires_at is None else f" until {clock_text(stored.expires_at)}"
        typer.echo(f"{stored.address} gets no mail{until}: {stored.cause} (suppression {stored.suppression_id})")


@suppression_app.command("list")
@with_settings
def list_command(
    settings: Settings,
    mid: Mid = DEFAULT_ACCOUNT_ID,
    address: Annotated[str | None, typer.Option("--address", help="Only this address.")] = None,
    containing: Annotated[str | None, typer.Option("--containing", help="Only addresses with this in them.")] = None,
    cause: CauseOption = None,
    expired: Annotated[bool, typer.Option("--expired", help="Show those that are over, too.")] = False,
    after: Annotated[int, typer.Option("--after", help="Go on after this id.", min=0, max=2**63 - 1)] = 0,
    limit: Annotated[int, typer.Option("--limit", help="At most so many.", min=1, max=1_000_000)] = 100,
    as_json: AsJson = False,
) -> None:
    """Print suppressions, oldest first."""
    wanted = _cause(cause)

    async def read(pool: Pool) -> list[Suppression]:
        if address is not None:
            return await suppressions_of(pool, mid, address, cause=wanted, expired=expired)
        return await list_suppressions(
            pool, mid, after=after, limit=limit, cause=wanted, containing=containing, expired=expired
        )

    found = _run(settings, mid, read)
    rows = [
        {
            "id": each.suppression_id,
            "address": each.address or "(erased)",
            "cause": each.cause,
            "created": each.created_at,
            "expires": each.expires_at,
            "evidence": each.evidence,
        }
        for each in found
    ]
    print_list([_shown(each) for each in found], rows, "no suppressions", as_json=as_json)


@suppression_app.command("remove")
@with_settings
def remove_command(
    settings: Settings,
    address: Address,
    mid: Mid = DEFAULT_ACCOUNT_ID,
    cause: CauseOption = None,
    as_json: AsJson = False,
) -> None:
    """Send to an address again; with --cause, as far as that cause goes. Print how many suppressions went."""
    wanted = _cause(cause)

    async def remove(pool: Pool) -> int:
        async with pool.acquire() as connection, connection.transaction():
            return await lift(connection, mid, [address], None if wanted is None else [wanted])

    removed = _run(settings, mid, remove)
    if as_json:
        print_json({"removed": removed})
    else:
        typer.echo(f"{address}: {removed} {'suppression' if removed == 1 else 'suppressions'} removed")


@suppression_app.command("import")
@with_settings
def import_command(
    settings: Settings,
    file: Annotated[Path, typer.Argument(help="CSV or NDJSON; - is standard input.", metavar="FILE")],
    mid: Mid = DEFAULT_ACCOUNT_ID,
    cause: CauseOption = None,
    kind: Format = None,
    as_json: AsJson = False,
) -> None:
    """Suppress the addresses of a file. Its good lines are stored, the others told; exit code 1 when there are any."""
    wanted = _cause(cause) or "import"

    async def store(pool: Pool) -> ImportReport:
        return await import_lines(pool, mid, read_file(kind or _kind_of(file), lines, wanted))

    with _opened(file) as lines:
        report = _run(settings, mid, store)
    for line in report.problems:
        note(f"{file}:{line.number}: {line.problem}")
    if as_json:
        print_json({"added": report.added, "known": report.known, "rejected": report.rejected})
    else:
        typer.echo(f"{report.added} added, {report.known} known already, {report.rejected} rejected")
    if report.rejected:
        raise typer.Exit(1)


@suppression_app.command("export")
@with_settings
def export_command(
    settings: Settings,
    mid: Mid = DEFAULT_ACCOUNT_ID,
    cause: CauseOption = None,
    kind: Annotated[Literal["csv", "ndjson"], typer.Option("--format", help="What kind of file.")] = "csv",
) -> None:
    """Write the suppressions that are in force to standard output, without erased addresses."""
    wanted = _cause(cause)

    async def write(pool: Pool) -> None:
        out = sys.stdout.buffer
        out.write(file_head(kind).encode())
        async for each in every_suppression(pool, mid, cause=wanted):
            out.write(file_line(kind, each).encode())
        out.flush()

    _run(settings, mid, write)


def _run(settings: Settings, mid: int, work: Callable[[Pool], Awaitable[_T]]) -> _T:
    with _sentences():
        return run_with_pool(settings, "postroom suppression", work, mid=mid)


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        unusable(f"the file is not UTF-8 (byte {error.start + 1}); save it as UTF-8")
    except (AddressInvalid, ValueError) as problem:
        raise typer.BadParameter(str(problem)) from None


@contextmanager
def _opened(file: Path) -> Iterator[IO[str]]:
    try:
        raw = sys.stdin.buffer if str(file) == "-" else file.open("rb")
    except OSError as error:
        unusable(
            f"{file}: {error.strerror or error}; name a CSV or NDJSON file that can be read, or - for standard input"
        )
    with raw:
        yield io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def _kind_of(file: Path) -> FileFormat:
    return "ndjson" if file.suffix.lower() in (".ndjson", ".jsonl") else "csv"


def _cause(text: str | None) -> Cause | None:
    with _sentences():
        return None if text is None else read_cause(text)


def _shown(found: Suppression) -> dict[str, Any]:
    return {
        "id": found.suppression_id,
        "address": found.address,
        "cause": found.cause,
        "evidence": found.evidence,
        "created": moment_text(found.created_at),
        "expires": None if found.expires_at is None else moment_text(found.expires_at),
    }
