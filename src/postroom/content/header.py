"""Header fields of one mail (RFC 5322, RFC 2047): values of any kind can fill a field, never end it.

Controls, line breaks and lone surrogates are gone before anything is written, and text that would read as an
encoded word of its own is encoded, so a value comes out as the text it is.
"""

import re
from binascii import b2a_base64, b2a_qp
from datetime import UTC, datetime

from .address import Address

LINE = 76  # RFC 2047 §2: a line of a field that holds encoded words
_LONGEST_WORD = 900  # of the 998 octets of RFC 5322 §2.1.1; text without a blank for longer is encoded
_WORD = 75 - len("=?utf-8?q??=")

_control = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]")
_surrogate = re.compile("[\ud800-\udfff]")
_atoms = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z").match
_literal = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_field_name = re.compile(r"[!-9;-~]{1,76}\Z").match
_message_id = re.compile(r"[!-;=?-~]{3,900}\Z").match

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def field_text(text: str) -> str:
    """``text`` as one line: controls and line breaks as blanks, lone surrogates as U+FFFD, ends stripped."""
    if text.isprintable() and not text.startswith(" ") and not text.endswith(" "):
        return text
    return _surrogate.sub("\ufffd", _control.sub(" ", text)).strip(" ")


def unstructured(text: str, column: int) -> str:
    """The value of a field such as Subject for a ``field_text``; ``column`` is where it starts on its line.

    ASCII stays as it is, folded at single blanks; anything else becomes encoded words of RFC 2047.
    """
    if text.isascii() and "=?" not in text:
        if column + len(text) <= LINE:
            return text
        folded = _fold(text, column)
        if folded is not None:
            return folded
    return _one_word(text, LINE - column) or _encoded_words(text, column)


def mailbox(name: str, address: Address, column: int) -> str:
    """``name <address>`` for From and its like; ``name`` is a ``field_text`` and may be empty."""
    if not name:
        return address.wire
    if name.isascii() and "=?" not in name and len(name) <= LINE - column - 2:
        if _atoms(name) is not None:
            phrase = name
        else:
            escaped = name.replace("\\", "\\\\").replace('"', '\\"')
            phrase = f'"{escaped}"'
    else:
        phrase = _encoded_words(name, column)
    last = len(phrase) - (phrase.rfind("\n") + 1) + (0 if "\n" in phrase else column)
    gap = " " if last + len(address.wire) + 3 <= LINE else "\r\n "
    return f"{phrase}{gap}<{address.wire}>"


def date_text(moment: datetime) -> str:
    """RFC 5322 §3.3 date-time of an aware ``moment``, in UTC."""
    moment = moment.astimezone(UTC)
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day:02d} {_MONTHS[moment.month - 1]} {moment.year:04d} "
        f"{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} +0000"
    )


def field(name: str, value: str) -> str:
    """One whole field for the wire, with its CRLF, folded at blanks where it is long.

    For fields whose value has a grammar of its own and is ASCII. Raises ValueError for a name that is none and for
    anything in the value that is not printable ASCII.
    """
    if _field_name(name) is None:
        raise ValueError(f"{name!r} is not the name of a header field (RFC 5322 §2.2)")
    folded = _fold(value, len(name) + 2) if value.isascii() and value.isprintable() else None
    if not value or value != value.strip() or folded is None:
        raise ValueError(f"{name}: {value[:80]!r} is not one line of printable ASCII with blanks to fold it at")
    return f"{name}: {folded}\r\n"


def is_message_id(text: str) -> bool:
    """Whether ``text`` can stand between the angle brackets of Message-ID without ending them."""
    return _message_id(text) is not None and "@" in text


def _fold(text: str, column: int) -> str | None:
    """ASCII text folded before blanks to lines of 76 where words allow, or None when a word is too long."""
    lines: list[str] = []
    line = ""
    for word in re.findall(r" *[^ ]+", text):
        if len(word) > _LONGEST_WORD:
            return None
        if line and column + len(line) + len(word) > LINE:
            lines.append(line)
            line = word
            column = 0
        else:
            line += word
    lines.append(line)
    return "\r\n".join(lines)


def _one_word(text: str, room: int) -> str | None:
    """A short text as a single encoded word, or None; the usual case of _encoded_words without its loops.

    It leaves more characters as they are than a phrase may (RFC 2047 §5 rule 3), so it is for free text only.
    """
    octets = text.encode()
    # a "?" could end the word; b2a_qp breaks its line at 76, where a single word is too long already
    quoted = b2a_qp(octets, header=True).replace(b"?", b"=3F")
    if len(quoted) * 3 > len(octets) * 4:
        quoted = b2a_base64(octets, newline=False)
        form = "b"
    else:
        form = "q"
    if len(quoted) > min(_WORD, room - len("=?utf-8?q??=")):
        return None
    return f"=?utf-8?{form}?{quoted.decode('ascii')}?="


def _encoded_words(text: str, column: int) -> str:
    """The whole text as encoded words, whole characters each, in the encoding that comes out shorter."""
    octets = len(text.encode())
    literals = sum(1 for char in text if char in _literal or char == " ")
    as_base64 = (octets + 2) // 3 * 4 < literals + 3 * (octets - literals)
    first = min(_WORD, LINE - column - len("=?utf-8?q??="))
    words = _b_words(text, first) if as_base64 else _q_words(text, first)
    return "\r\n ".join(words)


def _b_words(text: str, first: int) -> list[str]:
    words: list[str] = []
    chunk = b""
    room = first // 4 * 3
    for char in text:
        octets = char.encode()
        if len(chunk) + len(octets) > room:
            words.append(f"=?utf-8?b?{b2a_base64(chunk, newline=False).decode('ascii')}?=")
            chunk = b""
            room = (_WORD - 1) // 4 * 3
        chunk += octets
    words.append(f"=?utf-8?b?{b2a_base64(chunk, newline=False).decode('ascii')}?=")
    return words


def _q_words(text: str, first: int) -> list[str]:
    words: list[str] = []
    chunk: list[str] = []
    size = 0
    room = first
    for char in text:
        if char in _literal:
            piece = char
        elif char == " ":
            piece = "_"
        else:
            piece = "".join(f"={octet:02X}" for octet in char.encode())
        if size + len(piece) > room:
            words.append(f"=?utf-8?q?{''.join(chunk)}?=")
            chunk = []
            size = 0
            room = _WORD - 1
        chunk.append(piece)
        size += len(piece)
    words.append(f"=?utf-8?q?{''.join(chunk)}?=")
    return words
