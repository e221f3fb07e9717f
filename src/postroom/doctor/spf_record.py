"""SPF records as text (RFC 7208 §4.6, §5, §12): their terms, and their macros. No I/O."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, Literal, TypeAlias, cast

Qualifier: TypeAlias = Literal["+", "-", "~", "?"]
Mechanism: TypeAlias = Literal["all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"]

ASKS: Final[frozenset[Mechanism]] = frozenset({"include", "a", "mx", "ptr", "exists"})
"""Mechanisms that count against the limit of ten (§4.6.4)."""

_TERM = re.compile(r"([+~?-]?)([A-Za-z0-9]+)(?::([^/\s]+|[^\s]*?))?(/[0-9]{1,3})?(//[0-9]{1,3})?")
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(.*)")
_MACRO = re.compile(r"%(?:\{([slodiphcrtvSLODIPHCRTV])([0-9]{0,3})(r?)([.\-+,/_=]*)\}|([%_-])|)")


class SpfInvalid(ValueError):
    """The record is not one that receivers can use (permerror); the text says why."""


@dataclass(frozen=True, slots=True)
class Term:
    """One mechanism. ``value`` is the domain as written, empty for the record's own; the prefixes are in bits."""

    text: str
    qualifier: Qualifier
    mechanism: Mechanism
    value: str = ""
    prefix4: int = 32
    prefix6: int = 128
    network: IPv4Network | IPv6Network | None = None


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """A record; ``redirect`` is the domain as written, empty without one."""

    text: str
    terms: tuple[Term, ...]
    redirect: str = ""

    @property
    def all(self) -> Qualifier | None:
        """What the record says of everybody else; None when it says nothing."""
        return next((term.qualifier for term in self.terms if term.mechanism == "all"), None)


def spf_texts(texts: Sequence[str]) -> list[str]:
    """Those of a domain's TXT records that are SPF records (§4.5)."""
    return [text for text in texts if re.match(r"v=spf1(?: |\Z)", text, re.IGNORECASE)]


def read_spf(text: str) -> SpfRecord:
    """Read a record. Raises SpfInvalid."""
    terms: list[Term] = []
    modifiers: dict[str, str] = {}
    for word in text.split(" ")[1:]:
        if not word:
            continue
        modifier = _MODIFIER.fullmatch(word)
        if modifier is None:
            terms.append(_term(word))
            continue
        name = modifier[1].lower()
        if name in modifiers and name in ("redirect", "exp"):
            raise SpfInvalid(f"{name}= is there twice")
        modifiers[name] = modifier[2]
    redirect = modifiers.get("redirect")
    if redirect == "":
        raise SpfInvalid("redirect= names no domain")
    return SpfRecord(text, tuple(terms), redirect or "")


def _term(word: str) -> Term:
    found = _TERM.fullmatch(word)
    name = found[2].lower() if found is not None else ""
    if found is None or name not in ("all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"):
        raise SpfInvalid(f'"{word}" is no mechanism')
    qualifier, mechanism = cast(Qualifier, found[1] or "+"), cast(Mechanism, name)
    value, prefixes = found[3], (found[4], found[5])
    if mechanism in ("ip4", "ip6"):
        return Term(word, qualifier, mechanism, network=_network(word, mechanism))
    if (value is None and mechanism in ("include", "exists")) or value == "":
        raise SpfInvalid(f'"{word}" names no domain')
    if (any(prefixes) and mechanism not in ("a", "mx")) or (value and mechanism == "all"):
        raise SpfInvalid(f'"{word}" has more than {mechanism} can have')
    four, six = (int(each.strip("/")) if each else most for each, most in zip(prefixes, (32, 128), strict=True))
    if four > 32 or six > 128:
        raise SpfInvalid(f'"{word}" has too long a prefix')
    return Term(word, qualifier, mechanism, value or "", four, six)


def _network(word: str, mechanism: Mechanism) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(word.partition(":")[2], strict=False)
    except ValueError:
        raise SpfInvalid(f'"{word}" names no address') from None
    if (network.version == 4) != (mechanism == "ip4"):
        raise SpfInvalid(f'"{word}" has an address of the other kind')
    return network


def expand(text: str, values: Mapping[str, str]) -> str:
    """A domain with its macros (§7) replaced; ``values`` by letter. Raises SpfInvalid."""

    def replace(found: re.Match[str]) -> str:
        letter, digits, turned, delimiters, plain = found.groups()
        if plain is not None:
            return {"%": "%", "_": " ", "-": "%20"}[plain]
        if letter is None or letter.lower() not in values or digits == "0":
            raise SpfInvalid(f'"{text}" has a macro that is none')
        parts = re.split(f"[{re.escape(delimiters or '.')}]", values[letter.lower()])
        if turned:
            parts.reverse()
        return ".".join(parts[-int(digits) :] if digits else parts)

    return _MACRO.sub(replace, text)
