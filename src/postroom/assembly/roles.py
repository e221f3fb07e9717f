"""The processes of a server: each ``run_…`` is the whole life of one, from connecting to a clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from postroom.assembly.bounces import bounce_rules, bounce_tls, soft_bounce_rule
from postroom.assembly.delivery import mail_links, own_host, reporting_options, route_names, worker_options
from postroom.assembly.rooms import dialect_of, events_options, ledger_of, mailbox_of, retention_of
from postroom.assembly.sandbox import chaos_gate, failures_of, later_reports
from postroom.settings import Settings
from postroom.store.pool import Pool, open_pool

if TYPE_CHECKING:
    from litestar import Router

    from postroom.audience.address_check import TakesMail
    from postroom.delivery.mail_links import MailLinks
    from postroom.delivery.web_view import WebView
    from postroom.events.engagement import Engagement
    from postroom.sandbox.watch import MailWatch
    from postroom.tenancy.accounts import SandboxClient

_API_CONNECTIONS = 8
_DELIVERY_CONNECTIONS = 6
_MAILBOX_CONNECTIONS = 4
_EVENTS_CONNECTIONS = 4
_LAST_WRITE_SECONDS = 2.0
_ADDRESS_CHECK_SECONDS = 5.0
_BOUNCES_CONNECTIONS = 4

# Every hot statement looks rows up by key, and says so in its form (lateral look-ups, no free joins). What is left
# to the planner is not to read a table as a whole only because it was empty when the plan was made.
_INDEXED = {"enable_seqscan": "off"}

# A place in the log that a crash of the database takes back costs some repeats, which webhooks may have; waiting
# for the disk after each batch would cost more of them whenever the process dies.
_PLACES = {"synchronous_commit": "off"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A database that is ready. ``client`` is the sandbox's ready-made one; production has none."""

    client: SandboxClient | None


async def prepare_database(settings: Settings, dsn: str) -> Prepared:
    """Bring the tables up to date and make what a server can't do without; safe to repeat, and from several hosts."""
    from postroom.store.migrate import migrate
    from postroom.store.partitions import ensure_days
    from postroom.tenancy.accounts import (
        DEFAULT_ACCOUNT_ID,
        DEFAULT_ACCOUNT_NAME,
        ensure_account,
        ensure_sandbox_account,
    )
    from postroom.tenancy.clients import SecretHasher

    await migrate(dsn)
    async with _pool(dsn, "prepare", 1) as pool:
        await ensure_days(pool, datetime.now(UTC).date())
        if settings.delivery == "sandbox":
            return Prepared(await ensure_sandbox_account(pool, hasher=SecretHasher()))
        async with pool.acquire() as connection, connection.transaction():
            await ensure_account(connection, DEFAULT_ACCOUNT_ID, DEFAULT_ACCOUNT_NAME)
        return Prepared(None)


async def prepare_server(settings: Settings, dsn: str) -> Prepared:
    """As `prepare_database`, and forget what belonged to an earlier run of the server; for who starts all of it."""
    from postroom.sandbox.chaos_rules import forget_rules

    prepared = await prepare_database(settings, dsn)
    if settings.delivery == "sandbox":
        async with _pool(dsn, "prepare", 1) as pool:
            await forget_rules(pool)
    return prepared


async def run_api(settings: Settings, dsn: str, *, listen_fd: int | None, stop: asyncio.Event) -> None:
    """Answer HTTP until ``stop`` is set; then finish the requests that have begun.

    ``listen_fd`` is a listening socket shared with other API processes; without one the address is bound here.
    """
    from uuid_utils.compat import uuid7

    from postroom.api.app import build_api
    from postroom.api.recipient_pages import RecipientPages
    from postroom.api.recipients import Recipients
    from postroom.api.server import serve_http
    from postroom.api.tracking import Tracking
    from postroom.content.ampscript.engine import Engine
    from postroom.delivery.tracking_domain import TrackingDomain
    from postroom.events.engagement import Engagement
    from postroom.events.machines import own_rules
    from postroom.intake.accept import Accepter
    from postroom.intake.announce import queue_announcer
    from postroom.intake.message_jobs import keep_jobs
    from postroom.metrics.counts import counting
    from postroom.privacy.erasure import keep_erasing
    from postroom.privacy.retention import keep_retention
    from postroom.sandbox.business_units import BusinessUnits
    from postroom.sandbox.chaos_gate import CUT
    from postroom.sandbox.chaos_rules import KnownRules
    from postroom.sandbox.routes import sandbox_router
    from postroom.sandbox.watch import MailWatch
    from postroom.tenancy.clients import SecretHasher
    from postroom.tenancy.link_keys import load_link_tokens

    async with _pool(dsn, "api", _API_CONNECTIONS) as pool, contextlib.AsyncExitStack() as running:
        ledger = ledger_of(settings, pool)
        announce = queue_announcer(pool)
        accepter = Accepter(
            ledger,
            announce=announce,
            new_request_id=uuid7,
            random_bytes=os.urandom,
            counts=await running.enter_async_context(counting(pool)),
        )
        accepter.start()
        running.push_async_callback(accepter.close)
        extra: list[Router] = []
        known: KnownRules | None = None
        if settings.delivery == "sandbox":
            mailbox = mailbox_of(settings, pool)
            watch = MailWatch(mailbox)
            # Clients that wait for a mail are answered when the stop begins, not when they would hold it up.
            await running.enter_async_context(_background(_close_at(stop, watch)))
            known = KnownRules(dsn, pool)
            await running.enter_async_context(_background(known.keep()))
            await known.loaded.wait()
            extra.append(
                sandbox_router(
                    mailbox,
                    watch,
                    BusinessUnits(pool, SecretHasher()),
                    own_hosts=_own_hosts(settings),
                    smtp_address=str(settings.sandbox_smtp_address),
                    failures=failures_of(settings, pool, announce),
                )
            )
        await running.enter_async_context(_background(keep_erasing(pool)))
        await running.enter_async_context(_background(keep_jobs(pool, ledger, announce=announce)))
        await running.enter_async_context(_background(keep_retention(pool, retention_of(settings))))
        engagement = Engagement(
            pool,
            own_rules(),
            interval=settings.tracking_flush_milliseconds / 1000,
            private=settings.tracking_privacy == "private",
        )
        await running.enter_async_context(_engagement(engagement))
        tokens = await load_link_tokens(pool)
        links = mail_links(settings, tokens)
        await running.enter_async_context(_background(TrackingDomain(pool, tokens, links).keep()))
        recipients = Recipients(
            Tracking(tokens, engagement),
            RecipientPages(pool, tokens, _web_view(settings, pool, links), clock=time.time),
        )
        app = await build_api(
            settings=settings,
            pool=pool,
            accepter=accepter,
            engine=Engine(dialect_of(settings)),
            clock=time.time,
            recipients=recipients,
            takes_mail=_takes_mail(settings),
            extra_routes=extra,
            delivery_routes=route_names(settings),
        )
        address = settings.http_address
        if known is None:
            await serve_http(app, address.host, address.port, listen_fd, stop)
        else:
            gate = await chaos_gate(settings, pool, app, known)
            await serve_http(gate, address.host, address.port, listen_fd, stop, cuttable=CUT)


async def run_delivery(settings: Settings, dsn: str, *, owner: str, replaces: str | None, stop: asyncio.Event) -> None:
    """Deliver what is queued until ``stop`` is set; then finish what is on the wire and give back the rest."""
    from postroom.bounces.return_path import load_return_path
    from postroom.delivery.tls_reporting.reporter import TlsReporter
    from postroom.delivery.tracking_domain import TrackingDomain
    from postroom.delivery.wakeups import listen
    from postroom.delivery.worker import Worker
    from postroom.metrics.counts import counting
    from postroom.privacy.retention import keep_retention
    from postroom.tenancy.link_keys import load_link_tokens

    async with _pool(dsn, "deliver", _DELIVERY_CONNECTIONS) as pool:
        options = worker_options(settings, owner=owner, replaces=replaces)
        domain = settings.bounce_domain
        return_path = None if domain is None else await load_return_path(pool, domain)
        tokens = await load_link_tokens(pool)
        links = mail_links(settings, tokens)
        await links.refresh(pool)
        options = dataclasses.replace(options, links=links)
        reporting = reporting_options(settings)
        async with contextlib.AsyncExitStack() as running:
            counts = await running.enter_async_context(counting(pool))
            worker = Worker(pool, options, rand=random.random, return_path=return_path, counts=counts)
            await running.enter_async_context(_background(TrackingDomain(pool, tokens, links).keep()))
            await running.enter_async_context(_background(listen(dsn, worker.announce)))
            await running.enter_async_context(_background(keep_retention(pool, retention_of(settings))))
            if reporting is not None:
                reporter = TlsReporter(
                    pool, reporting, now=lambda: datetime.now(UTC), rand=random.random, counts=counts
                )
                await running.enter_async_context(_background(reporter.keep()))
            await worker.run(stop)


async def run_events(settings: Settings, dsn: str, *, owner: str, replaces: str | None, stop: asyncio.Event) -> None:
    """Tell callbacks of events until ``stop`` is set; then finish the requests on their way."""
    from postroom.events.ens import EventsWorker

    async with _pool(dsn, "events", _EVENTS_CONNECTIONS, _INDEXED | _PLACES) as pool:
        options = events_options(settings, owner=owner, replaces=replaces)
        await EventsWorker(pool, options, wall_clock=time.time, rand=random.random).run(stop)


async def run_mailbox(settings: Settings, dsn: str, *, stop: asyncio.Event) -> None:
    """Capture mail by SMTP until ``stop`` is set."""
    from postroom.metrics.counts import counting
    from postroom.sandbox.smtp_server import run_mailbox as serve_mailbox

    async with _pool(dsn, "mailbox", _MAILBOX_CONNECTIONS) as pool, counting(pool) as counts:
        address = settings.sandbox_smtp_address
        reports = await later_reports(settings, pool, counts)
        await serve_mailbox(address.host, address.port, mailbox_of(settings, pool), stop, reports=reports)


async def run_bounces(settings: Settings, dsn: str, *, stop: asyncio.Event) -> None:
    """Take bounces and complaints by SMTP until ``stop`` is set; both settings of their name must be given."""
    from postroom.bounces.return_path import load_return_path
    from postroom.inbound.bounce_desk import MOST_RECIPIENTS, BounceDesk, bounce_manner
    from postroom.inbound.smtp_grammar import Session
    from postroom.inbound.smtp_server import MailServer, ServerLimits, run_server
    from postroom.metrics.counts import counting

    address = settings.bounce_smtp_address
    assert address is not None
    assert settings.bounce_domain is not None
    tls = bounce_tls(settings)
    async with _pool(dsn, "bounces", _BOUNCES_CONNECTIONS) as pool, counting(pool) as counts:
        paths = await load_return_path(pool, settings.bounce_domain)
        manner = bounce_manner(paths, starttls=tls is not None, counts=counts)
        server = MailServer(
            BounceDesk(
                pool,
                paths,
                bounce_rules(settings),
                now=lambda: datetime.now(UTC),
                soft=soft_bounce_rule(settings),
                counts=counts,
            ),
            lambda: Session(
                own_host(settings), manner, max_message_bytes=settings.bounce_max_bytes, max_recipients=MOST_RECIPIENTS
            ),
            ServerLimits(connections=200, per_host=20, idle_seconds=120.0, life_seconds=1800.0, stop_seconds=1.0),
            tls=tls,
        )
        await run_server(address.host, address.port, server, stop)


def _own_hosts(settings: Settings) -> frozenset[str]:
    host = urlsplit(settings.public_url).hostname
    return frozenset({host} if host else ())


def _takes_mail(settings: Settings) -> TakesMail:
    """The sandbox asks nobody, and neither does a machine without a DNS server."""
    from postroom.delivery.routing.mail_domain import MailDomains, every_domain
    from postroom.delivery.routing.resolver import Resolver

    if settings.delivery == "sandbox":
        return every_domain
    servers = tuple((address.host, address.port) for address in settings.dns_server_addresses)
    try:
        resolver = Resolver(servers, seconds=_ADDRESS_CHECK_SECONDS)
    except ValueError:
        return every_domain
    return MailDomains(resolver, clock=asyncio.get_running_loop().time).takes_mail


def _web_view(settings: Settings, pool: Pool, links: MailLinks) -> WebView:
    from postroom.delivery.composer import Composer
    from postroom.delivery.versions import Versions
    from postroom.delivery.web_view import WebView

    options = worker_options(settings, owner="", replaces=None)
    versions = Versions(
        pool,
        sender=options.sender,
        dialect=options.dialect,
        clock=time.monotonic,
        headers=options.headers,
        derive_text=options.derive_text,
        links=links,
    )
    return WebView(pool, versions, Composer(versions.prepared, links=links))


@asynccontextmanager
async def _engagement(engagement: Engagement) -> AsyncIterator[None]:
    writing = asyncio.create_task(engagement.run())
    try:
        yield
    finally:
        engagement.close()
        await asyncio.wait([writing], timeout=_LAST_WRITE_SECONDS)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)


async def _close_at(stop: asyncio.Event, watch: MailWatch) -> None:
    try:
        await stop.wait()
    finally:
        await watch.close()


@asynccontextmanager
async def _pool(dsn: str, role: str, connections: int, settings: Mapping[str, str] = _INDEXED) -> AsyncIterator[Pool]:
    pool = await open_pool(dsn, max_size=connections, application_name=f"postroom {role}", settings=settings)
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(5):
                await pool.close()
        except TimeoutError:
            pool.terminate()


@asynccontextmanager
async def _background(coroutine: object) -> AsyncIterator[None]:
    assert asyncio.iscoroutine(coroutine)
    task: asyncio.Task[None] = asyncio.create_task(coroutine)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
