"""`postroom render`: one template with attributes and data extensions from files, printed as it would be sent."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, get_args
from uuid import uuid4

import typer

from postroom.assembly.rooms import dialect_of
from postroom.cli.files import read_object, read_text, unusable
from postroom.cli.options import with_template_settings
from postroom.content.ampscript.cases import FIRST_YEAR, LAST_YEAR, new_run
from postroom.content.ampscript.engine import Engine
from postroom.content.ampscript.faults import Fault
from postroom.content.ampscript.memory import MemoryBlocks, MemoryData, TablesRejected
from postroom.content.ampscript.run import NoFetch, Services
from postroom.content.attributes import merge_attributes
from postroom.content.model import ContentRejected
from postroom.settings import Settings

Part = Literal["html", "text", "subject", "preheader"]


@with_template_settings
def render(
    settings: Settings,
    file: Annotated[Path, typer.Argument(help="The template, UTF-8; - reads standard input.", metavar="FILE")],
    attributes: Annotated[
        Path | None, typer.Option("--attributes", metavar="A.json", help="Attributes: one JSON object.")
    ] = None,
    data_extensions: Annotated[
        Path | None,
        typer.Option(
            "--data-extensions",
            metavar="D.json",
            help='Data extensions: {"Name": [rows]} or {"Name": {"fields": …, "rows": …}}.',
        ),
    ] = None,
    content_blocks: Annotated[
        Path | None,
        typer.Option(
            "--content-blocks", metavar="B.json", help='Content blocks: {"by_key": …, "by_id": …, "by_name": …}.'
        ),
    ] = None,
    now: Annotated[str | None, typer.Option("--now", metavar="ISO", help="The time of the send.")] = None,
    part: Annotated[str, typer.Option("--part", metavar="html|text|subject", help="Which part the file is.")] = "html",
    seed: Annotated[str | None, typer.Option("--seed", metavar="TEXT", help="Fixes what Random and GUID give.")] = None,
) -> None:
    """Print what a template gives. Warnings and errors go to standard error; exit code 1 when there is no output."""
    if part not in get_args(Part):
        unusable(f"option --part={part}: choose one of {', '.join(get_args(Part))}")
    moment = _moment(now)
    source = read_text(file)
    values = merge_attributes(read_object(attributes, "what holds attributes"), None)
    services = _services(data_extensions, content_blocks)
    engine = Engine(dialect_of(settings))
    try:
        program = engine.compile({part: source})
    except ContentRejected as rejected:
        for problem in rejected.problems:
            where = f"{file}:{problem.line}:{problem.column}"
            typer.echo(f"{where}: error: {problem.sentence} [{problem.code}]", err=True)
        raise typer.Exit(1) from None
    for found in program.diagnostics:
        typer.echo(f"{file}:{found.line}:{found.column}: warning: {found.sentence} [{found.code}]", err=True)
    run = new_run(engine, values, now=moment, services=services, seed=seed if seed is not None else uuid4().hex)
    try:
        printed = program.render(run)[part]
    except Fault as fault:
        what = f"{fault.function}: " if fault.function else ""
        place = f"{file}:{fault.line}:{fault.column}" if fault.part in {part, ""} else f"{file}: in {fault.part}"
        typer.echo(f"{place}: error: {what}{fault.message} [{fault.code}]", err=True)
        raise typer.Exit(1) from None
    for attachment in run.attachments:
        typer.echo(f"{file}: attaches {attachment.file_name} from {attachment.location}", err=True)
    # bytes: the template's own line breaks, on every system
    sys.stdout.buffer.write(printed.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def _moment(now: str | None) -> datetime:
    if now is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(now)
        moment = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        unusable(f"option --now={now}: this is not an ISO time; write 2026-03-04T13:52:07-06:00")
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        unusable(f"option --now={now}: the year is out of range; give one from {FIRST_YEAR} to {LAST_YEAR}")
    return moment


def _services(data_extensions: Path | None, content_blocks: Path | None) -> Services:
    try:
        data = MemoryData.load(read_object(data_extensions, "what holds data extensions"))
    except TablesRejected as rejected:
        unusable(f"{data_extensions}: {rejected}")
    described = read_object(content_blocks, "what holds content blocks")
    blocks: list[dict[str, str]] = []
    kinds = ("by_key", "by_id", "by_name")
    for name in described.keys() - set(kinds):
        unusable(f"{content_blocks}: {name!r} is no way to name content blocks; use {', '.join(kinds)}")
    for kind in kinds:
        found = described.get(kind, {})
        if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
            unusable(f'{content_blocks}: {kind} is an object of texts; write {{"{kind}": {{"name": "text"}}}}')
        blocks.append(found)
    fetcher = NoFetch("postroom render makes no HTTP requests; try it with a send in the sandbox")
    return Services(time.monotonic, data, MemoryBlocks(*blocks), fetcher)
