"""Reading what a verb is given: files and JSON, with a sentence for its user when that fails."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import typer


def read_text(path: Path) -> str:
    """The text of ``path``, or of standard input for ``-``, line breaks as they are."""
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        unusable(f"{path}: {error.strerror or error}")
    except UnicodeDecodeError as error:
        unusable(f"{path}: this is not UTF-8 (byte {error.start + 1}); save the file as UTF-8")


def read_object(path: Path | None, what: str) -> Mapping[str, object]:
    """The JSON object in ``path``; an empty one without a path."""
    if path is None:
        return {}
    text = read_text(path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        unusable(f"{path}: this is not JSON: {error}")
    if not isinstance(value, dict):
        unusable(f"{path}: {what} is a JSON object; write {{ … }}")
    return value


def unusable(sentence: str) -> NoReturn:
    """Exit code 2, after a sentence on standard error."""
    typer.echo(f"postroom: {sentence}", err=True)
    raise typer.Exit(2)
