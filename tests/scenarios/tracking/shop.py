"""A shop that sends mail through a real `postroom serve`, and its recipients, who click."""

import email
import itertools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any

import httpx

from postroom.cli.private_server import Access

PATIENCE = 30.0
BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140 Safari/537.36"}
_LINK = re.compile(r"""href="([^"]*)\"""")
_PIXEL = re.compile(r"""<img src="([^"]*/t/o/[^"]*)\"""")
_names = itertools.count(1)


@dataclass
class Mail:
    """A mail as its recipient has it."""

    message: EmailMessage
    html: str
    text: str

    @property
    def links(self) -> list[str]:
        """Where its links lead, in order."""
        return [link.replace("&amp;", "&") for link in _LINK.findall(self.html)]

    @property
    def pixel(self) -> str:
        """The address of its open pixel."""
        found = _PIXEL.search(self.html)
        assert found is not None, self.html
        return found[1]

    def page(self, kind: str) -> str:
        """The address of the recipient's page of this kind (v, u, p or s)."""
        return next(link for link in self.links if f"/t/{kind}/" in link)


@dataclass
class Shop:
    """One business unit. ``http`` follows no redirect."""

    access: Access
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30, headers=BROWSER))
    token: str = ""

    def __post_init__(self) -> None:
        reply = self.http.post(
            f"{self.access.api}/v2/token",
            json={
                "grant_type": "client_credentials",
                "client_id": self.access.client_id,
                "client_secret": self.access.client_secret,
            },
        )
        self.token = reply.json()["access_token"]

    def call(self, method: str, path: str, body: object = None) -> Any:
        """A call of the API that succeeds."""
        reply = self.http.request(
            method, self.access.api + path, json=body, headers={"authorization": f"Bearer {self.token}"}
        )
        assert reply.is_success, reply.text
        return reply.json()

    def define(self, html: str, text: str = "", **definition: Any) -> str:
        """An active definition of such a mail; its key."""
        key = f"mail-{next(_names)}"
        views = {"html": {"content": html}, "subjectline": {"content": "Hello"}}
        if text:
            views["text"] = {"content": text}
        self.call(
            "POST",
            "/asset/v1/content/assets",
            {"name": key, "customerKey": key, "assetType": {"id": 208, "name": "htmlemail"}, "views": views},
        )
        self.call(
            "POST",
            "/messaging/v1/email/definitions",
            {
                "definitionKey": key,
                "name": key,
                "status": "Active",
                "content": {"customerKey": key},
                "subscriptions": {"list": "All Subscribers"},
                **definition,
            },
        )
        return key

    def send(self, definition: str, contact: str = "", **attributes: object) -> Mail:
        """Send one mail, and have it."""
        message_key = f"message-{next(_names)}"
        contact = contact or message_key
        self.call(
            "POST",
            f"/messaging/v1/email/messages/{message_key}",
            {
                "definitionKey": definition,
                "recipient": {"contactKey": contact, "to": f"{contact}@example.org", "attributes": attributes},
            },
        )
        reply = self.http.get(
            f"{self.access.mailbox}/wait",
            params={"messageKey": message_key, "timeout": PATIENCE},
        )
        assert reply.status_code == 200, reply.text
        number = reply.json()["id"]
        raw = self.http.get(f"{self.access.mailbox}/messages/{number}/raw").content
        message = email.message_from_bytes(raw, policy=default)
        assert isinstance(message, EmailMessage)
        html, plain = message.get_body(("html",)), message.get_body(("plain",))
        return Mail(
            message,
            "" if html is None else html.get_content(),
            "" if plain is None else plain.get_content(),
        )


def until(happens: Callable[[], bool]) -> None:
    """Ask until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.02)
