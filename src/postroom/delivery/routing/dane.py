"""Whether a chain of certificates agrees with TLSA records (RFC 6698, 7671, 7672). No I/O.

    usage 3   the host's own certificate or key; its name and its dates do not matter (RFC 7672 §3.1.1)
    usage 2   an authority's: the host's certificate must lead to it, be valid, and have the name of the host
    usage 0,1 not for mail (§3.1.3)

Records that can't be used are left out; of those that differ in their digest only, the stronger counts (RFC 7671
§9). The number of records and certificates that are looked at is bounded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from postroom.delivery.smtp.trust import Judge, Rejected

AUTHORITY: Final = 2
OWN: Final = 3
MOST_RECORDS = 32
MOST_CERTIFICATES = 10
LONGEST_DATA = 8192
_DIGESTS = {1: "sha256", 2: "sha512"}
_DIGEST_SIZES = {1: 32, 2: 64}


@dataclass(frozen=True, slots=True)
class Tlsa:
    """One TLSA record: selector 0 is the certificate, 1 its key; matching 0 all of it, 1 SHA-256, 2 SHA-512."""

    usage: int
    selector: int
    matching: int
    data: bytes

    def __str__(self) -> str:
        """As in a zone file."""
        return f"{self.usage} {self.selector} {self.matching} {self.data.hex()}"

    @property
    def usable(self) -> bool:
        """Whether it says something about the certificate of a mail host."""
        if self.usage not in (AUTHORITY, OWN) or self.selector not in (0, 1):
            return False
        if self.matching == 0:
            return 0 < len(self.data) <= LONGEST_DATA
        return len(self.data) == _DIGEST_SIZES.get(self.matching)

    def fits(self, certificate: bytes, key: bytes) -> bool:
        """Whether it is about this certificate (DER) with this key (SubjectPublicKeyInfo)."""
        subject = key if self.selector else certificate
        if self.matching:
            subject = hashlib.new(_DIGESTS[self.matching], subject).digest()
        return subject == self.data


def usable_records(records: Iterable[Tlsa]) -> tuple[Tlsa, ...]:
    """Those to judge by, at most ``MOST_RECORDS``, always in the same order."""
    usable = {record for record in records if record.usable}
    strong = {(record.usage, record.selector) for record in usable if record.matching == 2}
    kept = [record for record in usable if record.matching != 1 or (record.usage, record.selector) not in strong]
    kept.sort(key=lambda record: (-record.usage, -record.selector, record.matching, record.data))
    return tuple(kept[:MOST_RECORDS])


def tlsa_judge(records: Sequence[Tlsa], names: Sequence[str], now: Callable[[], datetime]) -> Judge:
    """A judge by usable records; ``names`` are those that a certificate under an authority may be for.

    ``now`` is UTC.
    """

    def judge(chain: Sequence[bytes]) -> Rejected | None:
        try:
            agrees = _agrees(records, names, chain[:MOST_CERTIFICATES], now())
        except Exception as problem:
            # Certificates that can't be parsed fail in many ways.
            return Rejected("validation-failure", f"the certificate can't be read: {type(problem).__name__}")
        if agrees:
            return None
        return Rejected("certificate-not-trusted", f"the certificate agrees with none of {len(records)} TLSA records")

    return judge


def _agrees(records: Sequence[Tlsa], names: Sequence[str], chain: Sequence[bytes], now: datetime) -> bool:
    if not chain:
        return False
    own = x509.load_der_x509_certificate(chain[0])
    own_key = _key(own)
    if any(record.usage == OWN and record.fits(chain[0], own_key) for record in records):
        return True
    authorities = [record for record in records if record.usage == AUTHORITY]
    if not authorities:
        return False
    above = [x509.load_der_x509_certificate(der) for der in chain[1:]]
    anchors = [
        certificate
        for certificate, der in zip(above, chain[1:], strict=True)
        if any(record.fits(der, _key(certificate)) for record in authorities)
    ]
    # An authority that is in the DNS as a whole need not be sent.
    anchors += [
        x509.load_der_x509_certificate(record.data)
        for record in authorities
        if record.selector == 0 and record.matching == 0
    ][:MOST_CERTIFICATES]
    return bool(anchors) and any(_leads_to(anchors, own, above, name, now) for name in names)


def _leads_to(
    anchors: Sequence[x509.Certificate],
    own: x509.Certificate,
    above: Sequence[x509.Certificate],
    name: str,
    now: datetime,
) -> bool:
    # The rules of public authorities are not those of a domain's own one: only what RFC 5280 needs is demanded.
    of_authorities = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    of_hosts = ExtensionPolicy.permit_all().require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    verifier = (
        PolicyBuilder()
        .store(Store(list(anchors)))
        .time(now)
        .extension_policies(ca_policy=of_authorities, ee_policy=of_hosts)
        .build_server_verifier(x509.DNSName(name))
    )
    try:
        verifier.verify(own, list(above))
    except VerificationError:
        return False
    return True


def _key(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
