"""What verbs print: words and tables for people, and with `--json` one JSON document for programs.

Answers go to standard output; notes beside them (nothing found, what to type next) to standard error.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

import typer
from rich.cells import cell_len

from postroom.delivery.smtp.reply import printable

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
AsJsonLines: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON lines: one object a line.")]

Row: TypeAlias = Mapping[str, object]

_GAP = "  "


def print_json(value: object) -> None:
    """One document; text outside ASCII as it is."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def note(sentence: str) -> None:
    """What is not the answer itself, on standard error."""
    typer.echo(sentence, err=True)


def print_list(shown: Sequence[Row], rows: Sequence[Row], nothing: str, *, as_json: bool) -> None:
    """``shown`` as one JSON array, or ``rows`` as a table; ``nothing`` is noted where there are none."""
    if as_json:
        print_json(shown)
    elif rows:
        typer.echo("\n".join(table_lines(rows)))
    else:
        note(nothing)


def print_facts(facts: Row) -> None:
    """A line for each: its name and value in two columns. What is None or empty is left out."""
    known = {name: _cell(value) for name, value in facts.items()}
    width = max(map(len, known), default=0)
    for name, value in known.items():
        if value:
            typer.echo(f"{name:{width}}{_GAP}{value}")


def table_lines(rows: Sequence[Row]) -> list[str]:
    """A head of the first row's keys and a line a row, in columns as wide as a terminal shows them.

    None is an empty cell, and times are UTC to the second. What a terminal would obey is replaced.
    """
    cells = [[key.upper() for key in rows[0]], *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    return [
        _GAP.join(cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def clock_text(moment: datetime | str, *, precise: bool = False) -> str:
    """A moment for people, in UTC; text is one of JSON's. ``precise`` is to the millisecond."""
    known = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    universal = known if known.tzinfo is None else known.astimezone(UTC)
    return universal.isoformat(" ", "milliseconds" if precise else "seconds").removesuffix("+00:00")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return clock_text(value)
    return printable(str(value))
