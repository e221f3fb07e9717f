"""The Event Notification Service."""

from dataclasses import dataclass
from typing import Annotated, Literal

from postroom.settings.option import doc


@dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """Webhooks."""

    events_processes: Annotated[
        int,
        doc("Processes that send webhooks; one tells all callbacks, more are spares.", unit="processes", ge=1, le=16),
    ] = 1
    ens_allow_private: Annotated[
        int,
        doc(
            "Whether webhooks may go to plain http, to other ports and to private addresses: 1 is yes, 0 is no.",
            unit="1 or 0",
            default="`1` when `delivery` is `sandbox`, else `0`",
            ge=0,
            le=1,
        ),
    ]
    ens_signature_key: Annotated[
        Literal["text", "base64"],
        doc(
            "How `x-sfmc-ens-signature` reads a callback's signatureKey: its `text` as it is written, or the bytes "
            "that it is the `base64` of."
        ),
    ] = "text"
    ens_timeout_seconds: Annotated[
        float,
        doc("How long a webhook may take to answer.", unit="seconds", gt=0, le=60),
    ] = 3.0
    ens_longest_wait_seconds: Annotated[
        float,
        doc("Longest wait between two attempts at a webhook that fails.", unit="seconds", gt=0, le=3600),
    ] = 600.0
    ens_retry_days: Annotated[
        int,
        doc("How long after an event its webhook is still tried.", unit="days", ge=1, le=365),
    ] = 7
