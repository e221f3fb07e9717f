"""`postroom doctor`: a domain set up by the commands passes, and what is then broken is found."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from tests.scenarios.authority import Authority
from tests.scenarios.dkim.test_a_domain_is_set_up_by_command import zone_of
from tests.scenarios.mx.internet import MailHost, take
from tests.scenarios.mx.nameserver import Nameserver, nameserver

OUT = "93.184.215.14"


class Terminal:
    """Runs verbs against one database; ``authority`` is the only one that they trust."""

    def __init__(self, folder: Path, dsn: str, authority: Authority, **settings: str) -> None:
        self._folder = folder
        trusted = folder / "authority.pem"
        trusted.write_bytes(authority.identity.certificate.public_bytes(Encoding.PEM))
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")} | {
            "POSTROOM_DATABASE_URL": dsn,
            "POSTROOM_PUBLIC_URL": "https://out.example.com",
            "POSTROOM_DELIVERY": "mx",
            "POSTROOM_BOUNCE_DOMAIN": "bounces.*",
            "POSTROOM_MX_PRIVATE_ADDRESSES": "allow",
            "SSL_CERT_FILE": str(trusted),
            **settings,
        }

    async def run(self, *words: str) -> tuple[int, str]:
        """Exit code and what was printed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "postroom.cli.main", *words),
            env=self._environ,
            cwd=self._folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    async def examine(self, names: Nameserver, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """Exit code and findings."""
        where = ("--nameserver", "{}:{}".format(*names.address), "--address", OUT)
        code, printed = await self.run("doctor", "example.com", "--json", *where, *words)
        found: list[dict[str, Any]] = json.loads(printed)["findings"]
        return code, found


@asynccontextmanager
async def mail_host(authority: Authority) -> AsyncIterator[int]:
    """mx.example.com with a certificate of its own; gives its port."""
    tls = authority.issue("mx.example.com").server()
    host = MailHost("mx.example.com", "127.0.0.1", take, 0.0, "220 mx.example.com", tls)
    try:
        yield await host.listen(0)
    finally:
        await host.close()


def texts(findings: list[dict[str, Any]], severity: str) -> list[str]:
    return [f"{each['check']}: {each['text']}" for each in findings if each["severity"] == severity]


async def test_a_domain_that_was_set_up_and_then_broken(reachable_tmp_path: Path, database: str) -> None:
    authority = Authority()
    async with mail_host(authority) as port, nameserver({("example.net", "TXT"): ["x"]}) as names:
        terminal = Terminal(reachable_tmp_path, database, authority, POSTROOM_MX_PORT=str(port))
        code, nothing = await terminal.examine(names)
        assert code == 1
        assert [text.partition(":")[0] for text in texts(nothing, "fails")] == [
            "address", "helo", "dkim", "spf", "dmarc", "from"
        ]  # fmt: skip

        code, printed = await terminal.run("domain", "create", "example.com", "--json")
        assert code == 0, printed
        names.zone = zone_of(printed) | {
            ("example.com", "MX"): ["10 mx.example.com."],
            ("mx.example.com", "A"): ["127.0.0.1"],
            ("out.example.com", "A"): [OUT],
            ("14.215.184.93.in-addr.arpa", "PTR"): ["out.example.com."],
        }
        code, findings = await terminal.examine(names)
        assert code == 0, findings
        assert "tls: mx.example.com, which takes the replies, offers TLS with a good certificate" in texts(
            findings, "ok"
        )
        assert texts(findings, "not checked") == []
        # A record to begin with has nobody to report to, and no server listens at the public URL.
        assert [text.partition(":")[0] for text in texts(findings, "warns")] == ["dmarc", "tracking"]

        names.zone["bounces.example.com", "TXT"] = ['"v=spf1 ip4:93.184.215.99 -all"']
        code, findings = await terminal.examine(names)
        assert code == 1
        (wrong,) = [each for each in findings if each["severity"] == "fails"]
        assert wrong["check"] == "spf"
        assert wrong["fix"] == f"add ip4:{OUT} before the last part of the record"
