"""Slices and messages as a claim gives them, for tests without a database."""

from datetime import UTC, datetime
from uuid import UUID

from postroom.audience.contacts import Contact
from postroom.delivery.slices import Message, Request, Slice

ACCEPTED = datetime(2026, 11, 23, 12, tzinfo=UTC)
REQUEST = Request(UUID(int=1), version_id=5, batch_id=9, attributes={})


def make_slice(slice_id: int = 1, *, definition: int = 1, lane: int = 1, attempt: int = 0, messages: int = 0) -> Slice:
    """A claimed slice with so many messages outstanding."""
    return Slice(
        account_id=100,
        slice_id=slice_id,
        fence=1,
        definition_id=UUID(int=definition),
        lane=lane,
        request_id=REQUEST.request_id,
        accepted_on=ACCEPTED.date(),
        accepted_at=ACCEPTED,
        attempt=attempt,
        valid_until=float("inf"),
        outstanding=messages,
    )


def make_message(slice_: Slice, position: int) -> Message:
    """One message of a slice."""
    return Message(
        slice=slice_,
        position=position,
        message_key=f"m{slice_.slice_id}-{position}",
        contact_key="c",
        address="c@example.com",
        attributes={},
        request=REQUEST,
        contact=Contact(77, "c@example.com", {}, "Active"),
    )
