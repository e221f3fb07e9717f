"""`postroom lint`: everything that is wrong or doubtful in templates, with what to write instead."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from postroom import __version__
from postroom.assembly.rooms import dialect_of
from postroom.cli.files import read_object, read_text, unusable
from postroom.cli.options import with_template_settings
from postroom.cli.output import print_json
from postroom.content.ampscript.engine import Engine
from postroom.content.ampscript.problems import Diagnostic
from postroom.content.attributes import fold_name
from postroom.content.names import SYSTEM_NAMES
from postroom.settings import Settings

_FORMATS = ("text", "json", "sarif")


@with_template_settings
def lint(
    settings: Settings,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Templates, UTF-8; - reads standard input.")],
    output: Annotated[str, typer.Option("--format", metavar="text|json|sarif", help="How to print.")] = "text",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    attributes: Annotated[
        Path | None,
        typer.Option("--attributes", metavar="A.json", help="Attributes of a send: names not among them are errors."),
    ] = None,
) -> None:
    """Report every mistake in templates. Exit code 1 when one of them cannot be sent; warnings alone give 0."""
    if output not in _FORMATS:
        unusable(f"option --format={output}: choose one of {', '.join(_FORMATS)}")
    if as_json:
        output = "json"
    known: frozenset[str] | None = None
    if attributes is not None:
        given = read_object(attributes, "what holds attributes")
        known = frozenset(map(fold_name, given)) | SYSTEM_NAMES
    engine = Engine(dialect_of(settings))
    found: list[tuple[Path, Diagnostic]] = []
    for file in files:
        source = read_text(file)
        found.extend((file, diagnostic) for diagnostic in engine.diagnose({"html": source}, known_names=known))
    if output == "text":
        for file, diagnostic in found:
            typer.echo(_line(file, diagnostic))
    else:
        document = _json(found) if output == "json" else _sarif(found)
        print_json(document)
    if any(diagnostic.severity == "error" for _, diagnostic in found):
        raise typer.Exit(1)


def _line(file: Path, found: Diagnostic) -> str:
    return f"{file}:{found.line}:{found.column}: {found.severity}: {found.sentence} [{found.code}]"


def _json(found: Sequence[tuple[Path, Diagnostic]]) -> list[dict[str, object]]:
    return [
        {
            "file": str(file),
            "line": one.line,
            "column": one.column,
            "severity": one.severity,
            "code": one.code,
            "function": one.function,
            "message": one.message,
            "fix": one.fix,
        }
        for file, one in found
    ]


def _sarif(found: Sequence[tuple[Path, Diagnostic]]) -> dict[str, object]:
    """SARIF 2.1.0, as code hosts read it."""
    rules = [{"id": code} for code in sorted({one.code for _, one in found})]
    results = [
        {
            "ruleId": one.code,
            "level": one.severity,
            "message": {"text": one.sentence},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": file.as_posix()},
                        "region": {"startLine": one.line, "startColumn": one.column},
                    }
                }
            ],
        }
        for file, one in found
    ]
    driver = {"name": "postroom lint", "version": __version__, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results, "columnKind": "unicodeCodePoints"}],
    }
