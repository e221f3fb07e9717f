"""Login with PLAIN, and where a password is never said."""

from __future__ import annotations

from base64 import b64encode

from tests.scenarios.smtp.mailroom import Parcel, mailroom
from tests.scenarios.smtp.peer import MAIL, Peer

from postroom.delivery.outcome import Deferred, Sent
from postroom.delivery.smtp.target import Credentials, SmtpTarget, TlsMode, parse_relay_url

HELLO = "S: 220 hi\nC~ EHLO\nS: 250-peer\nS: 250-PIPELINING\nS: 250 AUTH LOGIN PLAIN\n"


async def test_auth_plain_from_the_relay_option() -> None:
    response = b64encode("\0ann\0p@ss:wörd".encode()).decode()
    script = f"{HELLO}C: AUTH PLAIN {response}\nS: 235 2.7.0 in\n{MAIL}S: 250 queued\nSILENCE"
    async with Peer(script) as peer:
        target = parse_relay_url(f"smtp://ann:p%40ss%3Aw%C3%B6rd@127.0.0.1:{peer.port}")
        async with mailroom(target) as room:
            (outcome,) = await room.deliver(Parcel())
            assert isinstance(outcome, Sent)


async def test_auth_not_over_cleartext() -> None:
    async with Peer(HELLO, repeat=True) as peer:
        target = SmtpTarget("127.0.0.1", peer.port, TlsMode.OPPORTUNISTIC, credentials=Credentials("ann", "secret"))
        async with mailroom(target) as room:
            (outcome,) = await room.deliver(Parcel())
            assert isinstance(outcome, Deferred)
            assert "clear text" in outcome.text
    assert not any("AUTH" in line for lines in peer.lines for line in lines)
