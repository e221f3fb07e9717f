"""Erasures on the wire (Postroom's own)."""

import msgspec

from postroom.api.errors import ApiError, Code
from postroom.api.wire.audience import required_key
from postroom.api.wire.decoding import decode, refuse_token_in
from postroom.api.wire.suppressions import checked_address
from postroom.audience.suppression_file import moment_text
from postroom.privacy.erasure import Receipt


class WireErasure(msgspec.Struct, rename="camel"):
    """Whom to erase: one of both. ``suppress`` false lets mail go to the address again."""

    contact_key: str | None = None
    address: str | None = None
    suppress: bool = True


class ShownReceipt(msgspec.Struct, rename="camel"):
    """A receipt. ``erased`` has the rows of each class of data; nothing in it tells of whom."""

    id: str
    state: str
    suppress: bool
    requested_by: str
    requested: str
    finished: str | None
    erased: dict[str, int]


_erasure = msgspec.json.Decoder(WireErasure)


def read_erasure(body: bytes) -> WireErasure:
    """What a POST asks for. Raises ApiError."""
    wire = decode(_erasure, body)
    refuse_token_in(body)
    if (wire.contact_key is None) == (wire.address is None):
        raise ApiError(Code.REQUIRED, "give contactKey or address, one of both")
    if wire.contact_key is not None:
        required_key("contactKey", wire.contact_key)
    if wire.address is not None:
        checked_address(wire.address)
    return wire


def shown_receipt(receipt: Receipt) -> ShownReceipt:
    """A receipt as replies show it."""
    return ShownReceipt(
        id=str(receipt.erasure_id),
        state=receipt.state,
        suppress=receipt.suppress,
        requested_by=receipt.requested_by,
        requested=moment_text(receipt.requested_at),
        finished=None if receipt.finished_at is None else moment_text(receipt.finished_at),
        erased=receipt.counts,
    )
