"""What anyone on the internet may try at the port for bounces."""

import asyncio
import contextlib
import os
import ssl
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.conformance.house import House
from tests.scenarios.bounces.post import DOMAIN, Post, about, taking
from tests.scenarios.delivery.relay import relay
from tests.unit.bounces.mails import REPLY, complaint, postfix

from postroom.bounces.return_path import ReturnPath
from postroom.inbound.smtp_server import ServerLimits
from postroom.settings import load_settings

FORGED = f"b+{'a' * 13}{'0' * 48}@{DOMAIN}"


async def talk(port: int, *lines: bytes) -> list[bytes]:
    """Say all of it at once, hang up; the replies' last lines."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):
        writer.write(b"".join(lines))
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    return [line for line in answer.split(b"\r\n") if line[3:4] == b" "]


async def test_forged_token_is_refused_at_rcpt(post: Post) -> None:
    assert await post.deliver(about(postfix(), FORGED), FORGED) == (
        "550 5.1.1 Not an address of this server; it takes bounces of its own mail only"
    )


async def test_token_of_another_server_is_refused(house: House, post: Post) -> None:
    async with relay() as peer:
        (path,) = await post.sent(["k1"], peer)
    mark = post.paths.read(path.partition("@")[0])
    assert mark is not None
    other = ReturnPath(b"o" * 32, DOMAIN).address(*mark[:3], copies=False, from_domain="example.com")
    assert (await post.deliver(about(postfix(), other), other)).startswith("550 5.1.1")
    assert await post.events("k1") == []


async def test_forged_complaint_without_a_token_of_ours_is_refused(house: House, post: Post) -> None:
    reply = await post.deliver(complaint(), f"fbl@{DOMAIN}", "mallory@example.net")
    assert reply == "550 5.7.1 Nobody reads this: only reports about mail of this server are taken"
    assert await post.deliver(REPLY, f"abuse@{DOMAIN}", "joe@example.net") == reply
    assert await post.deliver(postfix(), f"postmaster@{DOMAIN}") == reply
    assert await house.count("event") == 0


async def test_open_relay_there_is_none(post: Post) -> None:
    said = await talk(post.port, b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<joe@example.org>\r\nDATA\r\nQUIT\r\n")
    assert [line[:3] for line in said] == [b"220", b"250", b"250", b"550", b"503", b"221"]


async def test_megabytes_are_read_to_their_end_and_a_report_at_their_beginning_counts(post: Post) -> None:
    async with relay() as peer:
        small, large = await post.sent(["small", "large"], peer)
    raw = about(postfix(), small) + b"x" * 70 * 60_000
    assert await post.deliver(raw, small) == "250 2.0.0 Ok: recorded"
    said = await talk(
        post.port,
        f"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<{large}>\r\nDATA\r\n".encode(),
        about(postfix(), large) + (b"x" * 70 + b"\r\n") * 80_000 + b".\r\nQUIT\r\n",
    )
    assert said[-2].startswith(b"552 5.3.4")
    assert await post.events("large") == []


async def test_guessing_ends_with_the_connection(post: Post) -> None:
    guesses = [f"RCPT TO:<b+{'a' * 13}{number:048x}@{DOMAIN}>\r\n".encode() for number in range(100)]
    said = await talk(post.port, b"EHLO x\r\nMAIL FROM:<>\r\n", *guesses)
    assert said[-1].startswith(b"421 4.7.0 Too many errors")
    assert len(said) < 30


async def test_one_host_cannot_take_every_connection(house: House) -> None:
    async with taking(house, limits=ServerLimits(per_host=2, stop_seconds=5.0)) as post:
        held = [await asyncio.open_connection("127.0.0.1", post.port) for _ in range(2)]
        for reader, _ in held:
            assert (await reader.readline()).startswith(b"220")
        assert await talk(post.port) == [b"421 4.7.0 Too many connections. Closing"]
        held[0][1].write(b"QUIT\r\n")
        assert (await held[0][0].read()).startswith(b"221")
        for _, writer in held:
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", post.port)
        assert (await reader.readline()).startswith(b"220")
        writer.close()


async def test_a_client_that_drips_is_hung_up_on_in_the_end(house: House) -> None:
    async with taking(house, limits=ServerLimits(idle_seconds=2.0, life_seconds=0.2, stop_seconds=5.0)) as post:
        reader, writer = await asyncio.open_connection("127.0.0.1", post.port)
        said = b""
        async with asyncio.timeout(20):
            while b"421" not in said:
                with contextlib.suppress(ConnectionError):
                    writer.write(b"NOOP\r\n")
                said += await reader.readline()
        assert b"421 4.4.2 Connected for too long. Closing" in said
        writer.close()


async def test_without_the_database_the_sender_keeps_its_report(house: House, post: Post) -> None:
    async with relay() as peer:
        (path,) = await post.sent(["k1"], peer)
    name = await house.pool.fetchval("select current_database()")
    elsewhere = await asyncpg.connect(house.dsn.replace(f"/{name}", "/postgres"))
    raw = about(postfix(), path)
    try:
        await elsewhere.execute(f'alter database "{name}" allow_connections false')
        await elsewhere.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        assert (await post.deliver(raw, path)).startswith("451 4.3.0")
    finally:
        await elsewhere.execute(f'alter database "{name}" allow_connections true')
        await elsewhere.close()
    assert await post.deliver(raw, path) == "250 2.0.0 Ok: recorded"
    assert len(await post.events("k1")) == 1


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("mx.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


async def test_a_report_comes_over_tls_and_an_injected_command_is_thrown_away(house: House, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    async with taking(house, tls=context) as post, relay() as peer:
        (path,) = await post.sent(["k1"], peer)
        reply = await post.deliver(about(postfix(), path), path, start_tls=True, validate_certs=False)
        assert reply == "250 2.0.0 Ok: recorded"
        assert len(await post.events("k1")) == 1
        said = await talk(post.port, b"EHLO x\r\nSTARTTLS\r\nEHLO x\r\nMAIL FROM:<>\r\nQUIT\r\n")
        assert [line[:3] for line in said] == [b"220", b"250", b"220"]
        # It goes on for others after a handshake that came to nothing.
        assert (await talk(post.port, b"QUIT\r\n"))[-1].startswith(b"221")


async def test_postroom_bounces_serve_takes_them(house: House, tmp_path: Path) -> None:
    async with taking(house) as probe:  # a free port, and the key of the tokens
        port = probe.port
        paths = probe.paths
    given = {
        "database_url": house.dsn,
        "delivery": "mx",
        "public_url": "http://mail.example.com",
        "bounce_domain": DOMAIN,
        "bounce_smtp": f"127.0.0.1:{port}",
    }
    environ = {f"POSTROOM_{name.upper()}": value for name, value in given.items()}
    assert load_settings(environ).bounce_smtp == f"127.0.0.1:{port}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    command = (sys.executable, "-P", "-m", "postroom.cli.main", "bounces", "serve")
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, env=inherited | environ, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except OSError:
                    await asyncio.sleep(0.05)
            writer.close()
        async with relay() as peer:
            post = Post(house, paths, port)
            (path,) = await post.sent(["k1"], peer)
            assert await post.deliver(about(postfix(), path), path) == "250 2.0.0 Ok: recorded"
            assert (await post.deliver(about(postfix(), FORGED), FORGED)).startswith("550")
    finally:
        process.terminate()
        async with asyncio.timeout(30):
            assert await process.wait() == 0, (tmp_path / "log").read_text()
