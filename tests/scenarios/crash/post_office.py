"""A whole `postroom serve` as a child process, and 10,000 messages on their way through it.

The requests go out over several HTTP connections at once. One that ends in an error or without any answer is sent
again as it was, as a careful client does: a key that answers 109110 then was accepted the first time.
"""

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from postroom.store.pool import Pool, open_pool

COMMAND = (sys.executable, "-P", "-m", "postroom.cli.main", "serve")
READY = "postroom: ready"
PATIENCE = 90.0
DUPLICATE = 109110

REQUESTS = 5
RECIPIENTS = 2_000
CLIENTS = 4

_FIELD = re.compile(r"^  (API|client_id|client_secret|account_id) +(\S+)$", re.MULTILINE)

_CAPTURED = "select message_key, count(*) as times from captured_mail group by message_key"
_FINAL = "select count(*) from event where kind in ('sent', 'not_sent')"
_ENDED = "select count(distinct (request_id, position)) from event where kind in ('sent', 'not_sent')"
_NOT_SENT = "select count(*) from event where kind = 'not_sent'"


class Log:
    """What the server wrote to stderr."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def end(self) -> str:
        """Its last lines."""
        return self.path.read_text()[-3000:]


class PostOffice:
    """A running server. ``database`` looks into its tables."""

    def __init__(self, process: asyncio.subprocess.Process, log: Log, fields: Mapping[str, str]) -> None:
        self.process = process
        self.log = log
        self.url = fields["API"]
        self.fields = fields
        self.answered: set[str] = set()
        """Keys of messages that a 202, or a 109110 on a repeat, says are accepted."""
        self.failures = 0
        """Requests that got an error or no answer."""
        self._answers = asyncio.Condition()
        self._token = ""

    # -- its processes

    def children(self, verb: str) -> list[int]:
        """The processes of one role that run now."""
        return [pid for pid, words in self._family().items() if verb in words[4:6]]

    def postmaster(self) -> int:
        """The server process of its embedded PostgreSQL."""
        (pid,) = [pid for pid, words in self._family().items() if words[0].endswith("postgres")]
        return pid

    def _family(self) -> dict[int, list[str]]:
        family = {}
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            if words[0]:
                family[int(pid)] = words
        return family

    def database_url(self) -> str:
        """What its children are told to connect to."""
        (mailbox,) = self.children("mailbox")
        environ = Path(f"/proc/{mailbox}/environ").read_bytes().decode().split("\0")
        return next(line.partition("=")[2] for line in environ if line.startswith("POSTROOM_DATABASE_URL="))

    # -- its clients

    async def define(self) -> None:
        """Get a token; make an asset and a definition of small mails."""
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
            answer = await client.post(
                "/v2/token",
                json={
                    "grant_type": "client_credentials",
                    "client_id": self.fields["client_id"],
                    "client_secret": self.fields["client_secret"],
                },
            )
            self._token = answer.raise_for_status().json()["access_token"]
            views = {"text": {"content": "Your order %%Order%%"}, "subjectline": {"content": "Order %%Order%%"}}
            asset = {"name": "order", "customerKey": "order", "assetType": {"id": 209}, "views": views}
            definition = {
                "definitionKey": "order",
                "name": "order",
                "status": "Active",
                "content": {"customerKey": "order"},
                "subscriptions": {"list": "All Subscribers"},
            }
            for path, body in (("/asset/v1/content/assets", asset), ("/messaging/v1/email/definitions", definition)):
                made = await client.post(path, json=body, headers=self._headers)
                assert made.is_success, made.text

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """One request with the token, which must succeed; its reply."""
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
            answer = await client.request(method, path, json=body, headers=self._headers)
            assert answer.is_success, answer.text
            return answer.json()

    async def send_all(self, requests: int = REQUESTS) -> None:
        """Send all requests over `CLIENTS` connections, each until it is accepted as a whole."""
        waiting = [
            [f"m-{request}-{position}" for position in range(RECIPIENTS)] for request in reversed(range(requests))
        ]

        async def send_some() -> None:
            async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
                while waiting:
                    await self._send(client, waiting.pop())

        await asyncio.gather(*(send_some() for _ in range(CLIENTS)))

    async def _send(self, client: httpx.AsyncClient, keys: list[str]) -> None:
        recipients = [
            {"contactKey": f"c-{key}", "to": f"{key}@example.com", "messageKey": key, "attributes": {"Order": key}}
            for key in keys
        ]
        body = json.dumps({"definitionKey": "order", "recipients": recipients})
        again = False
        while True:
            try:
                answer = await client.post("/messaging/v1/email/messages", content=body, headers=self._headers)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code < 500:
                break
            self.failures += 1
            again = True
            await asyncio.sleep(0.1)
        responses = answer.json()["responses"]
        assert [each["messageKey"] for each in responses] == keys
        codes = {each.get("errorcode", 0) for each in responses}
        # Wholly or not at all: a repeat finds every key taken, or none.
        assert codes == {0} or (again and codes == {DUPLICATE}), answer.text[:500]
        async with self._answers:
            self.answered.update(keys)
            self._answers.notify_all()

    async def accepted(self, messages: int) -> None:
        """Wait until so many messages are known to be accepted."""
        async with self._answers:
            await self._answers.wait_for(lambda: len(self.answered) >= messages)

    # -- what became of them

    async def captured(self, messages: int) -> None:
        """Wait until the mailbox holds so many mails."""
        async with self.database() as pool:
            await until(lambda: _so(pool, "select messages >= $1 from captured_total", messages))

    async def finished(self) -> Counter[str]:
        """Wait until nothing is queued; how often each message was captured. Prints what went twice."""
        async with self.database() as pool:
            await until(lambda: _so(pool, "select not exists (select from queue)"))
            captured = Counter({row["message_key"]: row["times"] for row in await pool.fetch(_CAPTURED)})
            final = await pool.fetchval(_FINAL)
            ended = await pool.fetchval(_ENDED)
            not_sent = await pool.fetchval(_NOT_SENT)
            accepted = await pool.fetchval("select count(*) from message")
        twice = sum(1 for times in captured.values() if times > 1)
        lost = len(self.answered - captured.keys())
        print(
            f"accepted {accepted}, captured {captured.total()}, twice {twice}, "
            f"lost {lost}, final {final}, ended {ended}, repeated requests {self.failures}"
        )
        assert lost == 0
        assert (accepted, not_sent) == (REQUESTS * RECIPIENTS, 0)
        # Each message has an end, and more than one only where it went more than once.
        assert ended == accepted
        assert accepted <= final <= captured.total()
        return captured

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Pool]:
        """A few connections to its database."""
        pool = await open_pool(self.database_url(), min_size=0, max_size=2, application_name="onlooker")
        try:
            yield pool
        finally:
            await pool.close()


async def _so(pool: Pool, question: str, *arguments: object) -> bool:
    """The database's answer; no while it is away."""
    try:
        return bool(await pool.fetchval(question, *arguments))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False


async def until(told: Callable[[], Awaitable[bool]], *, seconds: float = PATIENCE) -> None:
    """Return when it is so; fail when that takes too long."""
    deadline = time.monotonic() + seconds
    while not await told():
        assert time.monotonic() < deadline, "it did not come so"
        await asyncio.sleep(0.02)


def kill_nine(pid: int) -> None:
    """No goodbye."""
    os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def post_office(folder: Path, **settings: object) -> AsyncIterator[PostOffice]:
    """A server on free ports with its data in ``folder``; stopped with SIGTERM, which must end well."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    defaults = {"data_dir": folder / "data", "http": "127.0.0.1:0", "sandbox_smtp": "127.0.0.1:0"}
    environ |= {f"POSTROOM_{name.upper()}": str(value) for name, value in (defaults | settings).items()}
    log = Log(folder / "log")
    with log.path.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, env=environ, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
    try:
        office = PostOffice(process, log, await _banner(process, log))
        await office.define()
        yield office
    finally:
        if process.returncode is None:
            process.terminate()
        code = await process.wait()
    assert code == 0, log.end()


async def _banner(process: asyncio.subprocess.Process, log: Log) -> dict[str, str]:
    assert process.stdout is not None
    banner = ""
    async with asyncio.timeout(PATIENCE):
        while READY not in banner:
            line = await process.stdout.readline()
            assert line, log.end()
            banner += line.decode()
    return dict(_FIELD.findall(banner))


async def in_the_middle(office: PostOffice, blow: Callable[[], Awaitable[Any]]) -> Counter[str]:
    """Send everything, strike while requests are under way, and wait until all is delivered."""
    async with asyncio.timeout(PATIENCE):
        sending = asyncio.create_task(office.send_all())
        try:
            await blow()
            await sending
        finally:
            sending.cancel()
        return await office.finished()
