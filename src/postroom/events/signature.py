"""Signatures of webhooks: the vendor's header and those of Standard Webhooks, over the exact bytes sent.

The vendor's clients disagree on what its key is: some take the bytes of the signatureKey as it is written, others
decode it from base64 first (contract §6). `KeyReading` says which one the signatures are made for; Standard Webhooks
always decode, with the key written as ``whsec_`` and the signatureKey.
"""

import base64
import hashlib
import hmac
from typing import Literal, TypeAlias

KeyReading: TypeAlias = Literal["text", "base64"]

KEY_BYTES = 32

VENDOR_HEADER = "x-sfmc-ens-signature"


def new_signature_key(random_bytes: bytes) -> str:
    """The key as clients see it, from 32 random bytes."""
    if len(random_bytes) != KEY_BYTES:
        raise ValueError(f"a signature key is made of {KEY_BYTES} bytes, not {len(random_bytes)}")
    return base64.b64encode(random_bytes).decode()


def vendor_signature(body: bytes, signature_key: str, reading: KeyReading) -> str:
    """The value of the vendor's header: base64 of HMAC-SHA256."""
    key = signature_key.encode() if reading == "text" else base64.b64decode(signature_key)
    return base64.b64encode(hmac.digest(key, body, hashlib.sha256)).decode()


def standard_signature(body: bytes, signature_key: str, *, webhook_id: str, timestamp: int) -> str:
    """The value of ``webhook-signature`` (Standard Webhooks 1.0): signed are id, timestamp and body."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(base64.b64decode(signature_key), signed, hashlib.sha256)).decode()


def signature_headers(
    body: bytes, signature_key: str, reading: KeyReading, *, webhook_id: str, timestamp: int
) -> list[tuple[str, str]]:
    """Every signature header of one request; ``timestamp`` is seconds since the epoch, fresh for each attempt."""
    return [
        (VENDOR_HEADER, vendor_signature(body, signature_key, reading)),
        ("webhook-id", webhook_id),
        ("webhook-timestamp", str(timestamp)),
        (
            "webhook-signature",
            standard_signature(body, signature_key, webhook_id=webhook_id, timestamp=timestamp),
        ),
    ]
