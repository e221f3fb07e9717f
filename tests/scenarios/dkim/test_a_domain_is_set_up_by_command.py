"""`postroom domain`: made, published, checked, rotated."""

import asyncio
import json
import os
import sys
from pathlib import Path

from tests.scenarios.mx.nameserver import nameserver

from postroom.store.pool import connect
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID
from postroom.tenancy.sealing import load_seal
from postroom.tenancy.sender_domains import place_of

COMMAND = (sys.executable, "-P", "-m", "postroom.cli.main", "domain")


class Terminal:
    """Runs verbs against one database."""

    def __init__(self, folder: Path, dsn: str, **settings: str) -> None:
        self._folder = folder
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")} | {
            "POSTROOM_DATABASE_URL": dsn,
            "POSTROOM_PUBLIC_URL": "https://mail.example.com",
            **settings,
        }

    async def run(self, *words: str) -> tuple[int, str]:
        """Exit code and what was printed."""
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, *words),
            env=self._environ,
            cwd=self._folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()


def zone_of(printed: str) -> dict[tuple[str, str], list[str]]:
    """What `--json` printed, published."""
    zone: dict[tuple[str, str], list[str]] = {}
    for record in json.loads(printed)["records"]:
        value = record["value"]
        if record["type"] == "MX":
            zone[record["name"], "MX"] = [f"{value}."]
            continue
        strings = " ".join(f'"{value[at : at + 255]}"' for at in range(0, len(value), 255))
        zone.setdefault((record["name"], record["type"]), []).append(strings)
    return zone


async def test_from_create_to_rotate(reachable_tmp_path: Path, database: str) -> None:
    terminal = Terminal(reachable_tmp_path, database)
    code, printed = await terminal.run("create", "Example.COM.", "--algorithm", "both", "--json")
    assert code == 0, printed
    assert json.loads(printed)["domain"] == "example.com"
    records = {record["name"]: record["value"] for record in json.loads(printed)["records"]}
    assert records["example.com"] == "v=spf1 a:mail.example.com ~all"
    assert records["_dmarc.example.com"] == "v=DMARC1; p=none"
    assert sorted(value[:21] for value in records.values() if "DKIM1" in value) == [
        "v=DKIM1; k=ed25519; p",
        "v=DKIM1; k=rsa; p=MII",
    ]
    code, refused = await terminal.run("create", "example.com")
    assert code == 2
    assert "already" in refused

    async with nameserver({("example.net", "TXT"): ["x"]}) as names:
        where = ("--nameserver", "{}:{}".format(*names.address))
        code, missing = await terminal.run("check", "example.com", *where)
        assert code == 1
        assert missing.count("missing") == 4
        names.zone = zone_of(printed)
        code, fine = await terminal.run("check", "example.com", *where)
        assert code == 0, fine

        code, rotated = await terminal.run("rotate", "example.com", "--json")
        assert code == 0, rotated
        assert len(json.loads(rotated)["records"]) == 6
        code, early = await terminal.run("rotate", "example.com", "--finish", *where)
        assert code == 2
        assert "not published" in early
        names.zone = zone_of(rotated)
        code, finished = await terminal.run("rotate", "example.com", "--finish", "--json", *where)
        assert code == 0, finished
    old = {name for name in records if "_domainkey" in name}
    new = {record["name"] for record in json.loads(finished)["records"] if "_domainkey" in record["name"]}
    assert len(new) == 2
    assert not new & old


async def test_attack_private_keys_are_not_readable_where_they_are_stored(
    reachable_tmp_path: Path, database: str
) -> None:
    code, printed = await Terminal(reachable_tmp_path, database).run("create", "example.com")
    assert code == 0, printed
    connection = await connect(database, application_name="test")
    try:
        row = await connection.fetchrow("select selector, sealed from dkim_key")
        assert row is not None
        place = place_of(DEFAULT_ACCOUNT_ID, "example.com", row["selector"])
        opened = (await load_seal(connection)).open(row["sealed"], place)
    finally:
        await connection.close()
    assert opened[:2] == b"\x30\x82"
    assert opened[:40] not in row["sealed"]
    assert b"PRIVATE" not in row["sealed"]


async def test_the_return_path_has_records_of_its_own(reachable_tmp_path: Path, database: str) -> None:
    terminal = Terminal(reachable_tmp_path, database, POSTROOM_BOUNCE_DOMAIN="bounces.*")
    code, printed = await terminal.run("create", "example.com", "--json")
    assert code == 0, printed
    zone = zone_of(printed)
    assert zone["bounces.example.com", "MX"] == ["10 mail.example.com."]
    assert zone["bounces.example.com", "TXT"] == ['"v=spf1 a:mail.example.com ~all"']
    code, lines = await terminal.run("dns", "example.com")
    assert "bounces.example.com. IN MX 10 mail.example.com.\n" in lines
    async with nameserver(zone) as names:
        where = ("--nameserver", "{}:{}".format(*names.address))
        code, fine = await terminal.run("check", "example.com", *where)
        assert (code, fine.count("ok ")) == (0, 5), fine
        assert "mx     bounces.example.com: bounces come to mail.example.com" in fine
        names.zone = zone | {("bounces.example.com", "MX"): ["5 elsewhere.example.net."]}
        code, wrong = await terminal.run("check", "example.com", *where)
        assert code == 1
        assert "bounces go to 5 elsewhere.example.net; publish 10 mail.example.com" in wrong
        names.zone = {key: values for key, values in zone.items() if key[1] != "MX"}
        code, missing = await terminal.run("check", "example.com", *where)
        assert code == 1
        assert "there is no MX record" in missing
