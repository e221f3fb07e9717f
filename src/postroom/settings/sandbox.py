"""The capture mailbox."""

from dataclasses import dataclass
from typing import Annotated

from postroom.settings.option import GiB, KiB, MiB, doc


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """Sandbox."""

    sandbox_smtp: Annotated[
        str,
        doc(
            "Where the capture mailbox of the sandbox listens for SMTP; port 0 takes a free one.",
            unit="host:port",
        ),
    ] = "127.0.0.1:1025"
    sandbox_max_messages: Annotated[
        int,
        doc(
            "Most mails the capture mailbox keeps; the oldest go first.",
            unit="mails",
            ge=1,
            le=100_000_000,
        ),
    ] = 100_000
    sandbox_max_bytes: Annotated[
        int,
        doc(
            "Most bytes of mail the capture mailbox keeps; the oldest go first.",
            unit="bytes",
            ge=MiB,
            le=1024 * 1024 * MiB,
        ),
    ] = GiB
    sandbox_max_message_bytes: Annotated[
        int,
        doc(
            "Largest mail the capture mailbox takes; a larger one is refused with SMTP code 552.",
            unit="bytes",
            ge=64 * KiB,
            le=GiB,
        ),
    ] = 25 * MiB
