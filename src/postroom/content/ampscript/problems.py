"""What is wrong with a template, as data: the same for the command line, the API and the editor."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from postroom.content.model import Problem

Severity = Literal["error", "warning"]

MOST = 100


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. ``line`` and ``column`` count from 1, in characters; ``function`` is empty outside a call;
    ``message`` says what is wrong and ``fix`` what to write instead. ``code`` is stable."""

    part: str
    line: int
    column: int
    severity: Severity
    code: str
    message: str
    fix: str
    function: str = ""

    def __str__(self) -> str:
        return f"{self.part} line {self.line} column {self.column}: {self.severity}: {self.sentence} [{self.code}]"

    @property
    def sentence(self) -> str:
        """Message and fix in one."""
        return f"{self.message}; {self.fix}" if self.fix else self.message

    def problem(self) -> Problem:
        """The same for those who know of no templates' language."""
        return Problem(
            self.part, self.line, self.column, self.code, self.message, self.fix, self.function, self.severity
        )


class Places:
    """Offsets of one source as lines and columns."""

    def __init__(self, source: str) -> None:
        self._starts = [0]
        at = source.find("\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = source.find("\n", at + 1)

    def at(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


class Findings:
    """The diagnostics of one part, each place and code once, at most MOST of them."""

    def __init__(self, part: str, source: str) -> None:
        self.part = part
        self.places = Places(source)
        self._found: dict[tuple[int, str], Diagnostic] = {}

    def error(self, at: int, code: str, message: str, fix: str = "", function: str = "") -> None:
        self._add(at, "error", code, message, fix, function)

    def warn(self, at: int, code: str, message: str, fix: str = "", function: str = "") -> None:
        self._add(at, "warning", code, message, fix, function)

    def _add(self, at: int, severity: Severity, code: str, message: str, fix: str, function: str) -> None:
        if len(self._found) >= MOST or (at, code) in self._found:
            return
        line, column = self.places.at(at)
        self._found[at, code] = Diagnostic(self.part, line, column, severity, code, message, fix, function)

    def take_back(self, begin: int, end: int) -> None:
        """Forget what was found between these offsets: it followed from one mistake, which is reported instead."""
        self._found = {key: found for key, found in self._found.items() if not begin <= key[0] < end}

    def sorted(self) -> list[Diagnostic]:
        return sorted(self._found.values(), key=lambda found: (found.line, found.column))

    @property
    def failed(self) -> bool:
        return any(found.severity == "error" for found in self._found.values())


def warnings(diagnostics: Iterable[Diagnostic]) -> list[Problem]:
    """Those that do not keep a template from being used."""
    return [found.problem() for found in diagnostics if found.severity == "warning"]


def errors(diagnostics: Iterable[Diagnostic]) -> list[Problem]:
    """Those that keep a template from being used."""
    return [found.problem() for found in diagnostics if found.severity == "error"]
