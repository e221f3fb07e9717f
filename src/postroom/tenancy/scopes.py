"""The permissions an API client can hold (contract §1), and how they are written in requests and tokens."""

from collections.abc import Iterable

# A token carries its scopes as bits in this order, so names are only ever added at the end.
SCOPES = (
    "email_read",
    "email_send",
    "email_write",
    "saved_content_read",
    "saved_content_write",
    "documents_and_images_read",
    "documents_and_images_write",
    "data_extensions_read",
    "data_extensions_write",
    "list_and_subscribers_read",
    "list_and_subscribers_write",
    "audiences_read",
    "audiences_write",
    "event_notification_callback_create",
    "event_notification_callback_read",
    "event_notification_callback_update",
    "event_notification_callback_delete",
    "event_notification_subscription_create",
    "event_notification_subscription_read",
    "event_notification_subscription_update",
    "event_notification_subscription_delete",
)

_BITS = {name: 1 << place for place, name in enumerate(SCOPES)}


class ScopeUnknown(ValueError):
    """A permission nobody can hold. ``name`` is the word that was not understood."""

    def __init__(self, name: str) -> None:
        super().__init__(f"scope {name!r} does not exist; the scopes are {', '.join(SCOPES)}")
        self.name = name


def parse_scopes(text: str) -> frozenset[str]:
    """The scopes of a space separated list, in any case. Raises ScopeUnknown."""
    names = frozenset(text.lower().split())
    for name in sorted(names):
        if name not in _BITS:
            raise ScopeUnknown(name)
    return names


def scopes_text(scopes: Iterable[str]) -> str:
    """The list as the token reply shows it: sorted, separated by spaces."""
    return " ".join(sorted(scopes))


def scope_bits(scopes: Iterable[str]) -> int:
    """The scopes as one number, for tokens."""
    bits = 0
    for name in scopes:
        bits |= _BITS[name]
    return bits


def scopes_of_bits(bits: int) -> frozenset[str]:
    """The reverse of `scope_bits`."""
    return frozenset(name for name, bit in _BITS.items() if bits & bit)
