"""Reading what a verb is given: files and JSON, with a sentence for its user when that fails."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import typer

from postroom.cli.exit_codes import UNUSABLE


def read_text(path: Path) -> str:
    """The text of ``path``, or of standard input for ``-``, line breaks as they are."""
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return raw.decode("utf-8-sig")
    except FileNotFoundError:
        unusable(f"{path}: there is no such file; check the path, which counts from {Path.cwd()}")
    except IsADirectoryError:
        unusable(f"{path}: this is a folder; name a file in it")
    except OSError as error:
        unusable(f"{path}: it cannot be read ({error.strerror or error}); name a file you may read")
    except UnicodeDecodeError as error:
        unusable(f"{path}: this is not UTF-8 (byte {error.start + 1}); save the file as UTF-8")


def read_object(path: Path | None, what: str) -> Mapping[str, object]:
    """The JSON object in ``path``; an empty one without a path."""
    if path is None:
        return {}
    text = read_text(path)
    if not text.strip():
        unusable(f"{path}: it is empty; {what} is a JSON object, {{}} at the least")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        unusable(f"{path}:{error.lineno}:{error.colno}: this is not JSON: {error.msg}; correct it there")
    except (ValueError, RecursionError):
        unusable(f"{path}: it is nested too deeply, or holds a number of too many digits; make it simpler")
    if not isinstance(value, dict):
        unusable(f"{path}: {what} is a JSON object; write {{ … }}")
    return value


def unusable(sentence: str) -> NoReturn:
    """Exit code 2, after a sentence on standard error."""
    typer.echo(f"postroom: {sentence}", err=True)
    raise typer.Exit(UNUSABLE)
