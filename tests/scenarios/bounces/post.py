"""The server for bounces on a loopback port, and other people's mail systems that talk to it."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiosmtplib
from tests.conformance.house import ACCOUNT, House, people
from tests.scenarios.delivery.relay import Relay
from tests.scenarios.delivery.workers import all_final, environ
from tests.unit.bounces.mails import TOKEN

from postroom.assembly.delivery import worker_options
from postroom.bounces.return_path import ReturnPath, load_return_path
from postroom.bounces.verdict import read_rules
from postroom.delivery.worker import Worker
from postroom.inbound.bounce_desk import BounceDesk, bounce_manner
from postroom.inbound.smtp_grammar import Session
from postroom.inbound.smtp_server import MailServer, ServerLimits, run_server
from postroom.metrics.counts import Counts
from postroom.settings import load_settings

DOMAIN = "bounces.example.com"

_EVENTS = """
select e.kind, e.detail, e.contact_id
from message m join event e on e.account_id = m.account_id and e.request_id = m.request_id and e.position = m.position
where m.account_id = $1 and m.message_key = $2 and e.kind in ('bounced', 'complained')
order by e.event_id
"""


@dataclass
class Post:
    """Where bounces go, and what became of them."""

    house: House
    paths: ReturnPath
    port: int
    counts: Counts = field(default_factory=Counts)
    """What the server and the workers of `sent` counted."""

    async def sent(self, keys: Sequence[str], relay: Relay, definition: str = "welcome") -> list[str]:
        """Send messages through a real worker; the return path of each, as the relay got it."""
        settings = load_settings(environ(self.house, relay, bounce_domain=DOMAIN))
        options = worker_options(settings, owner="here", replaces=None)
        worker = Worker(self.house.pool, options, rand=lambda: 0.5, return_path=self.paths, counts=self.counts)
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop))
        before = len(await self.house.final())
        await self.house.accept(people(list(keys)), definition)
        worker.announce(ACCOUNT)
        await all_final(self.house, before + len(keys))
        stop.set()
        await running
        return [relay.senders[key.lower()][-1] for key in keys if relay.senders[key.lower()]]

    async def deliver(self, raw: bytes, to: str | Sequence[str], sender: str = "", **options: Any) -> str:
        """Hand a mail in as any mail system does; the reply, also when it is a refusal."""
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=self.port, timeout=30, **{"start_tls": False, **options})
        recipients = [to] if isinstance(to, str) else list(to)
        try:
            async with client:
                _, reply = await client.sendmail(sender, recipients, raw)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            return f"{refused.recipients[0].code} {refused.recipients[0].message}"
        except aiosmtplib.SMTPResponseException as refused:
            return f"{refused.code} {refused.message}"
        return f"250 {reply}"

    async def events(self, key: str) -> list[tuple[str, dict[str, Any]]]:
        """What came after the end of one message."""
        rows = await self.house.pool.fetch(_EVENTS, ACCOUNT, key)
        return [(row["kind"], json.loads(row["detail"])) for row in rows]


def about(raw: bytes, return_path: str, recipient: str = "") -> bytes:
    """A report as it would be about this mail."""
    raw = raw.replace(TOKEN.encode(), return_path.partition("@")[0].encode())
    return raw.replace(b"joe@example.net", recipient.encode()) if recipient else raw


@asynccontextmanager
async def taking(
    house: House, *, limits: ServerLimits | None = None, tls: ssl.SSLContext | None = None, domain: str = DOMAIN
) -> AsyncIterator[Post]:
    """The server, until the block ends; it stops cleanly."""
    paths = await load_return_path(house.pool, domain)
    counts = Counts()
    desk = BounceDesk(house.pool, paths, read_rules(), now=lambda: datetime.now(UTC), counts=counts)
    manner = bounce_manner(paths, starttls=tls is not None, counts=counts)
    server = MailServer(
        desk,
        lambda: Session("mx.test", manner, max_message_bytes=5_000_000, max_recipients=20),
        limits or ServerLimits(stop_seconds=5.0),
        tls=tls,
    )
    stop = asyncio.Event()
    bound: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(
        run_server("127.0.0.1", 0, server, stop, listening=lambda _, port: bound.set_result(port))
    )
    try:
        yield Post(house, paths, await bound, counts)
    finally:
        stop.set()
        await running
