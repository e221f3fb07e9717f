"""The relaxed canonical forms of RFC 6376 §3.4.2 and §3.4.4, for mails whose lines all end with CRLF."""

_KEPT_LINES = 4096
_KEPT_LENGTH = 200


def header_fields(header: bytes) -> list[tuple[bytes, bytes]]:
    """The fields of a header as (lower-case name, canonical field without its CRLF), in their order.

    ``header`` is what stands before the empty line. A line without a colon belongs to no field and is left out.
    """
    fields: list[tuple[bytes, bytes]] = []
    for field in header.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n"):
        name, colon, value = field.partition(b":")
        if colon:
            name = name.rstrip(b" \t").lower()
            fields.append((name, name + b":" + _collapsed(value).strip(b" ")))
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
        if b"  " in body or b" \r\n" in body or b"\t" in body:
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
