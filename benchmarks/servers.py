"""The servers under test: API processes alone on an embedded PostgreSQL, and `postroom serve` with everything."""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self
from urllib.parse import quote

import asyncpg
from benchmarks.cpu import read_stats
from benchmarks.processes import Child, ProgramFailed, free_port, listens
from benchmarks.sends import create_definition, fetch_token

from postroom.assembly.roles import prepare_database
from postroom.cli.sockets import listen
from postroom.settings import load_settings
from postroom.store.embedded import DATABASE, SUPERUSER, EmbeddedPostgres
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID
from postroom.tenancy.clients import SecretHasher, create_client
from postroom.tenancy.sealing import load_seal
from postroom.tenancy.sender_domains import TAKES_EFFECT, create_domain, new_key

POSTROOM = (sys.executable, "-P", "-m", "postroom.cli.main")
SCOPES = frozenset({"email_read", "email_send", "email_write", "saved_content_read", "saved_content_write"})
_NOBODY_LISTENS = "smtp://127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client needs to ask for a token."""

    client_id: str
    client_secret: str


async def new_client(dsn: str) -> Credentials:
    """A client of the default business unit, made in the database."""
    connection = await asyncpg.connect(dsn)
    try:
        client = await create_client(connection, DEFAULT_ACCOUNT_ID, "benchmark", SCOPES, hasher=SecretHasher())
    finally:
        await connection.close()
    return Credentials(client.client_id, client.client_secret)


def relay_on(port: int) -> dict[str, object]:
    """Settings that hand all mail to a relay on this port of 127.0.0.1."""
    return {"delivery": "relay", "relay": f"smtp://127.0.0.1:{port}"}


def environ(**settings: object) -> dict[str, str]:
    """Our environment with these Postroom settings and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    return inherited | {f"POSTROOM_{name.upper()}": str(value) for name, value in settings.items()}


async def sign_mail(dsn: str, domain: str) -> None:
    """Have the mail of the default business unit from this domain signed with RSA-2048."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            seal = await load_seal(connection)
            await create_domain(connection, DEFAULT_ACCOUNT_ID, domain, [new_key("rsa")], seal=seal)
    finally:
        await connection.close()
    await asyncio.sleep(TAKES_EFFECT.total_seconds())


class ApiServers:
    """One embedded PostgreSQL with its production settings, and groups of API processes on it; nothing delivers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held = AsyncExitStack()
        self.postgres = EmbeddedPostgres(folder / "api")
        self.dsn = ""
        self.token = ""

    async def start(self, group_sizes: list[int]) -> "list[ApiGroup]":
        """Start the database and a group of each size; the first makes the definition."""
        self.dsn = await self.postgres.start()
        self._held.push_async_callback(self.postgres.stop)
        settings = environ(
            data_dir=self._folder / "api", database_url=self.dsn, delivery="relay", relay=_NOBODY_LISTENS
        )
        await prepare_database(load_settings(settings), self.dsn)
        lifeline, own_end = os.pipe()
        self._held.callback(os.close, lifeline)
        self._held.callback(os.close, own_end)
        groups = [await self._start_group(size, settings, lifeline) for size in group_sizes]
        client = await new_client(self.dsn)
        self.token = await fetch_token(groups[0].address, client.client_id, client.client_secret)
        await create_definition(groups[0].address, self.token)
        return groups

    async def _start_group(self, size: int, settings: dict[str, str], lifeline: int) -> "ApiGroup":
        port = free_port()
        listener = self._held.enter_context(listen("POSTROOM_HTTP", f"127.0.0.1:{port}"))
        own = settings | {"POSTROOM_HTTP": f"127.0.0.1:{port}", "POSTROOM_LOG_LEVEL": "warning"}
        number = listener.fileno()
        children = []
        for place in range(size):
            # The lifeline ends them should this process be killed.
            command = [*POSTROOM, "api", "--listen-fd", str(number), "--lifeline-fd", str(lifeline)]
            child = Child(command, log=self._folder / f"api-{size}-{place}.log", env=own, pass_fds=(number, lifeline))
            self._held.push_async_callback(child.stop)
            children.append(child)
        group = ApiGroup(("127.0.0.1", port), children)
        await group.ready()
        return group

    async def stop(self) -> None:
        """End everything, the database last."""
        await self._held.aclose()


class ApiGroup:
    """API processes that share one port."""

    def __init__(self, address: tuple[str, int], children: list[Child]) -> None:
        self.address = address
        self._children = children

    @property
    def pids(self) -> list[int]:
        """Their process ids."""
        return [child.pid for child in self._children]

    async def ready(self) -> None:
        """Return when all of them take part: each has connections to the database."""
        for child in self._children:
            await child.ready(partial(_takes_part, child.pid))


def _takes_part(pid: int) -> bool:
    """Whether a process has more sockets than the listening one and its loop's pair: it has reached the database."""
    found = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found += entry.readlink().name.startswith("socket:")
        except OSError:
            continue  # closed since the folder was listed
    return found > 3


class WholeServer:
    """`postroom serve` with its own embedded PostgreSQL."""

    def __init__(
        self, folder: Path, delivery: Mapping[str, object], *, name: str = "serve", signed_domain: str = ""
    ) -> None:
        """``delivery`` are the settings that say where mail goes; with a ``signed_domain`` all of it comes from there
        and is signed. ``name`` is the server's own in the folder."""
        data_dir = folder / name
        self._signed_domain = signed_domain
        sender = {"from_address": f"orders@{signed_domain}"} if signed_domain else {}
        self.address = ("127.0.0.1", free_port())
        self.token = ""
        self.dsn = f"postgresql://{SUPERUSER}@/{DATABASE}?host={quote(str(data_dir / 'run'))}"
        self._child = Child(
            [*POSTROOM, "serve"],
            log=folder / f"{name}.log",
            env=environ(
                data_dir=data_dir, http=f"127.0.0.1:{self.address[1]}", log_level="warning", **delivery, **sender
            ),
            stop_seconds=35.0,
        )

    async def start(self) -> Self:
        """Return when everything answers and the definition is there."""
        await self._child.ready(lambda: "postroom: ready" in self._child.log.read_text(errors="replace"), 120.0)
        if not listens(self.address[1]):
            raise ProgramFailed(f"postroom serve is ready and does not answer; {self._child.said()}")
        if self._signed_domain:
            await sign_mail(self.dsn, self._signed_domain)
        client = await new_client(self.dsn)
        self.token = await fetch_token(self.address, client.client_id, client.client_secret)
        await create_definition(self.address, self.token)
        return self

    def roots(self) -> dict[str, list[int]]:
        """The process ids of each part: api, delivery, postgresql (its postmaster), supervisor."""
        groups: dict[str, list[int]] = {"api": [], "delivery": [], "postgresql": []}
        for each in read_stats():
            if each.parent != self._child.pid:
                continue
            words = Path(f"/proc/{each.pid}/cmdline").read_bytes().split(b"\0")
            if b"api" in words:
                groups["api"].append(each.pid)
            elif b"deliver" in words:
                groups["delivery"].append(each.pid)
            elif words[0].endswith(b"/postgres"):
                groups["postgresql"].append(each.pid)
        empty = [name for name, pids in groups.items() if not pids]
        if empty:
            raise ProgramFailed(f"postroom serve runs without {', '.join(empty)}; {self._child.said()}")
        return groups

    async def stop(self) -> None:
        """End it as a user would."""
        await self._child.stop()
