"""What a peer's certificate says, for the record of an attempt. Peers write what they like into certificates."""

from __future__ import annotations

import hashlib

from cryptography import x509

from postroom.delivery.outcome import Certificate, Proof
from postroom.delivery.smtp.reply import printable

_LONGEST_NAME = 200


def read_certificate(der: bytes, proof: Proof) -> Certificate:
    """The facts of a certificate. Never raises for what is in it."""
    fingerprint = hashlib.sha256(der).hexdigest()
    try:
        read = x509.load_der_x509_certificate(der)
        subject, issuer = (printable(name.rfc4514_string()[:_LONGEST_NAME]) for name in (read.subject, read.issuer))
        return Certificate(proof, fingerprint, subject, issuer, read.not_valid_after_utc.date().isoformat())
    except Exception:
        # Parsers of certificates fail in many ways; that the facts are missing must not end a delivery.
        return Certificate(proof, fingerprint)
