"""Logins of each kind, and where a password is never said."""

from __future__ import annotations

import asyncio
import hmac
from base64 import b64encode

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from tests.scenarios.smtp.mailroom import Parcel, mailroom
from tests.scenarios.smtp.peer import MAIL, Peer
from tests.scenarios.smtp.test_aiosmtpd_takes_the_mail import Inbox

from postroom.delivery.outcome import Deferred, Sent
from postroom.delivery.smtp.target import Credentials, LoginMethod, SmtpTarget, TlsMode, parse_relay_url

HELLO = "S: 220 hi\nC~ EHLO\nS: 250-peer\nS: 250-PIPELINING\nS: 250 AUTH LOGIN PLAIN\n"
XOAUTH2 = "S: 220 hi\nC~ EHLO\nS: 250-peer\nS: 250-PIPELINING\nS: 250 AUTH XOAUTH2 PLAIN\n"


async def test_auth_plain_from_the_relay_option() -> None:
    response = b64encode("\0ann\0p@ss:wörd".encode()).decode()
    script = f"{HELLO}C: AUTH PLAIN {response}\nS: 235 2.7.0 in\n{MAIL}S: 250 queued\nSILENCE"
    async with Peer(script) as peer:
        target = parse_relay_url(f"smtp://ann:p%40ss%3Aw%C3%B6rd@127.0.0.1:{peer.port}")
        async with mailroom(target) as room:
            (outcome,) = await room.deliver(Parcel())
            assert isinstance(outcome, Sent)


async def test_cram_md5_is_taken_before_plain() -> None:
    challenge = b"<1.2@peer>"
    digest = hmac.new(b"secret", challenge, "md5").hexdigest()
    script = (
        HELLO.replace("LOGIN PLAIN", "PLAIN CRAM-MD5")
        + f"C: AUTH CRAM-MD5\nS: 334 {b64encode(challenge).decode()}\n"
        + f"C: {b64encode(f'ann {digest}'.encode()).decode()}\nS: 235 in\n{MAIL}S: 250 queued\nSILENCE"
    )
    async with Peer(script) as peer:
        target = parse_relay_url(f"smtp://ann:secret@127.0.0.1:{peer.port}")
        async with mailroom(target) as room:
            (outcome,) = await room.deliver(Parcel())
            assert isinstance(outcome, Sent)


async def test_xoauth2_with_a_token_that_has_run_out_says_why() -> None:
    response = b64encode(b"user=ann\1auth=Bearer old\1\1").decode()
    why = b64encode(b'{"status":"401","schemes":"bearer"}').decode()
    script = f"{XOAUTH2}C: AUTH XOAUTH2 {response}\nS: 334 {why}\nC: \nS: 535 5.7.8 not accepted\nSILENCE"
    async with Peer(script, repeat=True) as peer:
        target = parse_relay_url(f"smtp://ann:old@127.0.0.1:{peer.port}?auth=xoauth2")
        async with mailroom(target) as room:
            (outcome,) = await room.deliver(Parcel())
            assert isinstance(outcome, Deferred)
            assert outcome.text == '535 5.7.8 not accepted ({"status":"401","schemes":"bearer"})'
            assert room.failures[0][0].stage == "auth"


async def test_xoauth2_with_a_good_token() -> None:
    response = b64encode(b"user=ann\1auth=Bearer new\1\1").decode()
    script = f"{XOAUTH2}C: AUTH XOAUTH2 {response}\nS: 235 2.7.0 in\n{MAIL}S: 250 queued\nSILENCE"
    async with Peer(script) as peer:
        target = parse_relay_url(f"smtp://ann:new@127.0.0.1:{peer.port}?auth=xoauth2")
        async with mailroom(target) as room:
            (outcome,) = await room.deliver(Parcel())
            assert isinstance(outcome, Sent)


@pytest.mark.parametrize("method", [None, *LoginMethod])
async def test_auth_not_over_cleartext(method: LoginMethod | None) -> None:
    offer = HELLO.replace("LOGIN PLAIN", "LOGIN PLAIN CRAM-MD5 XOAUTH2")
    async with Peer(offer, repeat=True) as peer:
        credentials = Credentials("ann", "secret", method)
        target = SmtpTarget("127.0.0.1", peer.port, TlsMode.OPPORTUNISTIC, credentials=credentials)
        async with mailroom(target) as room:
            (outcome,) = await room.deliver(Parcel())
            assert isinstance(outcome, Deferred)
            assert "clear text" in outcome.text
    assert not any("AUTH" in line for lines in peer.lines for line in lines)


class Guard:
    """Knows one user; asks for CRAM-MD5 as aiosmtpd's own way of adding a mechanism has it."""

    def __init__(self) -> None:
        self.used: list[str] = []

    def __call__(self, server: SMTP, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
        self.used.append(mechanism)
        known = isinstance(data, LoginPassword) and data == LoginPassword(b"ann", b"secret")
        return AuthResult(success=known, handled=False)

    async def auth_CRAM__MD5(self, server: SMTP, arguments: list[str]) -> AuthResult:  # noqa: N802
        """Named by aiosmtpd."""
        self.used.append("CRAM-MD5")
        response = await server.challenge_auth(b"<7.8@aiosmtpd>")
        user, _, digest = (response if isinstance(response, bytes) else b"").partition(b" ")
        good = hmac.new(b"secret", b"<7.8@aiosmtpd>", "md5").hexdigest()
        return AuthResult(success=(user, digest.decode()) == (b"ann", good), handled=False)


class GuardedInbox(Inbox, Guard):
    """Takes mail of who is logged in."""

    def __init__(self) -> None:
        Inbox.__init__(self)
        Guard.__init__(self)


@pytest.mark.parametrize(("choice", "used"), [("", "CRAM-MD5"), ("?auth=plain", "PLAIN"), ("?auth=login", "LOGIN")])
async def test_aiosmtpd_lets_us_in(choice: str, used: str) -> None:
    inbox = GuardedInbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(inbox, hostname="peer", loop=loop, auth_require_tls=False, authenticator=inbox),
        "127.0.0.1",
        0,
    )
    port = server.sockets[0].getsockname()[1]
    async with mailroom(parse_relay_url(f"smtp://ann:secret@127.0.0.1:{port}{choice}")) as room:
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Sent)
    async with mailroom(parse_relay_url(f"smtp://ann:wrong@127.0.0.1:{port}{choice}")) as room:
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Deferred)
        assert outcome.code == 535
    server.close()
    await server.wait_closed()
    assert set(inbox.used) == {used}
    assert len(inbox.letters) == 1
