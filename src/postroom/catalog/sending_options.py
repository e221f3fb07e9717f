"""How the mail of one definition is sent, where that differs from the server's own way: Postroom's own extension.

On the wire it is the member `postroom` of a definition. What is not set is left out, there and in the database, so
that a definition without any is exactly the vendor's.
"""

import re
from datetime import timedelta
from typing import Final

import msgspec

from postroom.settings.waits import parse_waits

LONGEST_DELIVER_BEFORE: Final = 30 * 86_400

_ROUTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_UNKNOWN_CHOICES: Final = ("resend", "hold")


class SendingOptions(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """A definition's own choices; None and False stand for what the server does by itself."""

    deliver_before: int | None = None
    """Seconds after the accept; no attempt begins later."""
    on_unknown: str | None = None
    """After a connection lost behind the final dot: "resend" (the default) or "hold"."""
    route: str | None = None
    """The name of the route its mail takes."""
    list_unsubscribe: bool = False
    """Whether its mail carries List-Unsubscribe headers."""
    retry_schedule: str | None = None
    """Waits between attempts, as in the server's setting."""
    track_opens: bool | None = None
    """Whether its mail has an open pixel; None does as trackLinks does."""

    @property
    def holds_unknown(self) -> bool:
        """Whether a message with an unknown outcome waits for somebody to decide."""
        return self.on_unknown == "hold"

    @property
    def deliver_within(self) -> timedelta | None:
        """`deliver_before` as a duration."""
        return None if self.deliver_before is None else timedelta(seconds=self.deliver_before)

    @property
    def waits(self) -> tuple[timedelta, ...] | None:
        """`retry_schedule` as durations."""
        return None if self.retry_schedule is None else parse_waits(self.retry_schedule)


DEFAULT: Final = SendingOptions()


def problem_of(options: SendingOptions) -> tuple[str, str] | None:
    """The first field whose value can't be used, by its Python name, and what is wrong; None when all can."""
    seconds = options.deliver_before
    if seconds is not None and not 1 <= seconds <= LONGEST_DELIVER_BEFORE:
        return "deliver_before", f"{seconds} is out of range; give whole seconds from 1 to {LONGEST_DELIVER_BEFORE}"
    if options.on_unknown is not None and options.on_unknown not in _UNKNOWN_CHOICES:
        return "on_unknown", f"{options.on_unknown[:50]!r} is unknown; it must be {' or '.join(_UNKNOWN_CHOICES)}"
    if options.route is not None and _ROUTE.fullmatch(options.route) is None:
        return (
            "route",
            f"{options.route[:70]!r} is no name of a route; "
            "it has up to 64 letters, digits, dots, dashes and underscores, and begins with a letter or digit",
        )
    if options.retry_schedule is not None:
        try:
            parse_waits(options.retry_schedule)
        except ValueError as wrong:
            return "retry_schedule", str(wrong)
    return None


def encode_options(options: SendingOptions) -> str | None:
    """For the database: JSON, or null when nothing is set."""
    return None if options == DEFAULT else msgspec.json.encode(options).decode()


def decode_options(text: str | None) -> SendingOptions:
    """From the database."""
    return DEFAULT if text is None else _STORED.decode(text)


_STORED = msgspec.json.Decoder(SendingOptions)
