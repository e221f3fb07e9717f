"""Mail hosts that take, defer, refuse, hang and break off as the fates say, and write down every mail that they have.

A mail that a host keeps without the sender knowing is written down as taken, with no answer. A host may also be away,
or tell everybody that it is busy.
"""

import asyncio
import hashlib
import re
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias

from tests.soak.fates import KEPT, Fate, Fates
from tests.soak.ledger import Ledger, Place, Taking

Mode: TypeAlias = Literal["open", "busy", "away"]

_ID = re.compile(rb"^Message-ID: <(\d+)\.([0-9a-f]{32})\.(\d+)@", re.MULTILINE | re.IGNORECASE)
_END = b"\r\n.\r\n"
_HANG_SECONDS = 8.0
_SLOW_SECONDS = 1.5
_ON_ITS_WAY_SECONDS = 0.5


class _BreaksOff(Exception):
    """The host ends the connection."""


class MailHost:
    """One host; ``mode`` may be changed at any time."""

    def __init__(self, name: str, address: str, fates: Fates, ledger: Ledger, attempts: Counter[str]) -> None:
        self.name = name
        self.address = address
        self.mode: Mode = "open"
        self.gentle = False
        """From now on no mail is cut off or kept waiting."""
        self.signed: Counter[bool] = Counter()
        self.kept: list[bytes] = []
        """Some whole mails, for who verifies signatures."""
        self.port = 0
        self._fates = fates
        self._ledger = ledger
        self._attempts = attempts
        self._tasks: dict[asyncio.Task[None], _Answer | None] = {}
        """Connections, each with the last 250 it gave for a mail."""
        self._server: asyncio.Server | None = None

    async def listen(self, port: int) -> int:
        """Take connections there, or on a free port."""
        listener = socket.create_server((self.address, port))
        self.port = listener.getsockname()[1]
        self._server = await asyncio.start_server(self._converse, sock=listener, limit=1 << 22)
        return self.port

    async def leave(self) -> None:
        """Be away: nobody listens any more, and all connections break off."""
        self.mode = "away"
        await self.close()

    async def come_back(self) -> None:
        """Listen again where it was."""
        if self.mode == "away":
            await self.listen(self.port)
        self.mode = "open"

    def become_free(self) -> None:
        """Not busy any more; who is away stays away."""
        if self.mode == "busy":
            self.mode = "open"

    def cut(self) -> None:
        """Break off all connections, wherever they are."""
        for task in list(self._tasks):
            task.cancel()

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._tasks)

    async def close(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = None
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            last = self._tasks[task]
            if last is not None and time.time() - last.at < _ON_ITS_WAY_SECONDS:
                last.lost()
        except (OSError, asyncio.IncompleteReadError, _BreaksOff):
            pass
        finally:
            self._tasks.pop(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "busy":
            writer.write(b"421 4.3.2 too busy\r\n")
            await writer.drain()
            return
        writer.write(f"220 {self.name} ESMTP\r\n".encode())
        source = writer.get_extra_info("peername")[0]
        fate: Fate = "take"
        address, attempt = "", 0
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                await writer.drain()
                return
            if verb == b"EHLO":
                writer.write(b"250-host\r\n250-8BITMIME\r\n250 PIPELINING\r\n")
            elif verb == b"MAIL":
                address = ""
                writer.write(b"250 2.1.0 fine\r\n")
            elif verb == b"RCPT":
                address = line.decode().partition("<")[2].partition(">")[0].lower()
                self._attempts[address] += 1
                attempt = self._attempts[address]
                fate = self._fate(address, attempt)
                refused = await self._at_rcpt(fate, address)
                writer.write(refused or b"250 2.1.5 fine\r\n")
                address = "" if refused else address
            elif verb == b"DATA" and address:
                writer.write(b"354 go\r\n")
                await writer.drain()
                await self._mail(reader, writer, address, fate, attempt, source)
            elif verb == b"DATA":
                writer.write(b"503 5.5.1 no recipient\r\n")
            else:
                writer.write(b"250 2.0.0 fine\r\n")

    def _fate(self, address: str, attempt: int) -> Fate:
        fate = self._fates.of(address, attempt)
        return fate if not self.gentle or fate.startswith(("refuse", "unknown user")) else "take"

    async def _at_rcpt(self, fate: Fate, address: str) -> bytes | None:
        if fate == "hang at rcpt":
            await asyncio.sleep(_HANG_SECONDS)
            raise _BreaksOff
        if fate == "defer at rcpt":
            return b"450 4.2.0 come again later\r\n"
        if fate == "refuse at rcpt":
            self._ledger.refusals[address] += 1
            return b"550 5.7.1 not from you\r\n"
        if fate == "unknown user":
            self._ledger.refusals[address] += 1
            return b"550 5.1.1 no such user here\r\n"
        return None

    async def _mail(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        address: str,
        fate: Fate,
        attempt: int,
        source: str,
    ) -> None:
        if fate == "cut in the mail":
            await reader.readexactly(1 + int(self._fates.number(address, attempt, most=600)))
            raise _BreaksOff
        body = await reader.readuntil(_END)
        if fate in KEPT:
            self._take(address, body, source, answered=False)
            if fate == "cut after half a reply":
                writer.write(b"250 2.0")
                await writer.drain()
            elif fate == "cut after 250":
                writer.write(b"250 2.0.0 taken\r\n")
            elif fate == "hang after dot":
                await asyncio.sleep(_HANG_SECONDS)
            raise _BreaksOff
        if fate == "drop after dot":
            raise _BreaksOff
        if fate == "take slowly":
            await asyncio.sleep(self._fates.number(address, attempt, most=_SLOW_SECONDS))
        if fate == "defer at dot":
            writer.write(b"452 4.3.1 not now\r\n")
        elif fate == "421 at dot":
            writer.write(b"421 4.3.2 closing\r\n")
            await writer.drain()
            raise _BreaksOff
        elif fate == "refuse at dot":
            self._ledger.refusals[address] += 1
            writer.write(b"554 5.7.1 refused\r\n")
        else:
            task = asyncio.current_task()
            assert task is not None
            answered = self._tasks[task] = self._take(address, body, source, answered=True)
            writer.write(b"250 2.0.0 taken\r\n")
            try:
                await writer.drain()
            except OSError:
                answered.lost()
                raise

    def _take(self, address: str, body: bytes, source: str, *, answered: bool) -> "_Answer":
        found = _ID.search(body)
        if found is None:
            self._ledger.faults.append(f"a mail to {address} has no Message-ID of ours: {body[:400]!r}")
            return _Answer(self._ledger, -1)
        place = Place(int(found[3]), found[2].decode(), int(found[1]))
        self.signed[b"DKIM-Signature:" in body] += 1
        if b"DKIM-Signature:" in body and len(self.kept) < 20:
            self.kept.append(body)
        digest = hashlib.sha256(body).hexdigest()[:16]
        self._ledger.takings.append(Taking(time.time(), place, address, self.name, answered, digest, source))
        return _Answer(self._ledger, len(self._ledger.takings) - 1)


class _Answer:
    """A 250 that may turn out not to have got through."""

    def __init__(self, ledger: Ledger, number: int) -> None:
        self.at = time.time()
        self._ledger = ledger
        self._number = number

    def lost(self) -> None:
        if self._number >= 0:
            taking = self._ledger.takings[self._number]
            self._ledger.takings[self._number] = Taking(
                taking.at, taking.place, taking.address, taking.host, False, taking.digest, taking.source
            )


@asynccontextmanager
async def mail_hosts(
    names: dict[str, str], relays: dict[str, str], fates: Fates, ledger: Ledger
) -> AsyncIterator[dict[str, MailHost]]:
    """Hosts by name at their addresses: MX hosts all on one port, relays each on its own."""
    attempts: Counter[str] = Counter()
    made = {name: MailHost(name, address, fates, ledger, attempts) for name, address in (names | relays).items()}
    port = 0
    try:
        for name in names:
            port = await made[name].listen(port)
        for name in relays:
            await made[name].listen(0)
        yield made
    finally:
        for host in made.values():
            await host.close()
