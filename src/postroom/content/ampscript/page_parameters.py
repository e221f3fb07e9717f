"""The parameters of a page address, sealed: whoever reads the mail can neither read nor change them.

AES-SIV (RFC 5297) needs no random number, so a message composed again has the same addresses.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from hashlib import sha512

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

_CONTEXT = b"postroom page parameters 1:"


def _cipher(secret: bytes) -> AESSIV:
    if len(secret) < 16:
        raise ValueError("the page key has fewer than 16 bytes")
    return AESSIV(sha512(_CONTEXT + secret).digest())


def seal_parameters(secret: bytes, page: str, parameters: Sequence[tuple[str, str]]) -> str:
    """The value of ``qs``, safe in a URL. ValueError when ``secret`` has fewer than 16 bytes."""
    plain = json.dumps(parameters, ensure_ascii=True, separators=(",", ":")).encode()
    sealed = _cipher(secret).encrypt(plain, [page.encode("utf-8", "replace")])
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def open_parameters(secret: bytes, page: str, sealed: str) -> Mapping[str, str] | None:
    """What was sealed for this page with this secret; None for anything else. Of a name given twice the last counts."""
    try:
        raw = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
        plain = _cipher(secret).decrypt(raw, [page.encode("utf-8", "replace")])
    except (binascii.Error, InvalidTag, UnicodeEncodeError, ValueError):
        return None
    return {str(name): str(value) for name, value in json.loads(plain)}
