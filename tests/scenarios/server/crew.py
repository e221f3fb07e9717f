"""The children of a `serve` under test: they listen, say who they are, and stop when told, as real ones do.

Run as `crew.py VERB OPTIONS`; every process appends one line to the file CREW_DIARY when it begins and when it ends.
CREW_TROUBLE=api makes that role end at once.
"""

import asyncio
import os
import socket
import sys
from pathlib import Path

from postroom.cli.child import run_until_stopped
from postroom.settings import load_settings


def write(line: str) -> None:
    with Path(os.environ["CREW_DIARY"]).open("a", encoding="utf-8") as diary:
        diary.write(f"{line}\n")


def option(name: str) -> str | None:
    words = sys.argv[2:]
    return words[words.index(name) + 1] if name in words else None


async def work(stop: asyncio.Event) -> None:
    role = sys.argv[1]
    settings = load_settings(os.environ)
    write(f"begin {role} {os.getpid()} {option('--owner')} {option('--replaces')}")
    server: asyncio.Server | None = None
    if role == "api":
        listener = socket.socket(fileno=int(option("--listen-fd") or ""))
        listener.setblocking(False)
        server = await asyncio.start_server(_answer_http, sock=listener)
    elif role == "mailbox":
        server = await asyncio.start_server(_greet, *settings.sandbox_smtp_address)
    await stop.wait()
    if os.environ.get("CREW_SLOW") == role:
        await asyncio.sleep(3600)
    if server is not None:
        server.close()
    write(f"end {role} {os.getpid()}")


async def _answer_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    writer.close()


async def _greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 crew\r\n")
    writer.close()


if __name__ == "__main__":
    if os.environ.get("CREW_TROUBLE") == sys.argv[1]:
        sys.exit("the crew was told to fail")
    lifeline, started = int(option("--lifeline-fd") or ""), int(option("--started-fd") or "")
    sys.exit(run_until_stopped(work, lifeline_fd=lifeline, started_fd=started))
