"""Incremental parser of SMTP replies (RFC 5321 §4.2), without I/O.

Forgiving where peers are known to be sloppy: a bare LF ends a line, text may be missing, text may hold
any bytes but NUL, and in a multi-line reply the last line's code counts (as in Postfix). Strict where
memory or sense is at stake: a line that does not begin with a reply code, an overlong line, an endless
reply. ``ReplyMalformed`` is the only exception that leaves this module.
"""

from __future__ import annotations

import re
from typing import Final

from postroom.delivery.outcome import TEXT_LIMIT

MAX_LINE: Final = 4096
MAX_REPLY: Final = 65536

# A reply code is 200 to 599: RFC 5321 defines no 1yz replies.
_CODES: Final = {b"%d" % code: code for code in range(200, 600)}
_ENHANCED: Final = re.compile(r"([245])\.\d{1,3}\.\d{1,3}(?!\S)")
_LF: Final = 10
_CR: Final = 13
_SPACE: Final = 32
_HYPHEN: Final = 45


class ReplyMalformed(ValueError):
    """What the peer sent is no SMTP reply; the text says what is wrong with it."""


class Reply:
    """One complete reply: its code and the texts of its lines, still as bytes."""

    __slots__ = ("code", "lines")

    def __init__(self, code: int, lines: tuple[bytes, ...]) -> None:
        self.code = code
        self.lines = lines

    def __repr__(self) -> str:
        return f"Reply({self.text!r})"

    @property
    def text(self) -> str:
        """Code and texts on one line: printable, at most ``TEXT_LIMIT`` characters."""
        lines = self.lines
        raw = lines[0] if len(lines) == 1 else b" ".join(line for line in lines if line)
        return printable(f"{self.code} {raw[: 4 * TEXT_LIMIT].decode('utf-8', 'replace')}".rstrip())

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 2034) if its class agrees with the reply code, else empty."""
        found = _ENHANCED.match(self.lines[-1][:16].decode("ascii", "replace"))
        if found is None or int(found[1]) != self.code // 100:
            return ""
        return found[0]


class ReplyParser:
    """Feed it bytes as they come; take complete replies out with ``next_reply``."""

    __slots__ = ("_buffer", "_lines", "_position", "_size")

    def __init__(self) -> None:
        self._buffer = b""
        self._position = 0
        self._lines: list[bytes] = []
        self._size = 0

    @property
    def pending(self) -> bool:
        """Whether there are bytes that no reply has been made of yet."""
        return self._position < len(self._buffer) or bool(self._lines)

    def feed(self, data: bytes) -> None:
        """Append bytes; nothing is looked at before ``next_reply``."""
        if self._position == len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[self._position :] + data
        self._position = 0

    def next_reply(self) -> Reply | None:
        """The next complete reply, or None until more bytes come. Raises ReplyMalformed."""
        buffer = self._buffer
        while True:
            start = self._position
            end = buffer.find(b"\n", start)
            if end < 0:
                self._check_unfinished(buffer, start)
                return None
            self._position = end + 1
            self._size += end + 1 - start
            if end - start > MAX_LINE:
                raise ReplyMalformed(f"a reply line of {end - start} bytes (at most {MAX_LINE})")
            if end > start and buffer[end - 1] == _CR:
                end -= 1
            code = _CODES.get(buffer[start : start + 3])
            if code is None:
                raise ReplyMalformed(f"a line without a reply code: {_shown(buffer[start:end])}")
            text = buffer[start + 4 : end]
            if b"\0" in text:
                raise ReplyMalformed(f"binary data in a reply: {_shown(buffer[start:end])}")
            separator = buffer[start + 3] if end > start + 3 else _SPACE
            if separator == _SPACE:
                self._size = 0
                if not self._lines:
                    return Reply(code, (text,))
                lines = (*self._lines, text)
                self._lines.clear()
                return Reply(code, lines)
            if separator != _HYPHEN:
                raise ReplyMalformed(f"a line without a reply code: {_shown(buffer[start:end])}")
            if self._size > MAX_REPLY:
                raise ReplyMalformed(f"a reply of more than {MAX_REPLY} bytes")
            self._lines.append(text)

    def _check_unfinished(self, buffer: bytes, start: int) -> None:
        # A code is checked as soon as it is there: garbage need not be waited for until its LF.
        if len(buffer) - start > MAX_LINE:
            raise ReplyMalformed(f"a reply line of more than {MAX_LINE} bytes")
        if len(buffer) - start >= 4 and buffer[start : start + 3] not in _CODES:
            raise ReplyMalformed(f"a line without a reply code: {_shown(buffer[start:])}")


def printable(text: str) -> str:
    """The text with every control character replaced, at most ``TEXT_LIMIT`` characters."""
    text = text[:TEXT_LIMIT]
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _shown(line: bytes) -> str:
    return ascii(line[:60].decode("latin-1"))
