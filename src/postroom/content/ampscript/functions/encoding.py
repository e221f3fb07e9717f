"""Hashes, Base64 and hexadecimal (ampscript.md §14, Encoding)."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from postroom.content.ampscript.faults import ValueFault
from postroom.content.ampscript.functions.registry import function
from postroom.content.ampscript.run import Run
from postroom.content.ampscript.values import shown, to_flag, to_text

# .NET's names of encodings, and Python's; what a narrow one cannot hold becomes "?"
_CHARSETS: Mapping[str, str] = MappingProxyType(
    {
        "": "utf-8",
        "utf-8": "utf-8",
        "utf8": "utf-8",
        "utf-16": "utf-16-le",
        "utf-16le": "utf-16-le",
        "unicode": "utf-16-le",
        "utf-16be": "utf-16-be",
        "unicodefffe": "utf-16-be",
        "utf-32": "utf-32-le",
        "utf-32le": "utf-32-le",
        "utf-32be": "utf-32-be",
        "ascii": "ascii",
        "us-ascii": "ascii",
        "iso-8859-1": "latin-1",
        "latin1": "latin-1",
        "windows-1252": "cp1252",
    }
)


def _charset(name: object) -> str:
    found = _CHARSETS.get(to_text(name).strip().lower())
    if found is None:
        raise ValueFault(
            f"the charset {shown(name)} is not known; write UTF-8, UTF-16, UTF-16BE, UTF-32, ASCII or ISO-8859-1",
            code="UnknownCharset",
        )
    return found


def octets(run: Run, text: object, charset: object) -> bytes:
    """The bytes of a value in a charset; ``?`` stands for what it cannot hold."""
    whole = to_text(text)
    run.check_text(len(whole))
    return whole.encode(_charset(charset), "replace")


@function(
    "MD5",
    minimum=1,
    maximum=2,
    params="text[, charset]",
    doc="The MD5 sum in small hexadecimal digits; no protection against anybody.",
    category="Encoding",
)
def md5(run: Run, text: object, charset: object = "") -> str:
    return hashlib.md5(octets(run, text, charset), usedforsecurity=False).hexdigest()


@function(
    "SHA1",
    minimum=1,
    maximum=2,
    params="text[, charset]",
    doc="The SHA-1 sum in small hexadecimal digits; no protection against anybody.",
    category="Encoding",
)
def sha1(run: Run, text: object, charset: object = "") -> str:
    return hashlib.sha1(octets(run, text, charset), usedforsecurity=False).hexdigest()


@function(
    "SHA256",
    minimum=1,
    maximum=2,
    params="text[, charset]",
    doc="The SHA-256 sum in small hexadecimal digits.",
    category="Encoding",
)
def sha256(run: Run, text: object, charset: object = "") -> str:
    return hashlib.sha256(octets(run, text, charset)).hexdigest()


@function(
    "SHA512",
    minimum=1,
    maximum=2,
    params="text[, charset]",
    doc="The SHA-512 sum in small hexadecimal digits.",
    category="Encoding",
)
def sha512(run: Run, text: object, charset: object = "") -> str:
    return hashlib.sha512(octets(run, text, charset)).hexdigest()


@function(
    "Base64Encode",
    minimum=1,
    maximum=2,
    params="text[, charset]",
    doc="The bytes of a text as Base64.",
    category="Encoding",
)
def base64_encode(run: Run, text: object, charset: object = "") -> str:
    return base64.b64encode(octets(run, text, charset)).decode("ascii")


@function(
    "Base64Decode",
    minimum=1,
    maximum=3,
    params="text[, charset[, abort]]",
    doc="The text that was encoded; a wrong letter or wrong padding is an error unless abort is false (then nothing).",
    category="Encoding",
)
def base64_decode(run: Run, text: object, charset: object = "", abort: object = True) -> str:
    encoding = _charset(charset)
    whole = to_text(text)
    try:
        decoded = base64.b64decode(whole, validate=True)
    except (binascii.Error, ValueError):
        if to_flag(abort):
            raise ValueFault(f"{shown(whole)} is not Base64", code="BadBase64") from None
        return ""
    return decoded.decode(encoding, "replace")


@function(
    "StringToHex",
    minimum=1,
    maximum=2,
    params="text[, charset]",
    doc="The bytes of a text in small hexadecimal digits.",
    category="Encoding",
)
def string_to_hex(run: Run, text: object, charset: object = "") -> str:
    return octets(run, text, charset).hex()
