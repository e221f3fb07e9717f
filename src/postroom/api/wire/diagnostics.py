"""What is wrong or doubtful in templates, on the wire: Postroom's own member of vendor bodies, and the lint route."""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from postroom.content.model import Problem

MOST = 200
MEMBER = "postroomDiagnostics"


class Diagnostic(msgspec.Struct):
    """One mistake or doubt: where it is, what is wrong, and what to write instead.

    ``line`` and ``column`` count from 1; ``function`` is empty outside a call, ``fix`` where there is no one remedy.
    """

    severity: Literal["error", "warning"]
    code: str
    part: str
    line: int
    column: int
    function: str
    message: str
    fix: str


def diagnostics(problems: Iterable[Problem]) -> list[Diagnostic]:
    """The first `MOST` of them."""
    return [
        Diagnostic(
            problem.severity,
            problem.code,
            problem.part,
            problem.line,
            problem.column,
            problem.function,
            problem.message,
            problem.fix,
        )
        for problem in list(problems)[:MOST]
    ]


def own_member(problems: Iterable[Problem]) -> dict[str, Any]:
    """What a vendor body gains: `MEMBER`, or nothing where there is nothing to say."""
    shown = diagnostics(problems)
    return {MEMBER: shown} if shown else {}
