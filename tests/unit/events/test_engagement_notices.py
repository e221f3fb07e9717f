"""What callbacks are told of opens, clicks and unsubscriptions (contract §6)."""

from datetime import UTC, datetime

from postroom.events.engagement_notices import engagement_body

COMPOSITE = {"jobId": "2001", "batchId": "41", "listId": "446", "subscriberId": "1251", "emailId": "1825"}
AT = datetime(2026, 1, 5, 8, 0, 0, 530_000, UTC)
COMMON = {
    "timestampUTC": 1767600000530,
    "compositeId": "2001.446.41.1251",
    "composite": COMPOSITE,
    "definitionKey": "NA",
    "definitionId": "NA",
    "mid": 100,
    "eid": 100,
    "channel": "email",
}


def test_an_open() -> None:
    detail = '{"verdict":"machine","verdict_reason":"crawler","ip_address":"192.0.2.1","user_agent":"x"}'
    assert engagement_body("opened", 100, AT, COMPOSITE, "a@x.org", detail) == {
        "eventCategoryType": "EngagementEvents.EmailOpen",
        **COMMON,
        "verdict": "machine",
        "info": {"ipAddress": "192.0.2.1", "userAgent": "x", "location": {}},
    }


def test_a_click_kept_without_address() -> None:
    detail = '{"verdict":"person","link":7,"target":"https://x.org/","region":"hero","link_name":"n"}'
    assert engagement_body("clicked", 100, AT, COMPOSITE, "a@x.org", detail)["info"] == {
        "ipAddress": "",
        "jobUrlId": "7",
        "contentLink": "https://x.org/",
        "impressionRegion": "hero",
        "userAgent": "",
        "location": {},
    }


def test_an_unsubscription() -> None:
    body = engagement_body("unsubscribed", 100, AT, COMPOSITE, "a@x.org", '{"method":"one-click"}')
    assert body["eventCategoryType"] == "EngagementEvents.EmailUnsubscribe"
    assert body["info"] == {
        "to": "a@x.org",
        "domain": "x.org",
        "unsubscribeDate": 1767600000530,
        "unsubscribeMethod": "Click",
    }
