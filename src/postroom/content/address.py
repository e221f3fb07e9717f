"""One mail address: RFC 5321 §4.1.2 ``Mailbox`` as it is used on today's internet.

Accepted: dot-atom and quoted local parts, UTF-8 local parts (RFC 6531), domain names of two labels or more,
internationalised domains (sent as A-labels, RFC 5891). Refused on purpose: address literals, dotless domains,
comments, blanks outside quotes, control characters, empty local parts, anything over 64/254 octets.
"""

import re
import unicodedata
from typing import NamedTuple

import idna

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@((?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL})\Z")
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL}\Z")
_WIDE_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+"
_WIDE_LOCAL = re.compile(rf'(?:{_WIDE_ATOM}(?:\.{_WIDE_ATOM})*|"(?:[ !#-\[\]-~\x80-\U0010ffff]|\\[ -~])+")\Z')
_WIDE_DOT_ATOM = re.compile(rf"{_WIDE_ATOM}(?:\.{_WIDE_ATOM})*\Z")
_ESCAPED = re.compile(r"\\(.)")
_TO_ESCAPE = re.compile(r'["\\]')
_MAX_LOCAL = 64
_MAX_ADDRESS = 254


class Address(NamedTuple):
    """``domain`` is lower case and A-label; ``wire`` is what SMTP commands and header fields carry."""

    local: str
    domain: str
    wire: str
    smtputf8: bool


def parse_address(text: str) -> Address | None:
    """The address ``text`` holds, or None when it is not exactly one well-formed address."""
    if len(text) > _MAX_ADDRESS:
        return None
    match = _PLAIN.match(text)
    if match is None:
        return _parse_wide(text)
    local, domain = match.groups()
    if len(local) > _MAX_LOCAL:
        return None
    domain = domain.lower()
    if "xn--" in domain:
        return _parse_wide(text)
    return Address(local, domain, f"{local}@{domain}", False)


def is_address(text: str) -> bool:
    """Whether `parse_address` would find an address: the same answer, cheaper for the plain ones."""
    match = _PLAIN.match(text)
    if match is None or match.end(1) > _MAX_LOCAL or len(text) > _MAX_ADDRESS or "xn--" in text.lower():
        return parse_address(text) is not None
    return True


def fold_address(text: str) -> str | None:
    """The form in which two addresses are compared, or None when ``text`` is no address.

    Letter case does not matter, nor do quotes around a local part that needs none (RFC 5321 §4.1.2), nor how an
    accented letter is composed, nor whether a domain is written in its own letters or in A-labels. All else does:
    what a provider makes of dots and plus signs is its own business.
    """
    match = _PLAIN.match(text)
    if match is not None and match.end(1) <= _MAX_LOCAL and len(text) <= _MAX_ADDRESS:
        folded = text.lower()
        if "xn--" not in folded:
            return folded
    address = parse_address(text)
    if address is None:
        return None
    local = address.local
    if local.startswith('"'):
        bare = _ESCAPED.sub(r"\1", local[1:-1])
        local = bare if _WIDE_DOT_ATOM.match(bare) else '"' + _TO_ESCAPE.sub(r"\\\g<0>", bare) + '"'
    return f"{unicodedata.normalize('NFC', unicodedata.normalize('NFC', local).lower())}@{address.domain}"


def _parse_wide(text: str) -> Address | None:
    local, at, domain = text.rpartition("@")
    # isprintable refuses controls, surrogates, unassigned code points, bidi overrides and every blank but U+0020
    if not at or not text.isprintable() or not _WIDE_LOCAL.match(local):
        return None
    try:
        ascii_domain = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        return None
    wire = f"{local}@{ascii_domain}"
    if not _DOMAIN.match(ascii_domain) or len(local.encode()) > _MAX_LOCAL or len(wire.encode()) > _MAX_ADDRESS:
        return None
    return Address(local, ascii_domain, wire, not local.isascii())
