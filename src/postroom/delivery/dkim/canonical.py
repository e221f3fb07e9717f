"""The relaxed canonical forms of RFC 6376 §3.4.2 and §3.4.4, for mails whose lines all end with CRLF.

What the mails of a definition version have in common is brought into its form once and looked up afterwards.
"""

import re
from collections.abc import Iterator

# A pattern of two plain bytes is searched twice as fast as the same with ``in``.
_TWO_BLANKS = re.compile(rb"  ").search
_BLANK_AT_END = re.compile(rb" \r").search

_KEPT_LINES = 4096
_KEPT_LENGTH = 200
_BLOCK = 16384


class HeaderForm:
    """Canonical forms of the header fields that are ``wanted``, by their names in lower case."""

    def __init__(self, wanted: frozenset[bytes]) -> None:
        self._wanted = wanted
        self._forms: dict[bytes, tuple[bytes, bytes] | None] = {}

    def of(self, header: bytes) -> list[tuple[bytes, bytes]]:
        """The wanted fields as (lower-case name, canonical field without its CRLF), in their order.

        ``header`` is what stands before the empty line. A line without a colon belongs to no field and is left out.
        """
        if b"\t" in header:
            header = header.replace(b"\t", b" ")
        forms = self._forms
        if len(forms) > _KEPT_LINES:
            # Mostly fields with values by now; the next mails bring back what recurs.
            forms = self._forms = {}
        fields = []
        for field in header.replace(b"\r\n ", b" ").split(b"\r\n"):
            if field in forms:
                form = forms[field]
            else:
                form = self._field(field)
                if len(field) <= _KEPT_LENGTH:
                    forms[field] = form
            if form is not None:
                fields.append(form)
        return fields

    def _field(self, field: bytes) -> tuple[bytes, bytes] | None:
        name, colon, value = field.partition(b":")
        name = name.lower().rstrip(b" ")
        if not colon or name not in self._wanted:
            return None
        return name, b"%b:%b" % (name, collapsed(value).strip(b" "))


def collapsed(text: bytes) -> bytes:
    """``text`` with each run of blanks and tabs as one blank."""
    if b"\t" in text:
        text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text


class BodyForm:
    """Canonical bodies; of an indented template, each line costs a look-up and no search."""

    def __init__(self) -> None:
        self._forms: dict[bytes, bytes] = {}

    def of(self, body: bytes) -> bytes:
        """The canonical form of a whole body."""
        if len(body) > 2 * _BLOCK:
            body = b"".join([self._of_lines(block) for block in _blocks(body)])
        else:
            body = self._of_lines(body)
        return without_empty_lines_at_end(body)

    def _of_lines(self, body: bytes) -> bytes:
        if b"\t" in body or _TWO_BLANKS(body) is not None or _BLANK_AT_END(body) is not None:
            return self._by_lines(body)
        return body

    def _by_lines(self, body: bytes) -> bytes:
        forms = self._forms
        if len(forms) > _KEPT_LINES:
            forms = self._forms = {}
        found = []
        for line in body.split(b"\r\n"):
            form = forms.get(line)
            if form is None:
                form = collapsed(line).rstrip(b" ")
                if len(line) <= _KEPT_LENGTH:
                    forms[line] = form
            found.append(form)
        return b"\r\n".join(found)


def _blocks(body: bytes) -> Iterator[bytes]:
    """Whole lines each, the last one perhaps not: an indented text beside ten megabytes of base64 is not to have all of
    them looked at line by line."""
    at = 0
    while at < len(body):
        end = body.find(b"\r\n", at + _BLOCK)
        end = len(body) if end < 0 else end + 2
        yield body[at:end]
        at = end


def without_empty_lines_at_end(body: bytes) -> bytes:
    """What RFC 6376 §3.4.4 asks for last: no empty lines at the end, and one CRLF there unless nothing is left."""
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    if not end:
        return b""
    return body if end + 2 == len(body) else body[:end] + b"\r\n"
