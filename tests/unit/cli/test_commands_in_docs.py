"""Every command that README and the pages show exists, with the options that they give it."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from typer.core import TyperGroup

from postroom.cli.main import VERBS
from postroom.cli.verbs import load_verb

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = re.compile(r"(?:^ {4,}(?:\$ )?|`)(?:\.venv/bin/)?postroom ([^`\n]+)", re.MULTILINE)


@cache
def loaded(name: str) -> Any:
    return load_verb(name, VERBS[name].place)


def problem(words: list[str]) -> str:
    """What is wrong with the words after `postroom`; empty when nothing is."""
    if words[0].startswith("-"):
        return ""
    if words[0] not in VERBS:
        return "there is no such command"
    command, at = loaded(words[0]), 1
    while isinstance(command, TyperGroup) and at < len(words) and re.fullmatch("[a-z][a-z-]*", words[at]):
        if words[at] not in command.commands:
            return f"there is no {words[at]}"
        command, at = command.commands[words[at]], at + 1
    known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.partition("=")[0] for word in words[at:] if re.match("--[a-z]", word)}
    strange = given - known - {"--help"}
    return f"there is no {', '.join(sorted(strange))}" if strange else ""


def shown() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for found in SHOWN.finditer(page.read_text(encoding="utf-8")):
            # Behind two blanks or more stands what the line is for.
            yield page.name, re.split(r" {2,}|[;,|)]", found[1])[0]


def test_what_is_shown_exists() -> None:
    examples = list(shown())
    assert len(examples) > 100
    wrong = [f"{page}: postroom {line}: {told}" for page, line in examples if (told := problem(line.split()))]
    assert wrong == []


def test_what_does_not_exist_is_found() -> None:
    assert problem(["servee"]) == "there is no such command"
    assert problem(["client", "make"]) == "there is no make"
    assert problem(["doctor", "example.com", "--sekonds", "3"]) == "there is no --sekonds"
