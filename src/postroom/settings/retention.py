"""How long what is kept."""

from dataclasses import dataclass
from typing import Annotated

from postroom.settings.option import doc


@dataclass(frozen=True, kw_only=True)
class RetentionSettings:
    """Retention."""

    retention_days: Annotated[
        int,
        doc(
            "How long requests and messages are kept; whole days are dropped, never a day with mail still to send.",
            unit="days",
            ge=4,
            le=3650,
        ),
    ] = 30
    retention_event_days: Annotated[
        int,
        doc(
            "How long events are kept, by which statuses are told; whole days are dropped, never a day with mail "
            "still to send.",
            unit="days",
            default="`retention_days`",
            ge=4,
            le=3650,
        ),
    ]
    retention_engagement_days: Annotated[
        int,
        doc(
            "How long an open or a click knows from where it came: address, browser and target of the link.",
            unit="days",
            default="`retention_event_days`",
            ge=1,
            le=3650,
        ),
    ]
    retention_captured_days: Annotated[
        int,
        doc(
            "How long the sandbox's mailbox keeps a mail, unless its limits drop it sooner.", unit="days", ge=1, le=3650
        ),
    ] = 30
    retention_suppression_days: Annotated[
        int, doc("How long a suppression that has expired can still be looked at.", unit="days", ge=0, le=3650)
    ] = 30
