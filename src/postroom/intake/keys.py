"""Message keys: folding and generation.

Keys match without regard to ASCII case (contract §0), exactly as the index on ``lower(message_key collate "C")``
folds them, so a duplicate found here is a duplicate there.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable

_GUID_BYTES = 16
_KEY_CHARACTERS = 22
_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def fold_key(key: str) -> str:
    """The form in which two keys are compared: ASCII letters lower-cased, everything else as it is."""
    return key.lower() if key.isascii() else key.translate(_ASCII_LOWER)


def generate_keys(count: int, random_bytes: Callable[[int], bytes]) -> list[str]:
    """``count`` fresh message keys in the vendor's look: a GUID in 22 characters of URL-safe base64."""
    block = random_bytes(_GUID_BYTES * count)
    return [
        urlsafe_b64encode(block[start : start + _GUID_BYTES])[:_KEY_CHARACTERS].decode("ascii")
        for start in range(0, _GUID_BYTES * count, _GUID_BYTES)
    ]
