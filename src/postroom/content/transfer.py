"""Content-transfer-encodings that work piece by piece (RFC 2045 §6): static text once, values per message.

A body is a sequence of pieces whose order may be known only at run time (conditions, loops), so a piece must be
right whatever stands before it. Quoted-printable has one thing that crosses pieces, the column; a contract
between pieces bounds it instead of tracking it:

    piece    may start at column   leaves the column at
    static   0 to 60               0 to 30
    value    0 to 30               0 to 60

Between two values there is therefore always a static piece, if only the empty one (a soft break). A short value
goes into its line as it is; a longer one moves to lines of its own by soft breaks. No line passes 76 characters.

Neither encoding ever writes a line that begins with a dot, a bare CR or LF, or an octet outside printable ASCII
and tab. A NUL and a lone surrogate, which no reader could use, become U+FFFD; every kind of line break in a text
becomes CRLF, the one line break mail has.
"""

import re
from binascii import b2a_base64, b2a_qp
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

LINE = 75  # of the 76 of RFC 2045 §6.7 rule 5; the last is for the "=" of a soft break
AFTER_STATIC = 30
AFTER_VALUE = 60
SOFT_BREAK = "=\r\n"

Next = Literal["value", "flow", "end"]
"""What follows a static piece: a value, something decided at run time, or the end of the part."""

_SHORT = 200
_FIRST_BUDGET = LINE - AFTER_VALUE
_VALUE_BUDGET = AFTER_VALUE - AFTER_STATIC

# A value that may stand anywhere as it is: no "=", no leading dot (it may fall on column 0), no trailing blank.
_ready = re.compile(rf"[ -\-/-<>-~][ -<>-~]{{0,{_VALUE_BUDGET - 1}}}(?<! )\Z").match
_foreign = re.compile("[\0\r\ud800-\udfff]").search
_surrogate = re.compile("[\0\ud800-\udfff]")


def plain_text(text: str) -> str:
    """``text`` with LF as its only line break and U+FFFD in place of NUL and lone surrogates."""
    if _foreign(text) is None:
        return text
    return _surrogate.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def qp_value(text: str) -> str:
    """One value as a quoted-printable piece; may follow any static piece."""
    if _ready(text) is not None:
        return text
    return _remembered(text) if len(text) <= _SHORT else _qp_value(text)


def _qp_value(text: str) -> str:
    if not text:
        return SOFT_BREAK  # shields a blank that may end the piece before from a line break in the one after
    if text.isprintable():  # so it holds neither line breaks nor anything to repair
        if text.isascii() and "=" not in text and " " not in text:
            # nothing to escape: mostly the address of a link
            broken = SOFT_BREAK + SOFT_BREAK.join(
                [text[at : at + AFTER_VALUE] for at in range(0, len(text), AFTER_VALUE)]
            )
            if "\n." not in broken:
                return broken
        escaped = b2a_qp(text.encode())
        if len(escaped) <= AFTER_VALUE and not escaped.startswith(b"."):
            short = len(escaped) <= _VALUE_BUDGET
            return escaped.decode("ascii") if short else SOFT_BREAK + escaped.decode("ascii")
    encoded = _escape(plain_text(text))
    if "\n" not in encoded:
        if len(encoded) <= _VALUE_BUDGET and encoded[0] != ".":
            return encoded
        return SOFT_BREAK + _wrap(encoded, LINE, AFTER_VALUE)
    *whole, last = encoded.split("\n")
    wrapped = [_wrap(line, LINE, LINE) for line in whole]
    wrapped.append(_wrap(last, LINE, AFTER_VALUE))
    return SOFT_BREAK + "\r\n".join(wrapped)


# What one part of a mail prints, the other mostly prints as well.
_remembered = lru_cache(maxsize=1024)(_qp_value)


def qp_static(text: str, *, first: bool, then: Next) -> str:
    """Static text as a quoted-printable piece; ``first`` says that it opens the part."""
    start = LINE if first else _FIRST_BUDGET
    end = LINE if then == "end" else AFTER_STATIC
    if not text:
        return "" if first or then == "end" else SOFT_BREAK
    encoded = _escape(plain_text(text))
    if then == "value" and text[-1] in " \t":
        encoded = encoded[:-3] + text[-1]  # every value piece shields it, see qp_value
    if "\n" not in encoded:
        # a break resets the column; without one it would grow by this piece from the 60 it may start at
        return _wrap(encoded, start, end, unbroken=start if then == "end" else end if first else 0)
    head, *lines, last = encoded.split("\n")
    wrapped = [_wrap(head, start, LINE)]
    wrapped.extend(_wrap(line, LINE, LINE) for line in lines)
    wrapped.append(_wrap(last, LINE, end))
    return "\r\n".join(wrapped)


def _escape(text: str) -> str:
    """Quoted-printable without a limit on line length; blanks before a line break or the end are encoded."""
    # b2a_qp breaks lines by itself, at columns of its own choosing; a "=" before LF is nothing else.
    return b2a_qp(text.encode()).replace(b"=\n", b"").decode("ascii")


def _wrap(line: str, first: int, last: int, unbroken: int | None = None) -> str:
    """One escaped line broken softly so that its first line has at most ``first`` and its last at most ``last``
    characters, no line begins with a dot, and it has a break when it is longer than ``unbroken``."""
    size = len(line)
    alone = min(first, last) if unbroken is None else unbroken
    if size <= alone and not line.startswith("."):
        return line
    lines: list[str] = []
    at = 0
    budget = first
    while True:
        dot = line.startswith(".", at)
        lead = "=2E" if dot else ""
        begin = at + dot
        room = budget - len(lead)
        if size - begin + len(lead) <= (last if at or lines else alone):
            lines.append(lead + line[begin:])
            return SOFT_BREAK.join(lines)
        if budget < LINE:
            at = _near_cut(line, at, min(begin + room, size))
            lines.append(lead + line[begin:at] if at > begin else "")
        else:
            at = _cut(line, min(begin + room, size))
            lines.append(lead + line[begin:at])
        budget = LINE


def _near_cut(line: str, at: int, limit: int) -> int:
    """A break after a blank or a tag within the little room ``line[at:limit]``, else right at ``at``."""
    nice = max(line.rfind(" ", at, limit), line.rfind(">", at, limit)) + 1
    return max(nice, at)


def _cut(line: str, limit: int) -> int:
    """Where to break a full line that may reach ``limit``: after a blank or a tag when one is near, never
    inside an ``=XX``."""
    nice = max(line.rfind(" ", limit - 25, limit), line.rfind(">", limit - 25, limit)) + 1
    if nice:
        return nice
    if line[limit - 1] == "=":
        return limit - 1
    return limit - 2 if line[limit - 2] == "=" else limit


def _base64_static(text: str, *, first: bool, then: Next) -> str:
    return plain_text(text)


def base64_lines(joined: str) -> str:
    """The joined pieces of a base64 part as lines of 76."""
    return encoded_lines(joined.replace("\n", "\r\n").encode())


def encoded_lines(data: bytes) -> str:
    """``data`` in base64, in lines of 76."""
    encoded = b2a_base64(data, newline=False).decode("ascii")
    return "\r\n".join([encoded[at : at + 76] for at in range(0, len(encoded), 76)])


_blank_run = re.compile(r"[ \t]{2,}|\t")


def relaxed(encoded: str) -> str:
    """A piece of either encoding in the relaxed form that DKIM signs (RFC 6376 §3.4.4): each run of blanks is one.

    Right piece by piece as long as no piece begins with a blank after one that ends with one. There is nothing to do
    at the ends of lines: an encoded line never ends with a blank.
    """
    return _blank_run.sub(" ", encoded)


def is_relaxed(values: Sequence[str]) -> bool:
    """Whether each of these pieces is in its relaxed form and begins with no blank, so that it may follow any other."""
    joined = "\n".join(("", *values))
    return "  " not in joined and "\n " not in joined and "\t" not in joined


@dataclass(frozen=True, slots=True)
class TransferEncoding:
    """How a part's pieces are made, and ``finish``, which turns them joined into lines for the wire; without it
    they are that already, and ASCII."""

    name: str
    static: Callable[..., str]
    value: Callable[[str], str]
    finish: Callable[[str], str] | None


QUOTED_PRINTABLE = TransferEncoding("quoted-printable", qp_static, qp_value, None)
BASE64 = TransferEncoding("base64", _base64_static, plain_text, base64_lines)


def choose_encoding(static_text: str) -> TransferEncoding:
    """Quoted-printable, which needs the least work per message, unless most octets of the static text are
    outside ASCII; then base64 is the smaller of the two by far (4 against up to 9 characters for a kanji)."""
    if static_text.isascii():
        return QUOTED_PRINTABLE
    octets = len(static_text.encode("utf-8", "replace"))
    wide = sum(len(run.encode("utf-8", "replace")) for run in re.findall(r"[^\x00-\x7f]+", static_text))
    return BASE64 if 2 * wide > octets else QUOTED_PRINTABLE


def _plain_static(text: str, *, first: bool, then: Next) -> str:
    return text


def _plain_value(text: str) -> str:
    return text


PLAIN = TransferEncoding("plain", _plain_static, _plain_value, None)
"""No encoding: for header fields, which are encoded whole, and for showing what a template prints."""
