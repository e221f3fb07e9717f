"""OpenDKIM, a verifier that many receivers run, counts our mail as signed, and notices a change."""

import asyncio
from pathlib import Path

from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, working
from tests.scenarios.dkim.domains import make_domain, published

OPENDKIM = "/usr/sbin/opendkim"


async def verdict(folder: Path, mail: bytes, dns: dict[bytes, bytes]) -> str:
    """What `opendkim -t` says about a mail."""
    (folder / "keys").write_bytes(b"".join(name.removesuffix(b".") + b" " + text + b"\n" for name, text in dns.items()))
    (folder / "conf").write_text(f"Mode v\nSyslog no\nTestPublicKeys {folder / 'keys'}\n")
    (folder / "mail").write_bytes(mail.removesuffix(b".\r\n"))
    process = await asyncio.create_subprocess_exec(
        *(OPENDKIM, "-x", str(folder / "conf"), "-t", str(folder / "mail"), "-v"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return said.decode()


async def test_it_verifies_what_we_sign(house: House, tmp_path: Path) -> None:
    await house.define("long", text="Hello %%_subscriberkey%%,\n\n  indented,  and \twide. \n\n.dot\n\n\n" * 40)
    await make_domain(house, "example.com", "rsa")
    short, long = house.keys(1), house.keys(1)
    async with relay() as peer, working(house, peer) as office:
        await office.send(short)
        await office.send(long, "long")
        await all_final(house, 2)
    dns = await published(house)
    for key in short + long:
        mail = peer.bodies[key][0]
        assert "2048-bit key) succeeded" in await verdict(tmp_path, mail, dns)
        assert "signature verification failed" in await verdict(
            tmp_path, mail.replace(b"Subject: Hello", b"Subject: Hullo"), dns
        )
