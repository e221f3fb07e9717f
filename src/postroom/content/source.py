"""Reading one part's source: literal text, personalization strings, and what cannot be honoured.

The grammar of a name is ampscript.md §2: a letter or underscore, then letters, digits, blanks and ``_ . : -``.
``%%`` not followed by such a name and a closing ``%%`` is text.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from .ampscript.lint import nearest_name, unknown_name
from .attributes import fold_name
from .model import Problem
from .names import mobile_only

MAX_SOURCE = 5_000_000
_MAX_PROBLEMS = 50

_NAME = re.compile(r"%%([^\W\d](?:[\w .:-]{0,127}))%%")
_MOBILE = re.compile(r"%%msg\([^%]{0,100}%%", re.IGNORECASE)


class Piece(NamedTuple):
    """A stretch of literal text (``name`` is None), or a personalization string as it is written."""

    text: str
    name: str | None


def pieces(source: str) -> Iterator[Piece]:
    """``source`` cut into text and personalization strings, in order; no text piece is empty."""
    at = 0
    for match in _NAME.finditer(source):
        if match.start() > at:
            yield Piece(source[at : match.start()], None)
        yield Piece(match.group(), match.group(1))
        at = match.end()
    if at < len(source):
        yield Piece(source[at:], None)


def problem_at(part: str, source: str, offset: int, code: str, message: str, fix: str = "") -> Problem:
    """A Problem at a character offset of a part's source."""
    line = source.count("\n", 0, offset) + 1
    column = offset - (source.rfind("\n", 0, offset) + 1) + 1
    return Problem(part, line, column, code, message, fix)


def check(part: str, source: str) -> list[Problem]:
    """What is wrong with a part that holds no code."""
    if len(source) > MAX_SOURCE:
        text = f"the part has {len(source):,} characters, more than the {MAX_SOURCE:,} that are accepted"
        return [Problem(part, 1, 1, "TooLarge", text)]
    found = [match for match in _NAME.finditer(source) if mobile_only(fold_name(match.group(1)))]
    found.extend(_MOBILE.finditer(source))
    return [
        problem_at(
            part,
            source,
            match.start(),
            "MobileOnly",
            f"{match.group()} exists in mobile messages only",
            "take it out of the email",
        )
        for match in sorted(found, key=lambda match: match.start())[:_MAX_PROBLEMS]
    ]


def unknown_names(part: str, source: str, known: frozenset[str]) -> list[Problem]:
    """The personalization strings of a part without code that are none of the names a send may use."""
    strange = ((match, fold_name(match.group(1))) for match in _NAME.finditer(source))
    found = [
        problem_at(part, source, match.start(), "UnknownName", unknown_name(match.group()), nearest_name(name, known))
        for match, name in strange
        if name not in known and not mobile_only(name)
    ]
    return found[:_MAX_PROBLEMS]
