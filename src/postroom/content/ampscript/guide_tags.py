"""The tags of the Guide Template Language (ampscript.md §11) as they stand in text: ``{{name}}`` and its family.

What is not a tag of the language is text: braces occur in CSS, in JSON and in other tools' templates.
"""

import re
from typing import NamedTuple


class GuideTag(NamedTuple):
    """``kind``: value, raw, comment, open, close, else, partial, show ``{{= …}}``, condition ``{{#=if …}}``.

    ``name`` is what an open or close tag is called (section, inverted, each, if, slot, …; a section's close has the
    section's own path), ``path`` what it is about, ``body`` the JSON of a data tag.
    """

    kind: str
    name: str
    path: str
    at: int
    end: int
    trim_before: bool = False
    trim_after: bool = False
    body: str = ""
    problem: str = ""


_NAME = r"\[[^\]{}\r\n]{1,128}\]"
_PATH = rf"(?:(?:\.\./)*(?:@?[^\W\d][\w-]*|{_NAME})(?:[./](?:[\w-]+|{_NAME}))*|\.|(?:\.\./)+\.?)"
_TAG = re.compile(
    r"\{\{(?:"
    r"(?P<long>~?!--)|(?P<comment>~?![^{}]{0,5000}?\}\})"
    rf"|\{{\s*(?P<raw>{_PATH})\s*\}}\}}\}}"
    rf"|(?P<before>~?)(?:\s*(?:(?P<condition>\#=\s*if\b)|(?P<show>=)(?!=)"
    rf"|\.(?P<dot>slot|block|data|datasource|else)\b(?P<options>[^{{}}]{{0,1000}}?)(?P<dot_after>~?)\}}\}}"
    rf"|/\s*(?P<close>{_PATH})\s*(?P<close_after>~?)\}}\}}"
    rf"|(?P<sign>[#^])\s*(?P<helper>(?:each|if|unless|with|switch|case|default)\b)?\s*(?P<about>{_PATH}|\"[^\"{{}}]*\"|'[^'{{}}]*'|-?\d+)?\s*(?P<open_after>~?)\}}\}}"
    rf"|>\s*(?P<partial>[\w./\\ -]{{1,128}}?)\s*(?P<partial_after>~?)\}}\}}"
    rf"|(?P<otherwise>else|\^)\s*(?:if\s+(?P<elseif>{_PATH}))?\s*(?P<else_after>~?)\}}\}}"
    rf"|(?P<unescaped>&?)\s*(?P<value>{_PATH})\s*(?P<value_after>~?)\}}\}}"
    r")))",
    re.DOTALL,
)


_DELIMITERS = re.compile(r"\S{1,4}\s+\S{1,4}=\}\}")
_LONG_END = re.compile(r"--~?\}\}")
_DATA_END = re.compile(r"\{\{\s?/\s?data\s?\}\}")


class Ends:
    """Finds what closes something, from offsets that only grow; each part of the source is searched once."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: dict[re.Pattern[str], re.Match[str] | None] = {}

    def after(self, pattern: re.Pattern[str], at: int) -> re.Match[str] | None:
        """The first match of ``pattern`` that starts at or after ``at``."""
        if pattern not in self._found or ((found := self._found[pattern]) is not None and found.start() < at):
            self._found[pattern] = pattern.search(self._source, at)
        return self._found[pattern]


def read_tag(source: str, at: int, ends: Ends) -> GuideTag | None:
    """The tag whose ``{{`` is at ``at``, or None when it is text. A show or condition tag ends before its
    expression."""
    match = _TAG.match(source, at)
    if match is None:
        return None
    found = match.groupdict()
    end = match.end()
    before = bool(found["before"])
    if found["long"] is not None:
        closed = ends.after(_LONG_END, end)
        if closed is None:
            return None
        return GuideTag("comment", "", "", at, closed.end(), "~" in found["long"], "~" in closed.group())
    if found["comment"] is not None:
        text = match.group()
        return GuideTag("comment", "", "", at, end, text.startswith("{{~"), text.endswith("~}}"))
    if found["raw"] is not None:
        return GuideTag("raw", "", found["raw"], at, end)
    if found["condition"] is not None:
        return GuideTag("condition", "if", "", at, end, before)
    if found["show"] is not None:
        if _DELIMITERS.match(source, end):
            return GuideTag("comment", "", "", at, end, problem="tags with other delimiters than {{ }} are not read")
        return GuideTag("show", "", "", at, end, before)
    if found["dot"] is not None:
        return _dotted(source, ends, found["dot"], found["options"].strip(), at, end, before, bool(found["dot_after"]))
    if found["close"] is not None:
        return GuideTag("close", found["close"], "", at, end, before, bool(found["close_after"]))
    if found["sign"] is not None:
        return _opening(found, at, end, before)
    if found["partial"] is not None:
        return GuideTag("partial", "", found["partial"], at, end, before, bool(found["partial_after"]))
    if found["otherwise"] is not None:
        return GuideTag("else", "else", found["elseif"] or "", at, end, before, bool(found["else_after"]))
    kind = "raw" if found["unescaped"] else "value"
    return GuideTag(kind, "", found["value"], at, end, before, bool(found["value_after"]))


def _opening(found: dict[str, str | None], at: int, end: int, before: bool) -> GuideTag | None:
    helper, about = found["helper"], found["about"] or ""
    if helper is None and not about:
        return None
    if helper is None or (not about and helper != "default"):
        # a section may be called like a helper
        helper, about = ("section" if found["sign"] == "#" else "inverted"), about or helper or ""
    return GuideTag("open", helper, about, at, end, before, bool(found["open_after"]))


def _dotted(source: str, ends: Ends, name: str, options: str, at: int, end: int, before: bool, after: bool) -> GuideTag:
    if name == "else":
        return GuideTag("else", "else", "", at, end, before, after)
    if name == "data":
        closed = ends.after(_DATA_END, end)
        if closed is None:
            return GuideTag("comment", "", "", at, end, problem="{{.data}} opens here and never closes with {{/data}}")
        return GuideTag("data", "data", "", at, closed.end(), before, after, source[end : closed.start()])
    return GuideTag("open", name, options, at, end, before, after)
