"""One sandbox for all stories of this folder, with a shop that has an endpoint for webhooks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest
from tests.scenarios.tracking.shop import PATIENCE, Shop
from tests.wire.test_ens import Endpoint

from postroom.cli.private_server import PrivateServer

TYPES = [f"TransactionalSendEvents.{kind}" for kind in ("EmailSent", "EmailNotSent", "EmailBounced")]


@dataclass
class Failing:
    """A shop in a sandbox, what its webhook was told, and the sandbox's own calls."""

    shop: Shop
    hook: Endpoint
    definition: str

    @property
    def account_id(self) -> int:
        return self.shop.access.account_id

    def send(self, key: str, to: str, **more: object) -> None:
        """Have one message accepted."""
        body = {"definitionKey": self.definition, "recipient": {"contactKey": key, "to": to}, **more}
        self.shop.call("POST", f"/messaging/v1/email/messages/{key}", body)

    def status(self, key: str) -> str:
        """The status of a message, with its code if it has one, as the page writes it."""
        said = self.shop.call("GET", f"/messaging/v1/email/messages/{key}")
        return f"{short(said)} {said.get('info', {}).get('statusCode', '')}".strip()

    def told(self, key: str) -> set[str]:
        """The events that webhooks told of a message, as the page writes them."""
        batches = [each for each in cast("list[Any]", self.hook.told) if isinstance(each, list)]
        events = [event for batch in batches for event in batch if event["info"].get("messageKey") == key]
        return {
            f"{short(each)} {each['info'].get('statusCode', '') or each['info'].get('bounceCode', '')}".strip()
            for each in events
        }

    def suppressed(self) -> dict[str, str]:
        """Cause by address."""
        page = self.shop.call("GET", "/postroom/v1/suppressions?pagesize=500")
        return {each["address"]: each["cause"] for each in page["items"]}

    def sandbox(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """One of the sandbox's own calls."""
        return self.shop.http.request(method, f"{self.shop.access.api}/sandbox/{path}", timeout=PATIENCE, **arguments)

    def mails(self, **wanted: object) -> list[dict[str, Any]]:
        """Captured mails."""
        reply = self.sandbox("GET", "messages", params={key: str(value) for key, value in wanted.items()})
        assert reply.status_code == 200, reply.text
        items: list[dict[str, Any]] = reply.json()["items"]
        return items

    def chaos(self, *rules: dict[str, object], **query: object) -> list[dict[str, Any]]:
        """Set rules."""
        params = {key: str(value) for key, value in query.items()}
        reply = self.sandbox("PUT", "chaos", json={"rules": rules}, params=params)
        assert reply.status_code == 200, reply.text
        shown: list[dict[str, Any]] = reply.json()["rules"]
        return shown

    def rules(self) -> list[dict[str, Any]]:
        """The rules that are set."""
        shown: list[dict[str, Any]] = self.sandbox("GET", "chaos").json()["rules"]
        return shown


def short(event: dict[str, Any]) -> str:
    kind: str = event["eventCategoryType"]
    return kind.rpartition(".")[2]


@pytest.fixture(scope="package")
def failing() -> Iterator[Failing]:
    """The server, and a shop on it."""
    hook = Endpoint()
    with PrivateServer() as access:
        shop = Shop(access)
        (made,) = shop.call("POST", "/platform/v1/ens-callbacks", [{"callbackName": "Hook", "url": hook.url}])
        (verification,) = hook.told
        wanted = {"callbackId": made["callbackId"], "verificationKey": verification["verificationKey"]}
        shop.call("POST", "/platform/v1/ens-verify", wanted)
        subscription = {
            "callbackId": made["callbackId"], "subscriptionName": "All", "eventCategoryTypes": TYPES,
        }  # fmt: skip
        shop.call("POST", "/platform/v1/ens-subscriptions", [subscription])
        yield Failing(shop, hook, shop.define("<p>Hello</p>"))
        shop.http.close()
    hook.server.shutdown()
    hook.server.server_close()


@pytest.fixture(autouse=True)
def no_rules(failing: Failing) -> Iterator[None]:
    """No story leaves its rules to the next."""
    yield
    failing.sandbox("DELETE", "chaos")
