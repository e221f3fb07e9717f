"""One part's source as a flat list of tokens (ampscript.md §§2, 3, 11).

Control structures may open in one block and close in another, so text and code come in one list. The lexer never
gives up: what it cannot read is reported and skipped, so that one run tells an author of every mistake.
"""

import re
from html import unescape
from typing import NamedTuple

from postroom.content.attributes import fold_name
from postroom.content.names import mobile_only

from . import markup_tags
from .guide_tags import Ends, GuideTag, read_tag
from .problems import Findings
from .run import Dialect


class Token(NamedTuple):
    """``kind``: text, name (a personalization string), open and close (of a block or script tag), inline and end (of
    an expression in text), guide (``value`` is a GuideTag), string, number, variable, word, attribute, operator, eof.

    ``text`` is the text, the folded name, or the operator; ``at`` its offset in the source.
    """

    kind: str
    text: str
    at: int
    value: GuideTag | None = None


_PERCENT = (
    r"%%(?:(?P<block>\[)|(?P<inline>=)|(?P<name>[^\W\d][\w .:-]{0,127})%%|(?P<mobile>[mM][sS][gG]\([^%]{0,100}%%))"
)
_PERCENT_ONLY = re.compile(_PERCENT)  # a literal to begin with lets the search skip text quickly
_DOCUMENT = re.compile(
    rf"{_PERCENT}"
    r"|<(?P<script>[sS][cC][rR][iI][pP][tT]\b(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+>)"
    r"|\{(?P<guide>\{)",
)
_CODE = re.compile(
    r"(?P<space>[\s\ufeff\u200b]+)"
    r"|(?P<word>[^\W\d]\w*)"
    r"|(?P<variable>@@?\w+)"
    r"|(?P<string>\"(?:[^\"]++|\"\")*+\"|'(?:[^']++|'')*+')"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<end>\]%%|=%%|</script\s*>|~?\}\})"
    r"|(?P<attribute>\[[^\]\r\n]{1,254}\])"
    r"|(?P<operator>==|!=|<=|>=|<>|&&|\|\||[=<>(),])"
    r"|(?P<comment>/\*.*?\*/)"
    r"|(?P<nested>%%\[|%%=)"
    r"|(?P<quoted>%%[^\W\d][\w .:-]{0,127}%%)"
    r"|(?P<entity>&(?:[a-z]{2,8}|\#\d{1,6}|\#x[0-9a-f]{1,5});)"
    r"|(?P<curly>[“”„‟‘’‚‛«»])"
    r"|(?P<other>.)",
    re.DOTALL | re.IGNORECASE,
)
_ENDS = {"block": "]%%", "inline": "=%%", "script": "</script>", "guide": "}}"}
_SHOWN = {"block": "a block", "inline": "an expression", "script": "a script tag", "guide": "a guide tag"}
_ARITHMETIC = {"+": "Add", "-": "Subtract", "*": "Multiply", "/": "Divide", "%": "Mod", "&": "Concat"}
_ON_SERVER = re.compile(r"\brunat\s*=\s*[\"']?\s*server\b", re.IGNORECASE)
_LANGUAGE = re.compile(r"\blanguage\s*=\s*[\"']?\s*(\w+)", re.IGNORECASE)
_HTML_COMMENT_END = re.compile(r"-->")
_LINE_COMMENT = re.compile(r"//(?:(?!\]%%|</script)[^\r\n])*", re.IGNORECASE)
_REPAIRS = re.compile(r"(ELSE|ENDIF|THEN|NEXT|DO)(?=\w)(\w+)\Z", re.IGNORECASE)


def _document(source: str) -> re.Pattern[str]:
    """What finds the ends of text in ``source``."""
    return _DOCUMENT if "{{" in source or "<script" in source.lower() else _PERCENT_ONLY


def has_code(source: str, dialect: Dialect) -> bool:
    """Whether ``source`` holds more than text and personalization strings."""
    ends = Ends(source)
    for match in _document(source).finditer(source):
        kind = match.lastgroup
        if kind in {"block", "inline"} or (kind == "script" and _ON_SERVER.search(match.group()) is not None):
            return True
        if kind == "guide" and dialect.guide_language and read_tag(source, match.start(), ends) is not None:
            return True
    return False


def tokens(source: str, findings: Findings, dialect: Dialect, known: frozenset[str] = frozenset()) -> list[Token]:
    """The tokens of ``source``, the last of kind eof; problems go to ``findings``. ``known`` holds the folded names
    of functions, for Dialect.repair_keywords."""
    return _Lexer(source, findings, dialect, known).run()


class _Lexer:
    def __init__(self, source: str, findings: Findings, dialect: Dialect, known: frozenset[str]) -> None:
        if dialect.lenient_markup:
            source = markup_tags.blanked(source)
        self._source = source
        self._ends = Ends(source)
        self._findings = findings
        self._dialect = dialect
        self._known = known
        self._found: list[Token] = []
        self._trim = False

    def run(self) -> list[Token]:
        source, limits = self._source, self._dialect.limits
        if len(source) > limits.source:
            text = f"the template has {len(source):,} characters, more than the {limits.source:,} that are accepted"
            self._findings.error(0, "TooLarge", text, "move parts of it to content blocks")
            return [Token("eof", "", 0)]
        at = 0
        begin = 0  # of the text not yet written
        search = _document(source).search
        while (match := search(source, at)) is not None:
            kind = match.lastgroup
            at = match.start()
            if kind == "guide" and (tag := self._guide(at)) is None:
                at = match.end()
                continue
            if kind == "script" and _ON_SERVER.search(match.group()) is None:
                at = match.end()
                continue
            self._text(begin, at)
            if kind == "guide" and tag is not None:
                at = begin = self._guide_tag(tag)
            elif kind == "name":
                at = begin = self._name(match)
            elif kind == "mobile":
                self._mobile(match.group(), at)
                at = begin = match.end()
            elif kind == "script":
                at = begin = self._script(match)
            else:
                at = begin = self._code(match.end(), at, kind or "")
            if len(self._found) > limits.nodes * 2:
                text = f"the template has more than {limits.nodes:,} values and statements"
                self._findings.error(at, "TooLarge", text, "move parts of it to content blocks")
                break
        else:
            self._text(begin, len(source))
        self._found.append(Token("eof", "", len(source)))
        return self._found

    def _text(self, begin: int, end: int) -> None:
        text = self._source[begin:end]
        if self._trim:
            text = text.lstrip()
            begin = end - len(text)
            self._trim = False
        if text:
            self._found.append(Token("text", text, begin))

    def _name(self, match: re.Match[str]) -> int:
        name = fold_name(match.group("name"))
        if mobile_only(name):
            self._mobile(match.group(), match.start())
        else:
            self._found.append(Token("name", match.group(), match.start()))
        return match.end()

    def _mobile(self, written: str, at: int) -> None:
        self._findings.error(at, "MobileOnly", f"{written} exists in mobile messages only", "take it out of the email")

    def _script(self, match: re.Match[str]) -> int:
        at = match.start()
        language = _LANGUAGE.search(match.group())
        if language is not None and language.group(1).lower() == "ampscript":
            return self._code(match.end(), at, "script")
        self._findings.error(
            at,
            "ServerSideJavaScript",
            "server-side JavaScript is not supported",
            'write the script as AMPscript, with language="ampscript" in its tag, or take it out',
        )
        closed = re.compile(r"</script\s*>", re.IGNORECASE).search(self._source, match.end())
        return len(self._source) if closed is None else closed.end()

    def _guide(self, at: int) -> GuideTag | None:
        return read_tag(self._source, at, self._ends) if self._dialect.guide_language else None

    def _guide_tag(self, tag: GuideTag) -> int:
        if tag.trim_before and self._found and self._found[-1].kind == "text":
            last = self._found.pop()
            if last.text.rstrip():
                self._found.append(Token("text", last.text.rstrip(), last.at))
        self._trim = tag.trim_after
        if tag.problem:
            self._findings.error(tag.at, "GuideTag", tag.problem, "take the tag out or write it as AMPscript")
        if tag.kind == "show":
            return self._code(tag.end, tag.at, "guide")
        self._found.append(Token("guide", tag.name, tag.at, tag))
        if tag.kind == "condition":
            return self._code(tag.end, tag.at, "guide", wrap=False)
        return tag.end

    def _code(self, at: int, opened: int, mode: str, *, wrap: bool = True) -> int:
        """Read code from ``at`` to the end that belongs to ``mode``; the offset after it."""
        source = self._source
        found = self._found
        shown = mode in {"inline", "guide"}
        if wrap:
            found.append(Token("inline" if shown else "open", "", opened))
        end = "end" if shown else "close"
        first = len(found)
        scan = _CODE.match
        room = self._dialect.limits.nodes * 4
        while (match := scan(source, at)) is not None:
            kind = match.lastgroup
            at = match.end()
            if kind == "space" or kind == "comment":
                continue
            begin = match.start()
            text = match.group()
            if kind == "word" or kind == "variable" or kind == "number" or kind == "string":
                if kind == "word" and self._dialect.repair_keywords:
                    self._word(text, begin)
                else:
                    found.append(Token(kind, text, begin))
                if len(found) > room:
                    self._findings.error(begin, "TooLarge", "the template has too many statements in one block")
                    return len(source)
            elif kind == "end":
                if text.lower().startswith(_ENDS[mode][:2]) or (mode == "guide" and text.endswith("}}")):
                    found.append(Token(end, text, begin))
                    if mode == "guide":
                        self._trim = text.startswith("~")
                    return at
                at = self._wrong_end(text, begin, mode, opened)
                if at < 0:
                    found.append(Token(end, text, begin))
                    return begin + len(text)
            elif kind == "operator":
                at = self._operator(text, begin, mode)
            elif kind == "attribute":
                found.append(Token(kind, text, begin))
            elif kind == "nested":
                self._unclosed(mode, opened, begin, first)
                self._findings.error(
                    opened,
                    "UnclosedBlock",
                    f"{_SHOWN[mode]} opens here and another {text} follows before its {_ENDS[mode]}",
                    f"close it with {_ENDS[mode]}",
                )
                found.append(Token(end, "", begin))
                return begin
            else:
                at = self._stray(match, source, mode)
        self._unclosed(mode, opened, len(source), first)
        self._findings.error(
            opened, "UnclosedBlock", f"{_SHOWN[mode]} opens here and never closes", f"close it with {_ENDS[mode]}"
        )
        found.append(Token(end, "", len(source)))
        return len(source)

    def _unclosed(self, mode: str, opened: int, end: int, first: int) -> None:
        """What follows an expression that never closes is text: its words and signs are no mistakes of their own."""
        if mode == "inline":
            self._findings.take_back(opened, end)
            self._found[first:] = [Token("string", '""', opened)]

    def _word(self, text: str, at: int) -> None:
        match = _REPAIRS.match(text)
        if match is None or text.lower() in self._known:
            self._found.append(Token("word", text, at))
            return
        head, rest = match.groups()
        if rest.lower() not in self._known and rest.lower() not in {"if", "set", "var", "for", "endif", "next", "else"}:
            self._found.append(Token("word", text, at))
            return
        self._findings.warn(at, "MissingSpace", f"{text} is read as {head} {rest}", f"write {head} {rest}")
        self._found.append(Token("word", head, at))
        self._word(rest, at + len(head))

    def _operator(self, text: str, at: int, mode: str) -> int:
        """Operators and what begins like one; the offset to go on at."""
        source = self._source
        if text == "<" and mode in {"block", "script"}:
            comment = self._ends.after(_HTML_COMMENT_END, at) if source.startswith("<!--", at) else None
            if comment is not None:
                self._findings.warn(at, "HtmlComment", "an HTML comment in code is skipped", "write /* … */")
                return comment.end()
            tag = markup_tags.TAG.match(source, at)
            if tag is not None:
                self._findings.error(
                    at,
                    "HtmlInCode",
                    f"{tag.group()[:40]} is HTML inside code, as a rich-text editor inserts it",
                    f"take it out, or close the block with {_ENDS[mode]} before it",
                )
                return tag.end()
        if text in {"&&", "||"}:
            word = "AND" if text == "&&" else "OR"
            if mode != "guide":
                self._findings.error(at, "WrongOperator", f"{text} is no operator", f"write {word}")
            self._found.append(Token("word", word, at))
        elif text == "<>":
            self._findings.error(at, "WrongOperator", "<> is no operator", "write !=")
            self._found.append(Token("operator", "!=", at))
        else:
            self._found.append(Token("operator", text, at))
        return at + len(text)

    def _wrong_end(self, text: str, at: int, mode: str, opened: int) -> int:
        """An end that belongs to another kind of code: the offset to go on at, or -1 to end the code here."""
        if text.endswith("}}"):
            self._findings.error(at, "UnexpectedCharacter", "} means nothing in code", "take it out")
            return at + len(text)
        self._findings.error(
            at,
            "WrongEnd",
            f"{_SHOWN[mode]} closes with {_ENDS[mode]}, not with {text}",
            f"write {_ENDS[mode]}",
        )
        return -1

    def _stray(self, match: re.Match[str], source: str, mode: str) -> int:
        """Report what cannot be read; the offset to go on at."""
        kind, text, at = match.lastgroup, match.group(), match.start()
        error = self._findings.error
        if kind == "curly":
            error(at, "CurlyQuote", f"{text} is not a quote of the language", "write a straight \" or '")
            rest = re.compile(r"[^\"'\r\n“”„‟‘’‚‛«»\]=]*[“”„‟‘’‚‛«»]").match(source, match.end())
            self._found.append(Token("string", '""', at))  # so that what follows is not misunderstood
            return match.end() if rest is None else rest.end()
        if kind == "entity":
            char = unescape(text)
            error(
                at,
                "HtmlEntity",
                f"{text} is an HTML entity inside code",
                f"write {char if char.strip() else 'a blank'}",
            )
            if char in "\"'":
                rest = re.compile(rf"(?:(?!{text}|\]%%).)*{text}", re.DOTALL).match(source, match.end())
                self._found.append(Token("string", '""', at))
                return match.end() if rest is None else rest.end()
            if char in "<>":
                self._found.append(Token("operator", char, at))
            return match.end()
        if kind == "quoted":
            name = text.strip("%").strip()
            error(at, "NameInCode", f"{text} cannot stand inside code", f"write [{name}]")
            self._found.append(Token("attribute", f"[{name}]", at))
            return match.end()
        if text == "/" and source.startswith("//", at) and mode != "inline":
            self._findings.warn(
                at, "LineComment", "// is not a comment of the language; the line is skipped", "write /* … */"
            )
            comment = _LINE_COMMENT.match(source, at)
            return at + 2 if comment is None else comment.end()
        if text == "/" and source.startswith("/*", at):
            error(at, "UnclosedComment", "a comment opens here and never closes", "close it with */")
            return self._skip(at, mode)
        if text in "\"'":
            error(at, "UnclosedString", f"a string opens here with {text} and never closes", f"close it with {text}")
            self._found.append(Token("string", '""', at))
            return self._skip(at, mode)
        if text == ";":
            self._findings.warn(at, "Semicolon", "; means nothing", "take it out")
            return match.end()
        if text in _ARITHMETIC:
            texts = ", or Concat(…, …) to join texts" if text == "+" else ""
            error(at, "Arithmetic", f"{text} is no operator", f"call {_ARITHMETIC[text]}(…, …){texts}")
        elif text == ".":
            error(
                at,
                "UnexpectedCharacter",
                ". means nothing in code",
                "a value like Msg(0).Verb exists in mobile messages only",
            )
        else:
            error(at, "UnexpectedCharacter", f"{ascii(text)[1:-1]} means nothing in code", "take it out")
        return match.end()

    def _skip(self, at: int, mode: str) -> int:
        """Where code that cannot be read any more ends."""
        end = self._source.lower().find(_ENDS[mode], at) if mode == "script" else self._source.find(_ENDS[mode], at)
        return len(self._source) if end < 0 else end
