"""Bounces that a real Postfix makes, and brings: nobody of that name, and a next host that relays nothing.

The host behind is a real Exim. What each says decides the verdict, and that the suppression.
"""

import ssl
from typing import Any

import aiosmtplib
from tests.conformance.house import ACCOUNT, House
from tests.scenarios.authority import Authority
from tests.scenarios.bounces.post import DOMAIN, Post, taking
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import until
from tests.scenarios.peers.exim import HOST, exim
from tests.scenarios.peers.postfix import log_of, postfix

from postroom.audience.suppression import suppressed

UNKNOWN, BEYOND = "nobody@example.com", "ann@elsewhere.example"


async def handed_over(body: bytes, sender: str, to: str, port: int, trusting: ssl.SSLContext) -> None:
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, timeout=30, start_tls=True, tls_context=trusting)
    async with client:
        await client.sendmail(sender, [to], body)


async def bounce_of(post: Post, key: str) -> dict[str, Any]:
    async def came() -> bool:
        return bool(await post.events(key))

    await until(came)
    ((kind, detail),) = await post.events(key)
    assert kind == "bounced"
    return detail


async def test_what_postfix_could_not_deliver_comes_back_with_its_reason(house: House) -> None:
    authority = Authority()
    async with taking(house) as post, relay() as peer:
        ways = f"{DOMAIN}=smtp:[127.0.0.1]:{post.port}"
        with exim(authority.issue(HOST)) as behind:
            ways += f" elsewhere.example=smtp:[{behind.address}]:{behind.port}"
            settings = (
                f"transport_maps = inline:{{ {ways.replace(' ', ', ')} }}",
                "virtual_mailbox_maps = inline:{ known@example.com=mailbox/ }",
                "smtpd_reject_unlisted_recipient = no",
            )
            with postfix(authority.issue("127.0.0.1"), *settings) as server:
                keys = {"unknown": UNKNOWN, "beyond": BEYOND}
                paths = await post.sent(list(keys), peer)
                for (key, to), path in zip(keys.items(), paths, strict=True):
                    await handed_over(peer.bodies[key][0], path, to, server.port, authority.trusting())
                unknown, beyond = [await bounce_of(post, key) for key in keys]
                assert unknown["reply"] == f'unknown user: "{UNKNOWN}"', log_of(server)
    assert (unknown["enhanced"], unknown["verdict"]["category"]) == ("5.1.1", "no-such-user")
    assert (beyond["reply"], beyond["verdict"]["category"]) == ("550 relay not permitted", "relay-denied")
    assert beyond["host"] == behind.address
    gone = await suppressed(house.pool, ACCOUNT, ["unknown@example.com", "beyond@example.com"])
    assert gone == {"unknown@example.com": "bounce"}
