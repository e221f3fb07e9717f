"""What a callback is told of an open, a click or an unsubscription (contract §6).

    opened        EngagementEvents.EmailOpen
    clicked       EngagementEvents.EmailClick
    unsubscribed  EngagementEvents.EmailUnsubscribe

They name the message by job, batch and subscriber, as the vendor does, and neither its key nor its definition's. Where
nobody knows a place, ``location`` is empty. Ours have one more field beside ``eventId``: ``verdict``, who was taken to
have done it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

EMAIL_OPEN = "EngagementEvents.EmailOpen"
EMAIL_CLICK = "EngagementEvents.EmailClick"
EMAIL_UNSUBSCRIBE = "EngagementEvents.EmailUnsubscribe"

KINDS: Mapping[str, str] = {"opened": EMAIL_OPEN, "clicked": EMAIL_CLICK, "unsubscribed": EMAIL_UNSUBSCRIBE}


class _Detail(msgspec.Struct):
    ip_address: str = ""
    user_agent: str = ""
    verdict: str = "person"
    link: int = 0
    target: str = ""
    region: str = "0"


_decode = msgspec.json.Decoder(_Detail).decode


def engagement_body(
    kind: str, account_id: int, occurred_at: datetime, composite: Mapping[str, str], to: str, evidence: str | None
) -> dict[str, Any]:
    """The object of one event, without its ``eventId``. ``evidence`` is the event's detail, JSON."""
    detail = _decode(evidence) if evidence else _Detail()
    at = round(occurred_at.timestamp() * 1000)
    if kind == "unsubscribed":
        info: dict[str, object] = {
            "to": to,
            "domain": to.rpartition("@")[2],
            "unsubscribeDate": at,
            "unsubscribeMethod": "Click",
        }
    else:
        info = {"ipAddress": detail.ip_address}
        if kind == "clicked":
            info |= {
                "jobUrlId": str(detail.link),
                "contentLink": detail.target,
                "impressionRegion": detail.region,
            }
        info |= {"userAgent": detail.user_agent, "location": {}}
    return {
        "eventCategoryType": KINDS[kind],
        "timestampUTC": at,
        "compositeId": ".".join(composite[name] for name in ("jobId", "listId", "batchId", "subscriberId")),
        "composite": composite,
        "definitionKey": "NA",
        "definitionId": "NA",
        "mid": account_id,
        "eid": account_id,
        "channel": "email",
        "verdict": detail.verdict,
        "info": info,
    }
