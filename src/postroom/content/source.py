"""Reading one part's source: literal text, personalization strings, and what cannot be honoured.

The grammar of a name is ampscript.md §2: a letter or underscore, then letters, digits, blanks and ``_ . : -``.
``%%`` not followed by such a name and a closing ``%%`` is text.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from .attributes import fold_name
from .model import Problem
from .names import mobile_only

MAX_SOURCE = 5_000_000
_MAX_PROBLEMS = 50

_NAME = re.compile(r"%%([^\W\d](?:[\w .:-]{0,127}))%%")
_CODE = re.compile(
    r"(?P<block>%%\[)|(?P<inline>%%=)|(?P<mobile>%%msg\([^%]{0,100}%%)"
    r"|(?P<script><script\b(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+>)",
    re.IGNORECASE,
)
_ON_SERVER = re.compile(r"\brunat\s*=\s*[\"']?\s*server\b", re.IGNORECASE)


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


def problem_at(part: str, source: str, offset: int, code: str, message: str) -> Problem:
    """A Problem at a character offset of a part's source."""
    line = source.count("\n", 0, offset) + 1
    column = offset - (source.rfind("\n", 0, offset) + 1) + 1
    return Problem(part, line, column, code, message)


def check(part: str, source: str) -> list[Problem]:
    """Everything in ``source`` that would reach a recipient as source code instead of doing its work."""
    if len(source) > MAX_SOURCE:
        text = f"the part has {len(source):,} characters, more than the {MAX_SOURCE:,} that are accepted"
        return [Problem(part, 1, 1, "TooLarge", text)]
    problems: list[Problem] = []
    for match in _CODE.finditer(source):
        if match.lastgroup == "script" and _ON_SERVER.search(match.group()) is None:
            continue
        code, message = _explain(match)
        problems.append(problem_at(part, source, match.start(), code, message))
        if len(problems) == _MAX_PROBLEMS:
            break
    problems.extend(
        problem_at(part, source, match.start(), "MobileOnly", _mobile(match.group()))
        for match in _NAME.finditer(source)
        if mobile_only(fold_name(match.group(1)))
    )
    return sorted(problems, key=lambda problem: (problem.line, problem.column))


def _explain(match: re.Match[str]) -> tuple[str, str]:
    kind = match.lastgroup
    if kind == "mobile":
        return "MobileOnly", _mobile(match.group())
    if kind == "script":
        language = re.search(r"language\s*=\s*[\"']?\s*(\w+)", match.group(), re.IGNORECASE)
        if language is None or language.group(1).casefold() != "ampscript":
            return (
                "ServerSideJavaScript",
                "server-side JavaScript is not supported; take the script out or write it as AMPscript",
            )
    shown = {"block": "an AMPscript block %%[", "inline": "an AMPscript expression %%="}
    what = shown.get(kind or "", "an AMPscript script tag")
    return (
        "AmpscriptNotSupported",
        f"{what} starts here; this version personalises with %%Name%% only, so pass the result as an attribute",
    )


def _mobile(written: str) -> str:
    return f"{written} exists in mobile messages only; take it out of the email"
