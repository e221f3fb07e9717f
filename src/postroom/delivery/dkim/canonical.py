"""The relaxed canonical forms of RFC 6376 §3.4.2 and §3.4.4, for mails whose lines all end with CRLF."""

import re
from collections.abc import Container

# A pattern of two plain bytes is searched twice as fast as the same with ``in``.
_TWO_BLANKS = re.compile(rb"  ").search
_BLANK_AT_END = re.compile(rb" \r").search

_KEPT_LINES = 4096
_KEPT_LENGTH = 200


def header_fields(header: bytes, wanted: Container[bytes]) -> list[tuple[bytes, bytes]]:
    """The ``wanted`` fields of a header as (lower-case name, canonical field without its CRLF), in their order.

    ``header`` is what stands before the empty line. A line without a colon belongs to no field and is left out.
    """
    if b"\t" in header:
        header = header.replace(b"\t", b" ")
    fields: list[tuple[bytes, bytes]] = []
    for field in header.replace(b"\r\n ", b" ").split(b"\r\n"):
        name, colon, value = field.partition(b":")
        name = name.lower().rstrip(b" ")
        if colon and name in wanted:
            fields.append((name, b"%b:%b" % (name, _collapsed(value).strip(b" "))))
    return fields


def _collapsed(text: bytes) -> bytes:
    if b"\t" in text:
        text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text


class BodyForm:
    """Canonical bodies. What recurs is prepared once: the lines that the mails of a definition version have in
    common keep their canonical form, so that an indented template costs a look-up a line and no search.

    May be used by several threads at a time.
    """

    def __init__(self) -> None:
        self._forms: dict[bytes, bytes] = {}

    def of(self, body: bytes) -> bytes:
        """The canonical form of a whole body."""
        if b"\t" in body or _TWO_BLANKS(body) is not None or _BLANK_AT_END(body) is not None:
            body = self._by_lines(body)
        end = len(body)
        while body.endswith(b"\r\n", 0, end):
            end -= 2
        return body[:end] + b"\r\n" if end else b""

    def _by_lines(self, body: bytes) -> bytes:
        forms = self._forms
        if len(forms) > _KEPT_LINES:
            # Mostly lines with values by now; the next mails bring back what recurs.
            forms = self._forms = {}
        found = []
        for line in body.split(b"\r\n"):
            form = forms.get(line)
            if form is None:
                form = _collapsed(line).rstrip(b" ")
                if len(line) <= _KEPT_LENGTH:
                    forms[line] = form
            found.append(form)
        return b"\r\n".join(found)
