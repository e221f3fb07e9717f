"""What the send routes take beyond the vendor's contract, all of it in headers: bodies stay the vendor's.

`Idempotency-Key`: the request is accepted once, and its repetitions within 72 hours get the first reply byte for
byte, marked `Idempotency-Replayed: true`. Requests that were refused left nothing behind and are looked at anew.
`Postroom-Definition-Version`: the version of the definition to send with, as the definition routes show it.
"""

import hashlib
from collections.abc import Callable

from postroom.api.errors import ApiError, Code
from postroom.api.reply import Header
from postroom.api.requests import Head
from postroom.intake.request import Accepted, Once

LONGEST_KEY = 255
REPLAYED: Header = (b"idempotency-replayed", b"true")


def once_of(head: Head, target: str, body: bytes, render: Callable[[Accepted], bytes]) -> Once | None:
    """The request's `Idempotency-Key`; ``target`` is the route with its key. Raises ApiError 10003."""
    given = head.idempotency_key
    if given is None:
        return None
    if not 0 < len(given) <= LONGEST_KEY or not all(32 < byte < 127 for byte in given):
        raise ApiError(Code.BAD_FORMAT, f"Idempotency-Key must have 1 to {LONGEST_KEY} printable ASCII characters")
    digest = hashlib.sha256()
    for part in (target.encode(), head.definition_version or b"", body):
        digest.update(b"%d:" % len(part) + part)
    return Once(given.decode("ascii"), digest.digest(), render)


def pinned_version(head: Head) -> int | None:
    """The number in `Postroom-Definition-Version`. Raises ApiError 10003."""
    given = head.definition_version
    if given is None:
        return None
    if not given.isdigit() or len(given) > 18:
        raise ApiError(
            Code.BAD_FORMAT,
            f"Postroom-Definition-Version is {given[:50].decode('latin-1')!r}; it must be a number that the "
            "definition's own replies show in this header",
        )
    return int(given)


def version_header(version_id: int) -> Header:
    """The header of a definition's replies."""
    return (b"postroom-definition-version", b"%d" % version_id)
