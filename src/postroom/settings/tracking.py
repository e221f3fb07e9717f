"""Opens, clicks and the pages of recipients."""

from dataclasses import dataclass
from typing import Annotated, Literal

from postroom.settings.option import doc


@dataclass(frozen=True, kw_only=True)
class TrackingSettings:
    """Tracking."""

    tracking_url: Annotated[
        str,
        doc(
            "Base of the addresses that mails carry: counted links, the open pixel, the pages of recipients. With "
            "`delivery` other than `sandbox` links are counted only once its certificate has been seen.",
            unit="URL",
            default="the value of `public_url`",
        ),
    ]
    tracking_privacy: Annotated[
        Literal["full", "private"],
        doc(
            "Whether events of opens and clicks keep the address and the user agent (`full`) or not (`private`), "
            "where the business unit says nothing else."
        ),
    ] = "full"
    tracking_flush_milliseconds: Annotated[
        int,
        doc(
            "How long opens and clicks are gathered before they are written; a killed process loses this much.",
            unit="milliseconds",
            ge=5,
            le=10_000,
        ),
    ] = 100
