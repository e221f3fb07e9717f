"""What a domain's ``_smtp._tls`` record asks for (RFC 8460 §3): where its reports are to go. Pure."""

from collections.abc import Sequence
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from postroom.content.address import parse_address

MOST_DESTINATIONS = 4
"""Of one domain: its record must not make us write to everybody."""

_VERSION = "v=TLSRPTv1"


class Destination(NamedTuple):
    """``target`` is an address in wire form or an https URL; ``uri`` names it in the log, in printable ASCII."""

    kind: Literal["mailto", "https"]
    target: str
    uri: str


def read_destinations(texts: Sequence[str]) -> tuple[Destination, ...]:
    """Where the TXT records of a domain send its reports; empty when it wants none.

    Two records that begin as one of this kind count as none, and so does what cannot be read.
    """
    records = [text for text in texts if text.partition(";")[0].strip() == _VERSION]
    if len(records) != 1:
        return ()
    found: dict[str, Destination] = {}
    for part in records[0].split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip() == "rua":
            for uri in value.split(","):
                destination = _destination(uri.strip())
                if destination is not None:
                    found.setdefault(destination.target, destination)
    return tuple(found.values())[:MOST_DESTINATIONS]


def _destination(uri: str) -> Destination | None:
    scheme, _, rest = uri.partition(":")
    if scheme.lower() == "mailto":
        address = parse_address(unquote(rest.partition("?")[0]))
        if address is None or address.smtputf8:
            return None
        return Destination("mailto", address.wire, f"mailto:{address.wire}")
    if scheme.lower() != "https" or not uri.isascii() or not uri.isprintable():
        return None
    try:
        parts = urlsplit(uri)
        usable = bool(parts.hostname) and parts.username is None and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    return Destination("https", uri, uri) if usable else None
