"""`postroom ampscript`: golden cases of the language, the user's own or ours."""

import time
from pathlib import Path
from typing import Annotated

import typer

from postroom.assembly.rooms import dialect_of
from postroom.cli.files import read_text, unusable
from postroom.cli.options import with_template_settings
from postroom.cli.output import AsJson, print_json
from postroom.content.ampscript.cases import CasesRejected, check_case, read_cases
from postroom.content.ampscript.engine import Engine
from postroom.settings import Settings

app = typer.Typer(help="Templates and their golden cases.", no_args_is_help=True)


@app.callback()
def ampscript() -> None:
    """Templates and their golden cases."""


@app.command("test")
@with_template_settings
def run_cases(
    settings: Settings,
    cases: Annotated[
        Path, typer.Argument(metavar="CASES.jsonl", help="One JSON object a line; - reads standard input.")
    ],
    as_json: AsJson = False,
) -> None:
    """Run golden cases: each failure with expected and got, then how many passed. Exit code 1 on a failure."""
    engine = Engine(dialect_of(settings))
    passed = 0
    failures: list[dict[str, str]] = []
    try:
        for case in read_cases(read_text(cases)):
            failure = check_case(case, engine, clock=time.monotonic)
            if failure is None:
                passed += 1
                continue
            failures.append({"case": failure.case, "expected": failure.expected, "got": failure.got})
            if not as_json:
                typer.echo(f"{failure.case}\n  expected {failure.expected}\n  got      {failure.got}")
    except CasesRejected as rejected:
        unusable(f"{cases}: {rejected}")
    if as_json:
        print_json({"passed": passed, "failed": len(failures), "failures": failures})
    else:
        typer.echo(f"{passed} passed, {len(failures)} failed")
    if failures:
        raise typer.Exit(1)
