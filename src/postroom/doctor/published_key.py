"""Whether a published DKIM record lets receivers verify what a key signs (RFC 6376 §3.6.1)."""

from collections.abc import Sequence

from postroom.delivery.dkim.record import record_fault, tags
from postroom.tenancy.sender_domains import DomainKey


def published_fault(texts: Sequence[str], key: DomainKey) -> str:
    """What is wrong with the TXT records at the key's name, as the rest of a sentence about the key; empty when
    nothing is."""
    if not texts:
        return "is not published"
    if len(texts) > 1:
        return f"stands beside {len(texts) - 1} other TXT records, of which receivers take any"
    fault = record_fault(texts[0], key.algorithm, key.public_key)
    if fault:
        return f"can't be used: the record {fault}"
    published = tags(texts[0])
    if "sha256" not in published.get("h", "sha256").split(":"):
        return f"can't be used: the record allows h={published['h']} and mail is signed with sha256"
    if not {"*", "email"} & set(published.get("s", "*").split(":")):
        return f"can't be used: the record is for s={published['s']} and not for mail"
    return ""
