"""A recipient opens and clicks; the sender's webhook is told, with who is taken to have done it."""

import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from tests.scenarios.tracking.shop import Shop, until
from tests.wire.test_ens import Endpoint

HTML = (
    '<html><body><a alias="Track order" href="https://shop.example/orders/%%Order%%?a=1&amp;b=2">Track</a>'
    '<a href="mailto:help@shop.example">Help</a></body></html>'
)
TYPES = [
    "EngagementEvents.EmailOpen",
    "EngagementEvents.EmailClick",
    "EngagementEvents.EmailUnsubscribe",
    "TransactionalSendEvents.EmailSent",
]


class Told:
    """What a verified callback was told of one shop."""

    def __init__(self, shop: Shop, hook: Endpoint) -> None:
        self._told = cast("list[Any]", hook.told)  # the key, then batches
        (made,) = shop.call("POST", "/platform/v1/ens-callbacks", [{"callbackName": "Hook", "url": hook.url}])
        self.callback_id = made["callbackId"]
        key = next(each["verificationKey"] for each in self._told if isinstance(each, dict))
        shop.call("POST", "/platform/v1/ens-verify", {"callbackId": self.callback_id, "verificationKey": key})
        shop.call(
            "POST",
            "/platform/v1/ens-subscriptions",
            [{"callbackId": self.callback_id, "subscriptionName": "All", "eventCategoryTypes": TYPES}],
        )

    def events(self, kind: str, definition: str) -> list[dict[str, Any]]:
        """Those of one type about a definition's mails, oldest first; other stories click at the same shop."""
        every = [event for batch in self._told if isinstance(batch, list) for event in batch]
        # Only what was sent names its definition.
        sent = [event["composite"] for event in every if event["definitionKey"] == definition]
        return [event for event in every if event["eventCategoryType"].endswith(kind) and event["composite"] in sent]


@pytest.fixture(scope="package")
def told(shop: Shop) -> Iterator[Told]:
    """As long as the shop, whose subscription would be there already when a worker comes to this file again."""
    hook = Endpoint()
    yield Told(shop, hook)
    hook.server.shutdown()
    hook.server.server_close()


def test_a_click_leads_on_and_is_told(shop: Shop, told: Told) -> None:
    key = shop.define(HTML)
    mail = shop.send(key, Order="A 7")
    tracked, help_link = mail.links
    assert tracked.startswith(f"{shop.access.api}/t/c/")
    assert help_link == "mailto:help@shop.example"
    before = time.time()
    reply = shop.http.get(tracked)
    assert (reply.status_code, reply.headers["location"]) == (302, "https://shop.example/orders/A%207?a=1&b=2")
    assert reply.headers["cache-control"] == "no-store, private"
    until(lambda: len(told.events("EmailClick", key)) == 1)
    (click,), (sent,) = told.events("EmailClick", key), told.events("EmailSent", key)
    assert before - 0.01 <= click["timestampUTC"] / 1000 <= time.time()
    assert click["composite"] == sent["composite"]
    composite = click["composite"]
    assert click["compositeId"] == ".".join(composite[key] for key in ("jobId", "listId", "batchId", "subscriberId"))
    assert (click["definitionKey"], click["definitionId"], click["channel"]) == ("NA", "NA", "email")
    assert click["verdict"] == "person"
    assert click["info"] == {
        "ipAddress": "127.0.0.1",
        "jobUrlId": "1",
        "contentLink": "https://shop.example/orders/A%207?a=1&b=2",
        "impressionRegion": "0",
        "userAgent": shop.http.headers["user-agent"],
        "location": {},
    }


def test_an_open_is_told_and_a_proxy_is_named(shop: Shop, told: Told) -> None:
    key = shop.define(HTML)
    mail = shop.send(key, Order="7")
    agent = "Mozilla/5.0 (Windows NT 5.1) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
    reply = shop.http.get(mail.pixel, headers={"user-agent": agent})
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/gif")
    assert reply.content.startswith(b"GIF89a")
    assert reply.headers["cache-control"] == "no-store, private"
    until(lambda: len(told.events("EmailOpen", key)) == 1)
    (opened,) = told.events("EmailOpen", key)
    assert opened["verdict"] == "proxy"
    assert opened["info"] == {"ipAddress": "127.0.0.1", "userAgent": agent, "location": {}}


def test_links_of_a_definition_without_tracking_stay_as_they_are(shop: Shop) -> None:
    mail = shop.send(shop.define(HTML, options={"trackLinks": False}), Order="7")
    assert mail.html.strip() == HTML.replace("%%Order%%", "7")


def test_opens_are_a_choice_of_their_own(shop: Shop) -> None:
    key = shop.define(HTML, options={"trackLinks": False}, postroom={"trackOpens": True})
    mail = shop.send(key, Order="7")
    assert mail.links[0] == "https://shop.example/orders/7?a=1&b=2"
    assert mail.pixel
    key = shop.define(HTML, postroom={"trackOpens": False})
    mail = shop.send(key, Order="7")
    assert "/t/c/" in mail.links[0]
    assert "<img" not in mail.html


def test_an_unsubscription_is_told_once(shop: Shop, told: Told) -> None:
    leaving = shop.define(HTML + '<a href="%%unsub_center_url%%">Leave</a>')
    mail = shop.send(leaving, "leaving", Order="7")
    for _ in range(2):
        assert shop.http.post(mail.page("u"), data={"action": "unsubscribe"}).status_code == 200
    key = shop.define(HTML)
    mail = shop.send(key, Order="8")
    shop.http.get(mail.pixel)
    # told in order, so what came before the open was told before it
    until(lambda: bool(told.events("EmailOpen", key)))
    (left,) = told.events("EmailUnsubscribe", leaving)
    assert left["info"] == {
        "to": "leaving@example.org",
        "domain": "example.org",
        "unsubscribeDate": left["timestampUTC"],
        "unsubscribeMethod": "Click",
    }
    assert left["channel"] == "email"
