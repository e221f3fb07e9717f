"""A sandbox on a machine that is connected to everything sends a bulk to real domains: not one packet leaves.

Not even in the shell of somebody whose settings are those of a production server.
"""

import asyncio
import csv
import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios.hosts.network import network

MAILS = 120
DOMAINS = ("gmail.com", "outlook.com", "yahoo.co.jp", "web.de", "orange.fr", "mail.ru", "xn--bcher-kva.de")
# The host of the picture and of the link is looked at by nobody, and HTTPGet is allowed to go nowhere.
FETCH = '%%[ set @gone = HTTPGet("http://www.google.com/", true, 0, @status) ]%%'
TEXT = "Hello %%FirstName%%, see https://www.google.com/maps for the way.\n"
HTML = (
    '<html><body><img src="https://www.google.com/logo.png"><p>Hello %%FirstName%%, see '
    '<a href="https://www.google.com/maps">the way</a>.</p></body></html>\n'
)
# What a leak would look like: a question to the DNS, and a connection by each family.
LEAK = """
import socket
socket.socket(type=socket.SOCK_DGRAM).sendto(b"?", ("8.8.8.8", 53))
for family, address in ((socket.AF_INET, "142.250.1.26"), (socket.AF_INET6, "2a00:1450:4025:401::1a")):
    with socket.socket(family) as caller:
        caller.setblocking(False)
        caller.connect_ex((address, 25))
"""

# The kernel itself tells the switch which IPv6 addresses it listens for (RFC 3810).
LISTENS = bytes.fromhex("333300000016")


def example(folder: Path) -> Path:
    """What `postroom demo` sends."""
    folder.mkdir()
    asset = {
        "customerKey": "way",
        "name": "Way",
        "assetType": {"id": 208, "name": "htmlemail"},
        "views": {"subjectline": {"content": "The way, %%FirstName%%"}, "preheader": {"content": ""}},
    }
    definition = {
        "definitionKey": "way",
        "name": "Way",
        "status": "Active",
        "content": {"customerKey": "way"},
        "subscriptions": {"list": "All Subscribers", "autoAddSubscriber": True},
        "options": {"trackLinks": False},
    }
    (folder / "definition.json").write_text(json.dumps({"asset": asset, "definition": definition}))
    for suffix, text in (("txt", TEXT), ("html", HTML)):
        (folder / f"way.{suffix}").write_text(FETCH + text)
        (folder / f"way.expected.{suffix}").write_text(text)
    with (folder / "recipients.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["contactKey", "to", "messageKey", "FirstName"])
        rows.writerows(
            [f"c-{n}", f"person.{n}@{DOMAINS[n % len(DOMAINS)]}", f"m-{n}", f"Person {n}"] for n in range(MAILS)
        )
    return folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the unprivileged user of an embedded server may enter."""
    with tempfile.TemporaryDirectory(prefix="postroom-sealed-", dir="/tmp") as made:
        Path(made).chmod(0o711)
        yield Path(made)


def frames_from(watch: socket.socket, sender: bytes) -> list[bytes]:
    """What a machine has sent since the last look."""
    frames = list[bytes]()
    while True:
        try:
            frame = watch.recv(2048)
        except BlockingIOError:
            return frames
        if frame[6:12] == sender and not frame.startswith(LISTENS):
            frames.append(frame)


async def test_not_one_packet_leaves(folder: Path) -> None:
    with network() as net:
        machine, router = net.host(), net.host()
        machine.ip(f"route add default via {router.ipv4}", f"route add default via {router.ipv6}")
        resolver = folder / "resolv.conf"
        resolver.write_text(f"nameserver {router.ipv4}\nnameserver {router.ipv6}\n")
        with machine.watch() as own, router.watch() as watch:
            hardware = own.getsockname()[4]

            production = {
                "POSTROOM_DELIVERY": "relay",
                "POSTROOM_RELAY": f"smtp://{router.ipv4}:25",
                "POSTROOM_DATABASE_URL": f"postgresql://nobody@{router.ipv4}:5432/none",
                "POSTROOM_PUBLIC_URL": "https://mail.example.com",
            }

            async def run(*words: str) -> str:
                process = await asyncio.create_subprocess_exec(
                    *machine.sealed(*words, files={"/etc/resolv.conf": resolver}),
                    env=os.environ | production | {"TMPDIR": str(folder)},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                )
                output, _ = await process.communicate()
                assert process.returncode == 0, output.decode()[-3000:]
                return output.decode()

            demo = (sys.executable, "-P", "-m", "postroom.cli.main", "demo")
            told = await run(*demo, "--example", str(example(folder / "example")))
            assert f"{MAILS} accepted, {MAILS} delivered" in told, told
            assert frames_from(watch, hardware) == []

            await run(sys.executable, "-c", LEAK)
            assert len(frames_from(watch, hardware)) >= 2, "and what leaves would have been seen"
