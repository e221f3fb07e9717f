"""Incremental parser of SMTP replies (RFC 5321 §4.2), without I/O.

Forgiving where peers are known to be sloppy: a bare LF ends a line, text may be missing, text may hold
any bytes but NUL, and in a multi-line reply the last line's code counts (as in Postfix). Strict where
memory or sense is at stake: a line that does not begin with a reply code, an overlong line, an endless
reply. Nothing is raised: what makes no sense is kept as the parser's ``fault``, a ReplyMalformed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from postroom.delivery.outcome import TEXT_LIMIT

MAX_LINE: Final = 4096
MAX_REPLY: Final = 65536

# A reply code is 200 to 599: RFC 5321 defines no 1yz replies.
_CODES: Final = {b"%d" % code: code for code in range(200, 600)}
_ENHANCED: Final = re.compile(r"([245])\.\d{1,3}\.\d{1,3}(?!\S)")
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
    """Feed it bytes as they come; it gives the replies that became complete."""

    __slots__ = ("_lines", "_rest", "_seen", "_seen_replies", "_size", "fault")

    def __init__(self) -> None:
        self.fault: ReplyMalformed | None = None
        """Why nothing after the replies given so far can be understood; None while all is well."""
        self._rest = b""
        self._lines: list[bytes] = []
        self._size = 0
        self._seen = b""
        self._seen_replies: tuple[Reply, ...] = ()

    @property
    def pending(self) -> bool:
        """Whether there are bytes that no reply has been made of yet."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> Sequence[Reply]:
        """The replies that these bytes complete. After a fault: none, ever."""
        if self._rest or self._lines:
            data, self._rest = self._rest + data, b""
        elif data == self._seen:
            # The answers to pipelined commands are the same from mail to mail.
            return self._seen_replies
        replies: list[Reply] = []
        try:
            if self.fault is None:
                self._read(data, replies)
        except ReplyMalformed as fault:
            self.fault = fault
            self._rest = b""
            return replies
        if len(replies) > 1 and not self.pending and len(data) <= MAX_LINE:
            self._seen, self._seen_replies = data, tuple(replies)
        return replies

    def _read(self, data: bytes, replies: list[Reply]) -> None:
        start, length = 0, len(data)
        while start < length:
            end = data.find(b"\n", start)
            if end < 0:
                self._check_unfinished(data, start)
                self._rest = data[start:]
                return
            following = end + 1
            if following - start > MAX_LINE:
                raise ReplyMalformed(f"a reply line of {following - start} bytes (at most {MAX_LINE})")
            if end > start and data[end - 1] == _CR:
                end -= 1
            code = _CODES.get(data[start : start + 3])
            separator = data[start + 3] if end > start + 3 else _SPACE
            if code is None or (separator != _SPACE and separator != _HYPHEN):
                raise ReplyMalformed(f"a line without a reply code: {_shown(data[start:end])}")
            text = data[start + 4 : end]
            if b"\0" in text:
                raise ReplyMalformed(f"binary data in a reply: {_shown(data[start:end])}")
            if separator == _HYPHEN:
                self._size += following - start
                if self._size > MAX_REPLY:
                    raise ReplyMalformed(f"a reply of more than {MAX_REPLY} bytes")
                self._lines.append(text)
            elif self._lines:
                replies.append(Reply(code, (*self._lines, text)))
                self._lines.clear()
                self._size = 0
            else:
                replies.append(Reply(code, (text,)))
            start = following

    def _check_unfinished(self, data: bytes, start: int) -> None:
        # A code is checked as soon as it is there: garbage need not be waited for until its LF.
        if len(data) - start > MAX_LINE:
            raise ReplyMalformed(f"a reply line of more than {MAX_LINE} bytes")
        if len(data) - start >= 4 and data[start : start + 3] not in _CODES:
            raise ReplyMalformed(f"a line without a reply code: {_shown(data[start:])}")


def printable(text: str) -> str:
    """The text with every control character replaced, at most ``TEXT_LIMIT`` characters."""
    text = text[:TEXT_LIMIT]
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _shown(line: bytes) -> str:
    return ascii(line[:60].decode("latin-1"))
