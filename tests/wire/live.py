"""A real API process on a loopback port, and business units to talk to it as."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import argon2
import asyncpg
import httpx
from tests.postgres import LoopThread

from postroom.assembly.roles import prepare_database
from postroom.settings import load_settings, settings_environ
from postroom.store.pool import connect
from postroom.tenancy.accounts import ensure_account
from postroom.tenancy.clients import SecretHasher, create_client
from postroom.tenancy.scopes import SCOPES

# What a request can leave behind.
STORED = ("send_request", "message", "queue", "event", "contact", "definition", "definition_version", "asset")

HTML = "<html><body><p>Hello %%FirstName%%</p></body></html>"


class LightHasher(SecretHasher):
    """Hashes that cost next to nothing to make and, as they carry their cost, to check."""

    async def hash(self, secret: str) -> str:
        return argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(secret)


@dataclass
class LiveApi:
    """The process, its database, and a plain HTTP client."""

    url: str
    dsn: str
    loop: LoopThread
    http: httpx.Client
    _connection: "asyncpg.Connection[asyncpg.Record] | None" = None

    def execute(self, statement: str, *arguments: object) -> None:
        """Run one statement."""

        async def run() -> None:
            await (await self._connected()).execute(statement, *arguments)

        self.loop.run(run())

    def rows(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of one query."""

        async def run() -> list[asyncpg.Record]:
            return await (await self._connected()).fetch(statement, *arguments)

        return self.loop.run(run())

    async def _connected(self) -> "asyncpg.Connection[asyncpg.Record]":
        """One connection for all: a new one reads the catalogue of hundreds of tables again."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self.dsn, application_name="test")
        return self._connection

    def close(self) -> None:
        """End the connection to the database."""
        if self._connection is not None:
            self.loop.run(self._connection.close())

    def unit(self, account_id: int, scopes: frozenset[str] = frozenset(SCOPES)) -> "Unit":
        """A business unit of its own with one client and a fresh token."""

        async def make() -> tuple[str, str]:
            connection = await self._connected()
            async with connection.transaction():
                await ensure_account(connection, account_id, f"Unit {account_id}")
                client = await create_client(connection, account_id, "Test", scopes, hasher=LightHasher())
            return client.client_id, client.client_secret

        client_id, secret = self.loop.run(make())
        unit = Unit(self, account_id, client_id, secret)
        unit.token = unit.new_token()
        return unit


@dataclass
class Unit:
    """A business unit as its client sees the API."""

    api: LiveApi
    account_id: int
    client_id: str
    client_secret: str
    token: str = field(default="")

    def new_token(self, **more: object) -> str:
        """A token from the token route."""
        reply = self.api.http.post("/v2/token", json=self.credentials() | more)
        assert reply.status_code == 200, reply.text
        token: str = reply.json()["access_token"]
        return token

    def credentials(self) -> dict[str, object]:
        """The body of a token request."""
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }

    def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """One request with the unit's token; every reply must be JSON in UTF-8."""
        headers: Mapping[str, str] = {"Authorization": f"Bearer {self.token}"} | (arguments.pop("headers", None) or {})
        reply = self.api.http.request(method, self.api.url + path, headers=headers, **arguments)
        assert reply.headers["content-type"] == "application/json; charset=utf-8"
        return reply

    def stored(self) -> dict[str, int]:
        """How many rows of each kind the unit has."""
        counts = ", ".join(f"(select count(*) from {table} where account_id = $1) as {table}" for table in STORED)
        (row,) = self.api.rows(f"select {counts}", self.account_id)
        return dict(row)

    def make_asset(self, key: str = "order-email", html: str = HTML, subject: str = "Your order") -> dict[str, Any]:
        """An HTML email asset."""
        body = {
            "name": key,
            "customerKey": key,
            "assetType": {"id": 208, "name": "htmlemail"},
            "views": {"html": {"content": html}, "subjectline": {"content": subject}},
        }
        reply = self.call("POST", "/asset/v1/content/assets", json=body)
        assert reply.status_code == 201, reply.text
        made: dict[str, Any] = reply.json()
        return made

    def make_definition(self, key: str = "order", **more: Any) -> dict[str, Any]:
        """An active definition of that asset."""
        reply = self.call("POST", "/messaging/v1/email/definitions", json=definition_body(key) | more)
        assert reply.status_code == 201, reply.text
        made: dict[str, Any] = reply.json()
        return made


def definition_body(key: str = "order") -> dict[str, Any]:
    """A complete request for an active definition of the asset `order-email`."""
    return {
        "definitionKey": key,
        "name": f"Definition {key}",
        "status": "Active",
        "content": {"customerKey": "order-email"},
        "subscriptions": {"list": "All Subscribers"},
    }


@contextmanager
def running_api(dsn: str, loop: LoopThread, **settings: str) -> Iterator[LiveApi]:
    """An API process on a port of its own until the block ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # Clients go where the token reply sends them.
        overrides = {"database_url": dsn, "log_level": "error", "public_url": url, **settings}
        configured = load_settings({}, overrides=overrides)
        loop.run(prepare_database(configured, dsn))
        descriptor = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "postroom.cli.main", "api", "--listen-fd", str(descriptor)],
            env={**os.environ, **settings_environ(configured)},
            pass_fds=(descriptor,),
        )
    try:
        # The process alone holds the socket now: the first request waits in its backlog until it is answered,
        # and fails at once when the process ends instead.
        with httpx.Client(base_url=url, timeout=30) as http:
            assert http.get("/platform/v1/tokenContext").status_code == 401
            with closing(LiveApi(url, dsn, loop, http)) as api:
                yield api
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0


def until(happens: Any, seconds: float = 20.0) -> None:
    """Ask again until it is true; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
