"""Suppressions on the wire (Postroom's own)."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import msgspec

from postroom.api.errors import ApiError, Code
from postroom.api.wire.decoding import decode, refuse_token_in, shorter
from postroom.audience.suppression import (
    EVIDENCE_CHARACTERS,
    AddressInvalid,
    Cause,
    Entry,
    Suppression,
    folded_address,
)
from postroom.audience.suppression_file import Line, moment_text, read_cause, read_line, read_moment
from postroom.audience.suppression_transfer import ImportReport

_T = TypeVar("_T")


class WireSuppression(msgspec.Struct):
    """An address to suppress. Without a cause it is manual, and import in an import."""

    address: str | None = None
    cause: str | None = None
    evidence: str = ""
    expires: str | None = None


class WireImport(msgspec.Struct):
    """A file's entries as JSON."""

    items: list[WireSuppression] | None = None


class ShownSuppression(msgspec.Struct):
    """A suppression. ``address`` is folded, and null when it was erased; ``expires`` null is never."""

    id: int
    address: str | None
    cause: Cause
    evidence: str
    created: str
    changed: str
    expires: str | None


class SuppressionPage(msgspec.Struct, rename="camel"):
    """A page; ``next`` is what ``after`` has to be for the one that follows, null when this is the last."""

    items: list[ShownSuppression]
    count: int
    page_size: int
    next: int | None


class Removed(msgspec.Struct):
    """How many suppressions were removed."""

    removed: int


class Problem(msgspec.Struct):
    """Why a line was not imported."""

    line: int
    problem: str


class Imported(msgspec.Struct):
    """What became of a file's lines; the problems of the first hundred rejected ones."""

    added: int
    known: int
    rejected: int
    problems: list[Problem]


_suppression = msgspec.json.Decoder(WireSuppression)
_import = msgspec.json.Decoder(WireImport)


def read_suppression(body: bytes, *, now: datetime) -> Entry:
    """What a POST asks for. Raises ApiError."""
    wire = decode(_suppression, body)
    refuse_token_in(body)
    if wire.address is None or not wire.address.strip():
        raise ApiError(Code.REQUIRED, "address is required")
    shorter("evidence", wire.evidence, EVIDENCE_CHARACTERS)
    expires = None if wire.expires is None else _read(lambda text: read_moment("expires", text), wire.expires)
    if expires is not None and expires <= now:
        raise ApiError(Code.INVALID_VALUE, "expires is in the past")
    cause: Cause = "manual" if wire.cause is None else _read(read_cause, wire.cause)
    return Entry(checked_address(wire.address.strip()), cause, wire.evidence, expires)


def read_import(body: bytes, cause: Cause) -> list[Line]:
    """The entries of a JSON import, with what is wrong with the others; their lines count items. Raises ApiError."""
    wire = decode(_import, body)
    refuse_token_in(body)
    if wire.items is None:
        raise ApiError(Code.REQUIRED, "items is required")
    return [
        read_line(number, each.address, each.cause, each.evidence, each.expires, cause)
        for number, each in enumerate(wire.items, 1)
    ]


def checked_address(text: str) -> str:
    """An address as it was given. Raises ApiError."""
    try:
        folded_address(text)
    except AddressInvalid as invalid:
        raise ApiError(Code.INVALID_VALUE, f"address: {invalid}") from None
    return text


def query_cause(text: str | None) -> Cause | None:
    """The cause that a query names. Raises ApiError."""
    return None if not text else _read(read_cause, text)


def shown_suppression(found: Suppression) -> ShownSuppression:
    """A suppression as replies show it."""
    return ShownSuppression(
        id=found.suppression_id,
        address=found.address,
        cause=found.cause,
        evidence=found.evidence,
        created=moment_text(found.created_at),
        changed=moment_text(found.changed_at),
        expires=None if found.expires_at is None else moment_text(found.expires_at),
    )


def shown_report(report: ImportReport) -> Imported:
    """An import's report."""
    problems = [_problem(line) for line in report.problems]
    return Imported(report.added, report.known, report.rejected, problems)


def _problem(line: Line) -> Problem:
    return Problem(line.number, line.problem)


def _read(reader: Callable[[str], _T], text: str) -> _T:
    try:
        return reader(text)
    except ValueError as problem:
        raise ApiError(Code.INVALID_VALUE, str(problem)) from None
