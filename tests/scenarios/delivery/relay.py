"""A relay that answers each mail as the test decides, and remembers what it took."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

TAKEN = "250 2.0.0 taken"
VANISH = ""
"""Instead of an answer: the connection is closed."""

Decision = Callable[[str, int], str]


def take_all(_key: str, _attempt: int) -> str:
    """Every mail is taken."""
    return TAKEN


class Relay:
    """``decide(key, attempt)`` gives the answer to the final dot; ``key`` is the local part of the recipient.

    ``attempt`` counts from 1. With a ``gate`` each answer waits for its permit. No transaction gets more than ``most``
    recipients; ``key`` is that of the last one then.
    """

    def __init__(self, decide: Decision = take_all, *, gate: asyncio.Semaphore | None = None, most: int = 1000) -> None:
        self._decide = decide
        self._gate = gate
        self._most = most
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()
        self._change = asyncio.Condition()
        self.port = 0
        self.order: list[str] = []
        """Keys in the order in which the mails came, attempts included."""
        self.taken: Counter[str] = Counter()
        """How often each mail was answered 250."""
        self.transactions: list[tuple[str, ...]] = []
        """The keys of the recipients of each mail that came."""
        self.senders: dict[str, list[str]] = defaultdict(list)
        """The envelope senders of each mail, an attempt each."""
        self.bodies: dict[str, list[bytes]] = defaultdict(list)

    async def listen(self) -> None:
        """Begin to take connections; always on the same port."""
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", self.port, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Be away."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._conversations):
            task.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    async def came(self, mails: int) -> None:
        """Wait until so many mails have come in all, whatever was answered."""
        async with self._change:
            await self._change.wait_for(lambda: len(self.order) >= mails)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._conversations.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 relay ESMTP\r\n")
        key = sender = ""
        keys: list[str] = []
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                writer.write(b"250-relay\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                await writer.drain()
                return
            elif verb == b"DATA":
                writer.write(b"354 go\r\n")
                self.transactions.append(tuple(keys))
                answer = await self._mail(key, await reader.readuntil(b"\r\n.\r\n"))
                if answer == VANISH:
                    return
                writer.write(answer.encode() + b"\r\n")
            else:
                if verb == b"MAIL":
                    sender = line.decode().partition("<")[2].partition(">")[0]
                    keys = []
                if verb == b"RCPT" and len(keys) >= self._most:
                    writer.write(b"452 4.5.3 too many recipients\r\n")
                    continue
                if verb == b"RCPT":
                    key = line.decode().partition("<")[2].partition("@")[0]
                    keys.append(key)
                    self.senders[key].append(sender)
                writer.write(b"250 2.1.0 fine\r\n")

    async def _mail(self, key: str, body: bytes) -> str:
        self.bodies[key].append(body)
        async with self._change:
            self.order.append(key)
            self._change.notify_all()
        if self._gate is not None:
            await self._gate.acquire()
        answer = self._decide(key, len(self.bodies[key]))
        if answer.startswith("250"):
            self.taken[key] += 1
        return answer


@asynccontextmanager
async def relay(
    decide: Decision = take_all, *, gate: asyncio.Semaphore | None = None, most: int = 1000
) -> AsyncIterator[Relay]:
    """A relay that listens."""
    made = Relay(decide, gate=gate, most=most)
    await made.listen()
    try:
        yield made
    finally:
        await made.close()
