"""swaks and aiosmtplib talk to the capture mailbox and to the server for bounces: every reply is what the RFCs say."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiosmtplib
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.conformance.house import House
from tests.scenarios.authority import Authority
from tests.scenarios.bounces.post import Post, about, taking
from tests.scenarios.delivery.relay import relay
from tests.scenarios.sandbox.conftest import Sandbox, running
from tests.unit.bounces.mails import complaint, postfix

from postroom.sandbox.mailbox import Limits, Mailbox

LARGEST = 300_000
HEADER = b"From: ann@example.com\r\nSubject: hi\r\n\r\n"
AWKWARD = b".\r\n..\r\n.hidden\r\nFrom here on  \r\n\tindented \t\r\n" + b"x" * 100_000 + b"\r\n\r\n\r\n"


@pytest.fixture
async def sandbox(house: House) -> AsyncIterator[Sandbox]:
    limits = Limits(messages=100, bytes=50_000_000, message_bytes=LARGEST)
    async with running(Mailbox(house.pool, limits)) as listening:
        yield listening


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def post(house: House, authority: Authority) -> AsyncIterator[Post]:
    """The server for bounces, with STARTTLS."""
    async with taking(house, tls=authority.issue("localhost", "127.0.0.1").server()) as listening:
        yield listening


async def swaks(port: int, *options: str, data: bytes = b"") -> tuple[int, list[str]]:
    """Its exit code, and what the server said, line by line. Line ends and dots of ``data`` are its business."""
    process = await asyncio.create_subprocess_exec(
        *("/usr/bin/swaks", "--server", "127.0.0.1", "--port", str(port), "--helo", "client.example.com"),
        *("--data", "-" if data else "Subject: hi\\n\\nhello"),
        *options,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(data)
    lines = [line.lstrip("<~-* ") for line in said.decode(errors="replace").splitlines() if line.startswith("<")]
    assert process.returncode is not None
    return process.returncode, lines


async def captured(sandbox: Sandbox, to: str) -> list[tuple[str, list[str], bytes]]:
    """Sender, recipients and bytes of the mails that this recipient has."""
    items = (await sandbox.http.get("/sandbox/messages", params={"limit": 100})).json()["items"]
    return [
        (
            item["envelope"]["from"],
            item["envelope"]["to"],
            (await sandbox.http.get(f"/sandbox/messages/{item['id']}/raw")).content,
        )
        for item in items
        if to in item["envelope"]["to"]
    ]


NICE = ("--from", "ann@example.com")


async def test_swaks_at_the_mailbox(sandbox: Sandbox) -> None:
    awkward = (HEADER + AWKWARD).replace(b"\r\n", b"\n")
    runs = {
        "awkward": (*NICE, "--to", "awkward@example.com", "--pipeline"),
        "several": (*NICE, "--to", "several@example.com,bad@@example.com,other@example.com", "--pipeline"),
        "refused": (*NICE, "--to", "bad@@example.com"),
        "sender": ("--from", "ann@-", "--to", "sender@example.com"),
        "utf8": (*NICE, "--to", "jürgen@example.com"),
        "null": ("--from", "<>", "--to", "null@example.com", "--protocol", "SMTP"),
        "login": (*NICE, "--to", "login@example.com", *("--auth", "LOGIN", "--auth-user", "u", "--auth-password", "p")),
        "plain": (*NICE, "--to", "plain@example.com", *("--auth", "PLAIN", "--auth-user", "u", "--auth-password", "p")),
        "cram": (
            *NICE,
            "--to",
            "cram@example.com",
            *("--auth", "CRAM-MD5", "--auth-user", "u", "--auth-password", "p"),
        ),
        "tls": (*NICE, "--to", "tls@example.com", "--tls"),
        "large": (*NICE, "--to", "large@example.com"),
        "lmtp": (*NICE, "--to", "lmtp@example.com", "--protocol", "LMTP"),
    }
    data = {"awkward": awkward, "large": HEADER + b"x" * LARGEST}
    done = await asyncio.gather(
        *(swaks(sandbox.port, *options, data=data.get(name, b"")) for name, options in runs.items())
    )
    codes = {name: code for name, (code, _) in zip(runs, done, strict=True)}
    assert codes == {
        **dict.fromkeys(("awkward", "several", "null", "login", "plain"), 0),
        "lmtp": 22,
        "sender": 23,
        "refused": 24,
        "utf8": 24,
        "large": 26,
        "cram": 28,
        "tls": 29,
    }
    said = {name: "\n".join(lines) for name, (_, lines) in zip(runs, done, strict=True)}
    assert "250-PIPELINING\n250-SIZE 300000\n250-8BITMIME\n250-SMTPUTF8\n250-AUTH PLAIN LOGIN" in said["awkward"]
    for name, line in {
        "awkward": "250 2.0.0 Ok: captured as ",
        "several": "250 2.1.5 Ok\n501 5.1.3 Bad address: <local-part@domain> expected\n250 2.1.5 Ok\n354 ",
        "refused": "501 5.1.3 Bad address",
        "sender": "501 5.1.3 Bad address",
        "utf8": "553 5.6.7 A non-ASCII address needs SMTPUTF8",
        "login": "334 VXNlcm5hbWU6\n334 UGFzc3dvcmQ6\n235 2.7.0 ",
        "plain": "235 2.7.0 ",
        "large": "552 5.3.4 The mail is larger than 300000 bytes",
        "lmtp": "500 5.5.2 Command not recognized",
    }.items():
        assert line in said[name]
        assert said[name].endswith("\n221 2.0.0 Bye")
    assert await captured(sandbox, "awkward@example.com") == [
        ("ann@example.com", ["awkward@example.com"], HEADER + AWKWARD + b"\r\n")
    ]
    assert [to for _, to, _ in await captured(sandbox, "several@example.com")] == [
        ["several@example.com", "other@example.com"]
    ]
    assert [sender for sender, _, _ in await captured(sandbox, "null@example.com")] == [""]
    assert (await sandbox.mailbox.total()).messages == 5


async def test_swaks_leaves_at_any_point_and_nothing_is_kept(sandbox: Sandbox) -> None:
    stops = ("CONNECT", "HELO", "AUTH", "MAIL", "RCPT")
    login = ("--auth", "PLAIN", "--auth-user", "u", "--auth-password", "p")
    done = await asyncio.gather(
        *(swaks(sandbox.port, *NICE, *login, "--to", "a@example.com", "--quit-after", stop) for stop in stops)
    )
    for code, lines in done:
        assert code == 0
        assert lines[-1] == "221 2.0.0 Bye"
    assert (await sandbox.mailbox.total()).messages == 0


async def test_aiosmtplib_at_the_mailbox(sandbox: Sandbox) -> None:
    eight = HEADER + "Grüße\r\n".encode() + bytes(range(128, 256)) + b"\r\n"
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=sandbox.port, start_tls=False) as client:
        for number in range(5):
            errors, reply = await client.sendmail(
                "ann@example.com", [f"five{number}@example.com", "five@example.com"], HEADER + b".\r\n" * number
            )
            assert errors == {}
            assert reply.startswith("2.0.0 Ok: captured as ")
        await client.sendmail(
            "jürgen@bücher.example",
            ["größe@bücher.example"],
            eight,
            mail_options=["BODY=8BITMIME", "smtputf8"],
        )
        await client.mail("ann@example.com")
        unsaid = await client.execute_command("RCPT TO:<größe@example.com>".encode())
        assert (unsaid.code, unsaid.message[:5]) == (553, "5.6.7")
        await client.rset()
        with pytest.raises(aiosmtplib.SMTPSenderRefused) as announced:
            await client.mail("ann@example.com", options=[f"SIZE={LARGEST + 1}"])
        assert (announced.value.code, announced.value.message[:5]) == (552, "5.3.4")
        await client.rset()
        await client.mail("ann@example.com")
        await client.rcpt("large@example.com")
        with pytest.raises(aiosmtplib.SMTPDataError) as large:
            await client.data(HEADER + b"x" * LARGEST)
        assert (large.value.code, large.value.message[:5]) == (552, "5.3.4")
        assert (await client.execute_command(b"NOOP", b"x" * 5_000)).code == 500
        assert (await client.execute_command(b"XYZZY")).code == 500
        assert (await client.vrfy("ann@example.com")).code == 252
        assert (await client.noop()).code == 250
        await client.sendmail("ann@example.com", ["after@example.com"], HEADER)
    assert len(await captured(sandbox, "five@example.com")) == 5
    assert [raw for _, _, raw in await captured(sandbox, "five4@example.com")] == [HEADER + b".\r\n" * 4]
    assert await captured(sandbox, "größe@bücher.example") == [
        ("jürgen@bücher.example", ["größe@bücher.example"], eight)
    ]
    assert len(await captured(sandbox, "after@example.com")) == 1
    assert (await sandbox.mailbox.total()).messages == 7


async def test_swaks_hands_in_bounces_over_tls(
    post: Post, authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with relay() as peer:
        first, second = await post.sent(["first", "second"], peer)
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.identity.certificate.public_bytes(Encoding.PEM))
    tls = ("--tls", "--tls-verify", "--tls-ca-path", str(ca))
    stranger = "stranger@bounces.example.com"
    done = await asyncio.gather(
        swaks(post.port, *tls, "--from", "<>", "--to", first, data=about(postfix(), first)),
        swaks(
            post.port, *tls, "--from", "<>", "--pipeline", "--to", f"{stranger},{second}", data=about(postfix(), second)
        ),
        swaks(post.port, *tls, "--from", "<>", "--to", stranger),
        swaks(post.port, "--from", "<>", "--to", "joe@example.org"),
        swaks(post.port, *tls, "--from", "<>", "--to", first, "--quit-after", "RCPT"),
        swaks(post.port, "--tls-on-connect", "--from", "<>", "--to", first),
        swaks(post.port, *tls, "--from", "<>", "--to", "fbl@bounces.example.com"),
    )
    ends = [(code, lines[-2] if lines else "") for code, lines in done]
    stranger_refused = "550 5.1.1 Not an address of this server; it takes bounces of its own mail only"
    assert ends == [
        (0, "250 2.0.0 Ok: recorded"),
        (0, "250 2.0.0 Ok: recorded"),
        (24, stranger_refused),
        (24, "550 5.7.1 Not a domain of this server; it takes bounces only"),
        (0, "250 2.1.5 Ok"),
        (29, ""),
        (26, "550 5.7.1 Nobody reads this: only reports about mail of this server are taken"),
    ]
    assert stranger_refused in done[1][1]
    for _, lines in done[:3]:
        assert lines.count("250-STARTTLS") == 1, "it is not offered within TLS"
    assert [kind for kind, _ in await post.events("first")] == ["bounced"]
    assert [kind for kind, _ in await post.events("second")] == ["bounced"]
    assert caplog.text.count("eof_received") == 0, "a connection that ends does not raise"


async def test_aiosmtplib_hands_in_bounces_over_tls(post: Post, authority: Authority) -> None:
    async with relay() as peer:
        first, second, third = await post.sent(["first", "second", "third"], peer)
    async with aiosmtplib.SMTP(
        hostname="localhost", port=post.port, start_tls=True, tls_context=authority.trusting(), timeout=30
    ) as client:
        _, reply = await client.sendmail("", [first], about(postfix(), first))
        assert reply == "2.0.0 Ok: recorded"
        errors, reply = await client.sendmail("", ["nobody@bounces.example.com", second], about(postfix(), second))
        assert (errors["nobody@bounces.example.com"].code, reply) == (550, "2.0.0 Ok: recorded")
        with pytest.raises(aiosmtplib.SMTPSenderRefused) as announced:
            await client.mail("", options=["SIZE=5000001"])
        assert announced.value.code == 552
        await client.mail("")
        await client.rcpt(third)
        with pytest.raises(aiosmtplib.SMTPDataError) as large:
            await client.data(about(postfix(), third) + (b"x" * 70 + b"\r\n") * 70_000)
        assert large.value.code == 552
        assert (await client.execute_command(b"RCPT TO:<" + b"x" * 5_000)).code == 500
        _, reply = await client.sendmail(
            "desk@größe.example", [third], about(complaint(), third), mail_options=["smtputf8", "BODY=8BITMIME"]
        )
        assert reply == "2.0.0 Ok: recorded"
    assert [kind for key in ("first", "second", "third") for kind, _ in await post.events(key)] == [
        "bounced",
        "bounced",
        "complained",
    ]
