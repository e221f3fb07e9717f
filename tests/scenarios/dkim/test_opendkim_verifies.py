"""OpenDKIM, a verifier that many receivers run, counts our mail as signed, and notices a change."""

import asyncio
from pathlib import Path

from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, working
from tests.scenarios.dkim.domains import make_domain, published
from tests.scenarios.dkim.opendkim import opendkim


async def test_it_verifies_what_we_sign(house: House, tmp_path: Path) -> None:
    await house.define("long", text="Hello %%_subscriberkey%%,\n\n  indented,  and \twide. \n\n.dot\n\n\n" * 40)
    await make_domain(house, "example.com", "rsa")
    short, long = house.keys(1), house.keys(1)
    async with relay() as peer, working(house, peer) as office:
        await office.send(short)
        await office.send(long, "long")
        await all_final(house, 2)
    mails = {key: peer.bodies[key][0] for key in short + long}
    changed = {f"{key}, changed": mail.replace(b"Subject: Hello", b"Subject: Hullo") for key, mail in mails.items()}
    said = await asyncio.to_thread(opendkim, tmp_path, mails | changed, await published(house))
    for key in mails:
        assert "2048-bit key) succeeded" in said[key]
        assert "signature verification failed" in said[f"{key}, changed"]
