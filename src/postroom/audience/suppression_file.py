"""Suppressions as files: CSV and NDJSON (RFC 4180, one JSON object a line), read and written without I/O.

Columns and fields are ``address``, ``cause``, ``evidence`` and ``expires``; only the address is needed. What is written
can be read again. A cell that a spreadsheet would take for a formula is written with an apostrophe before it, which
reading takes away.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from postroom.audience.suppression import CAUSES, Cause, Entry, Suppression, folded_address

FileFormat: TypeAlias = Literal["csv", "ndjson"]

HEADER: Sequence[str] = ("address", "cause", "evidence", "expires", "created")

_ADDRESS_NAMES = frozenset({"address", "email", "email address", "emailaddress", "email_address"})
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


class Line(NamedTuple):
    """One entry of a file, or what is wrong with it. ``number`` counts lines from 1."""

    number: int
    entry: Entry | None
    problem: str = ""


class _Object(msgspec.Struct, forbid_unknown_fields=True):
    address: str | None = None
    cause: str | None = None
    evidence: str | None = None
    expires: str | None = None
    created: object = None
    id: object = None


_object = msgspec.json.Decoder(_Object)
_encode = msgspec.json.Encoder().encode


def read_csv(lines: Iterable[str], cause: Cause = "import") -> Iterator[Line]:
    """The entries of a CSV file; ``cause`` is that of lines without one.

    The first line names the columns when one of them is called address (or email); else the first column holds the
    addresses. Columns of other names are left alone.
    """
    rows = csv.reader(lines)
    places = {"address": 0}
    first = True
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as problem:
            yield Line(rows.line_num, None, f"this is not CSV: {problem}")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if first:
            first = False
            names = [cell.strip().lower() for cell in cells]
            place = next((place for place, name in enumerate(names) if name in _ADDRESS_NAMES), None)
            if place is not None:
                places = {name: names.index(name) for name in HEADER if name in names} | {"address": place}
                continue
        values = {name: _unguarded(cells[place]) for name, place in places.items() if place < len(cells)}
        found = [values.get(name) for name in HEADER[:4]]
        yield read_line(rows.line_num, found[0], found[1], found[2], found[3], cause)


def read_ndjson(lines: Iterable[str], cause: Cause = "import") -> Iterator[Line]:
    """The entries of a file with one JSON object a line; empty lines are left out."""
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            found = _object.decode(text)
        except (msgspec.MsgspecError, RecursionError) as problem:
            yield Line(number, None, f"this is no object of address, cause, evidence and expires: {problem}"[:300])
            continue
        yield read_line(number, found.address, found.cause, found.evidence, found.expires, cause)


def read_file(kind: FileFormat, lines: Iterable[str], cause: Cause = "import") -> Iterator[Line]:
    """The entries of a file of either kind."""
    return read_csv(lines, cause) if kind == "csv" else read_ndjson(lines, cause)


def read_line(
    number: int, address: str | None, named: str | None, evidence: str | None, expires: str | None, cause: Cause
) -> Line:
    """One entry from its texts; ``cause`` is what it gets when it names none."""
    address = (address or "").strip()
    if not address:
        return Line(number, None, "there is no address")
    try:
        folded_address(address)
        entry = Entry(
            address,
            read_cause(named) if named and named.strip() else cause,
            evidence or "",
            read_moment("expires", expires) if expires and expires.strip() else None,
        )
    except ValueError as problem:
        return Line(number, None, str(problem))
    return Line(number, entry)


def file_head(kind: FileFormat) -> str:
    """What a file of this kind begins with."""
    return _csv_line(HEADER) if kind == "csv" else ""


def file_line(kind: FileFormat, suppression: Suppression) -> str:
    """One suppression as a line; it must have its address."""
    assert suppression.address is not None
    values = {
        "address": suppression.address,
        "cause": suppression.cause,
        "evidence": suppression.evidence,
        "expires": None if suppression.expires_at is None else moment_text(suppression.expires_at),
        "created": moment_text(suppression.created_at),
    }
    if kind == "csv":
        return _csv_line([values[name] or "" for name in HEADER])
    return _encode(values).decode() + "\n"


def read_cause(text: str) -> Cause:
    """A cause in any letter case. Raises ValueError with a sentence."""
    for cause in CAUSES:
        if text.strip().lower() == cause:
            return cause
    raise ValueError(f"cause is {text[:50]!r}; it must be one of {', '.join(CAUSES)}")


def read_moment(field: str, text: str) -> datetime:
    """A time with its offset, or a date, whose UTC midnight is meant. Raises ValueError with a sentence."""
    shown = f"{field} is {text[:50]!r}"
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{shown}; write a time such as 2027-01-05T09:00:00Z, or a date") from None
    if moment.tzinfo is None:
        if len(text.strip()) > 10:
            raise ValueError(f"{shown}; end it with the offset, Z for UTC")
        moment = moment.replace(tzinfo=UTC)
    if not 2000 <= moment.year <= 9000:
        raise ValueError(f"{shown}; its year must be from 2000 to 9000")
    return moment.astimezone(UTC)


def moment_text(moment: datetime) -> str:
    """A moment in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _csv_line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([_guarded(cell) for cell in cells])
    return out.getvalue()


def _guarded(cell: str) -> str:
    # A cell that already begins with an apostrophe gets one more, so that reading knows which ones were added.
    return "'" + cell if cell.startswith(_FORMULA) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
