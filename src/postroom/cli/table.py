"""Lists for people and for programs: a table with a head, or with `--json` what it is made of."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, TypeAlias

import typer
from rich.cells import cell_len

from postroom.delivery.smtp.reply import printable

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Row: TypeAlias = Mapping[str, object]

_GAP = "  "


def print_list(shown: Sequence[Row], rows: Sequence[Row], nothing: str, *, as_json: bool) -> None:
    """``shown`` as one JSON array, or ``rows`` as a table; ``nothing`` goes to standard error where there are none."""
    if as_json:
        typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    elif rows:
        typer.echo("\n".join(table_lines(rows)))
    else:
        typer.echo(nothing, err=True)


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


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return printable(str(value))
