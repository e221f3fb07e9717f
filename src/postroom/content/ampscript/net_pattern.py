"""Regular expressions in .NET's dialect, turned into those of the ``regex`` package and run within a time limit.

``regex`` has what .NET has and ``re`` has not (look-behind of any length, ``\\p{…}``, right to left, a time limit that
holds inside one match). What is written otherwise is rewritten here, character by character, so that nothing of
``regex``'s own extensions (fuzzy matching, recursion, sets within sets) can be reached. Balancing groups are refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import regex

from .faults import LimitFault, ValueFault

_MAX_PATTERN: Final = 2_000
_MAX_NESTING: Final = 50
_MAX_REPEAT: Final = 10_000
_MEMORY: Final = 256  # patterns kept ready; hostile templates cannot fill more

OPTIONS: Final = frozenset(
    {
        "none", "ignorecase", "multiline", "explicitcapture", "compiled", "singleline", "ignorepatternwhitespace",
        "righttoleft", "ecmascript", "cultureinvariant",
    }
)  # fmt: skip
_FLAGS: Final = {
    "ignorecase": regex.IGNORECASE,
    "multiline": regex.MULTILINE,
    "singleline": regex.DOTALL,
    "righttoleft": regex.REVERSE,
    "ecmascript": regex.ASCII,
}


@dataclass(frozen=True, slots=True)
class NetPattern:
    """A compiled pattern; ``numbers`` maps .NET's group numbers (named groups come last) to ``regex``'s own."""

    compiled: "regex.Pattern[str]"
    numbers: tuple[int, ...]
    names: frozenset[str]

    def first(self, text: str, group: str, seconds: float) -> str:
        """What ``group`` (number or name) holds in the first match; "" without a match or such a group.

        Raises LimitFault PatternTimeLimit after ``seconds``.
        """
        try:
            match = self.compiled.search(text, timeout=seconds)
        except TimeoutError:
            raise LimitFault(
                f"the pattern ran longer than {seconds:g} s; make it simpler", code="PatternTimeLimit"
            ) from None
        except RecursionError:
            raise LimitFault("the pattern is nested too deep", code="PatternTimeLimit") from None
        if match is None:
            return ""
        found: str | None = None
        if group.isascii() and group.isdigit():
            number = int(group[:9])
            if number < len(self.numbers):
                found = match[self.numbers[number]]
        elif group in self.names:
            found = match[group]
        return found or ""


def compile_pattern(pattern: str, options: Sequence[str] = ()) -> NetPattern:
    """The pattern with the options named as in .NET's RegexOptions, in any case.

    Raises ValueFault for a pattern .NET or this server cannot read, and for an unknown option.
    """
    chosen = []
    for option in options:
        name = option.strip().lower()
        if name not in OPTIONS:
            raise ValueFault(f"{option!r} is no option of a regular expression", code="UnknownOption")
        chosen.append(name)
    if len(pattern) > _MAX_PATTERN:
        raise ValueFault(f"the pattern is longer than {_MAX_PATTERN:,} characters", code="BadPattern")
    return _compiled(pattern, frozenset(chosen))


@lru_cache(maxsize=_MEMORY)
def _compiled(pattern: str, options: frozenset[str]) -> NetPattern:
    flags = regex.VERSION1
    for option in options:
        flags |= _FLAGS.get(option, regex.VERSION1)
    translation = _Translation(
        pattern, explicit="explicitcapture" in options, verbose="ignorepatternwhitespace" in options
    )
    try:
        source = translation.read()
        # without full case folding, which .NET does not know: ß is not ss
        compiled = regex.compile(f"(?-f:{source})", flags, cache_pattern=False)
    except (regex.error, RecursionError, OverflowError, MemoryError) as problem:
        raise ValueFault(f"the pattern {pattern!r} cannot be read: {problem}", code="BadPattern") from None
    return NetPattern(compiled, translation.numbers(), frozenset(compiled.groupindex))


class _Translation:
    """One pattern being rewritten from left to right."""

    def __init__(self, pattern: str, *, explicit: bool, verbose: bool) -> None:
        self._pattern = pattern
        self._at = 0
        self._explicit = explicit
        self._verbose = verbose
        self._groups: list[str] = []  # names in order of opening, "" for a group without
        self._scopes: list[tuple[bool, bool]] = []
        self._repeatable = False

    def numbers(self) -> tuple[int, ...]:
        unnamed = [number for number, name in enumerate(self._groups, 1) if not name]
        named: dict[str, int] = {}
        for number, name in enumerate(self._groups, 1):
            if name:
                named.setdefault(name, number)
        return (0, *unnamed, *named.values())

    def read(self) -> str:
        written: list[str] = []
        while self._at < len(self._pattern):
            written.append(self._next())
        if self._scopes:
            raise self._refuse("a parenthesis is not closed")
        return "".join(written)

    def _refuse(self, why: str) -> ValueFault:
        return ValueFault(f"the pattern {self._pattern!r} cannot be read: {why}", code="BadPattern")

    def _take(self, count: int = 1) -> str:
        text = self._pattern[self._at : self._at + count]
        self._at += count
        return text

    def _looking_at(self, text: str) -> bool:
        return self._pattern.startswith(text, self._at)

    def _next(self) -> str:
        letter = self._take()
        if letter == "\\":
            self._repeatable = True
            return self._escape(inside_class=False)
        if letter == "[":
            self._repeatable = True
            return self._class()
        if letter == "(":
            self._repeatable = False
            return self._open()
        if letter == ")":
            if not self._scopes:
                raise self._refuse("a parenthesis closes that was not opened")
            self._explicit, self._verbose = self._scopes.pop()
            self._repeatable = True
            return ")"
        if letter in "*+?":
            return self._repeat(letter)
        if letter == "{":
            return self._braces()
        if self._verbose and letter == "#":
            end = self._pattern.find("\n", self._at)
            self._at = len(self._pattern) if end < 0 else end + 1
            return ""
        if self._verbose and letter.isspace():
            return ""
        self._repeatable = letter not in "|^"
        if letter == "|":
            return "|"
        if letter in ".^$":
            return letter
        return regex.escape(letter)

    def _repeat(self, count: str) -> str:
        if not self._repeatable:
            raise self._refuse(f"{count} repeats nothing")
        self._repeatable = False  # .NET has no possessive quantifiers: a second one is an error
        if self._looking_at("?"):
            self._at += 1
            return f"{count}?"
        return count

    def _braces(self) -> str:
        end = self._pattern.find("}", self._at)
        low, comma, high = self._pattern[self._at : end].partition(",") if end >= 0 else ("", "", "")
        digits = all(part.isascii() and part.isdigit() for part in ((low, high) if high else (low,)))
        if not low or not digits:
            self._repeatable = True
            return r"\{"
        if len(low) > 5 or len(high) > 5 or max(int(low), int(high or 0)) > _MAX_REPEAT:
            raise self._refuse(f"a repeat count is higher than {_MAX_REPEAT:,}")
        self._at = end + 1
        return self._repeat(f"{{{low}{comma}{high}}}")

    def _open(self) -> str:
        if len(self._scopes) >= _MAX_NESTING:
            raise self._refuse(f"more than {_MAX_NESTING} parentheses are open")
        if not self._looking_at("?"):
            self._scopes.append((self._explicit, self._verbose))
            if self._explicit:
                return "(?:"
            self._groups.append("")
            return "("
        self._at += 1
        if self._looking_at("#"):
            end = self._pattern.find(")", self._at)
            if end < 0:
                raise self._refuse("a comment is not closed")
            self._at = end + 1
            return ""
        for start in ("<=", "<!", ":", ">", "=", "!"):
            if self._looking_at(start):
                self._at += len(start)
                self._scopes.append((self._explicit, self._verbose))
                return f"(?{start}"
        if self._looking_at("<") or self._looking_at("'"):
            return self._named("'" if self._take() == "'" else ">")
        if self._looking_at("("):
            return self._condition()
        return self._inline_options()

    def _name(self, closing: str) -> str:
        end = self._pattern.find(closing, self._at)
        name = self._pattern[self._at : end] if end >= 0 else ""
        if not name.isidentifier() and not (name.isascii() and name.isdigit()):
            raise self._refuse(f"{name!r} is no name of a group this server knows")
        self._at = end + 1
        return name

    def _named(self, closing: str) -> str:
        name = self._name(closing)
        if name.isdigit():
            raise self._refuse("groups with a number for a name are not supported; use a word")
        self._scopes.append((self._explicit, self._verbose))
        self._groups.append(name)
        return f"(?P<{name}>"

    def _condition(self) -> str:
        self._at += 1
        name = self._name(")")
        self._scopes.append((self._explicit, self._verbose))
        return f"(?({name})"

    def _inline_options(self) -> str:
        """``(?imnsx-imnsx)`` and ``(?imnsx-imnsx:``; n and x are done here, the rest by ``regex``."""
        scope = (self._explicit, self._verbose)
        turned: dict[bool, str] = {True: "", False: ""}
        on = True
        while (letter := self._take()) not in {":", ")", ""}:
            if letter == "-":
                on = False
            elif letter == "n":
                self._explicit = on
            elif letter == "x":
                self._verbose = on
            elif letter in "ims":
                turned[on] += letter
            else:
                raise self._refuse(f"(?{letter} is not known")
        if letter == "":
            raise self._refuse("a parenthesis is not closed")
        off = f"-{turned[False]}" if turned[False] else ""
        changed = f"{turned[True]}{off}"
        if letter == ":":
            self._scopes.append(scope)
            return f"(?{changed}:" if changed else "(?:"
        return f"(?{changed})" if changed else ""

    def _escape(self, *, inside_class: bool) -> str:
        letter = self._take()
        if letter == "":
            raise self._refuse("it ends in a backslash")
        if letter == "k":
            closing = {"<": ">", "'": "'"}.get(self._take())
            if closing is None:
                raise self._refuse(r"\k needs a name: \k<name>")
            return f"(?P={self._name(closing)})"
        if letter in "pP":
            end = self._pattern.find("}", self._at)
            if not self._looking_at("{") or end < 0:
                raise self._refuse(rf"\{letter} needs a property: \{letter}{{L}}")
            name = self._pattern[self._at + 1 : end]
            if not name.isascii() or not name.replace("-", "").isalnum():
                raise self._refuse(f"{name!r} is no property")
            self._at = end + 1
            return rf"\{letter}{{{name}}}"
        if letter in "dDsSwW":
            return "\\" + letter
        if letter in "tnrfva":
            return "\\" + letter
        if letter == "e":
            return r"\x1b"
        if letter in "xu":
            return self._code(2 if letter == "x" else 4)
        if letter == "c":
            control = self._take().upper()
            if len(control) != 1 or not "@" <= control <= "_":
                raise self._refuse(r"\c needs a letter")
            return rf"\x{ord(control) - 64:02x}"
        if letter.isascii() and letter.isdigit():
            return self._digits(letter, inside_class=inside_class)
        if inside_class:
            if letter == "b":
                return r"\x08"
        elif letter in "bBAG":
            return "\\" + letter
        elif letter == "Z":
            return r"(?=\n?\Z)"
        elif letter == "z":
            return r"\Z"
        if letter.isascii() and letter.isalpha():
            raise self._refuse(rf"\{letter} is not known")
        return regex.escape(letter) if letter not in "-]^[&~|" else "\\" + letter

    def _code(self, count: int) -> str:
        digits = self._take(count)
        try:
            code = int(digits, 16) if len(digits) == count and digits.isalnum() else -1
        except ValueError:
            code = -1
        if code < 0:
            raise self._refuse(f"{digits!r} is no hexadecimal number of {count} digits")
        return rf"\u{code:04x}"

    def _digits(self, first: str, *, inside_class: bool) -> str:
        digits = first
        while len(digits) < 3 and self._pattern[self._at : self._at + 1].isdigit():
            digits += self._take()
        if first == "0" or inside_class:
            if set(digits) - set("01234567"):
                raise self._refuse(rf"\{digits} is no octal number")
            return rf"\x{int(digits, 8) % 256:02x}"
        unnamed = [number for number, name in enumerate(self._groups, 1) if not name]
        number = int(digits)
        if number > len(unnamed):
            raise self._refuse(rf"\{digits} refers to a group that is not there")
        return rf"(?:\g<{unnamed[number - 1]}>)"

    def _class(self) -> str:
        written = ["["]
        if self._looking_at("^"):
            written.append(self._take())
        first = True
        while True:
            letter = self._take()
            if letter == "":
                raise self._refuse("a character class is not closed")
            if letter == "]" and not first:
                written.append("]")
                return "".join(written)
            first = False
            if letter == "\\":
                written.append(self._escape(inside_class=True))
            elif letter == "-" and self._looking_at("["):
                self._at += 1
                if len(self._scopes) >= _MAX_NESTING:
                    raise self._refuse("character classes are nested too deep")
                self._scopes.append((self._explicit, self._verbose))
                written.append(f"--{self._class()}")
                self._scopes.pop()
            elif letter == "-":
                written.append("-" if written[-1] not in {"[", "^"} and not self._looking_at("]") else r"\-")
            else:
                written.append(regex.escape(letter) if letter != " " else " ")
