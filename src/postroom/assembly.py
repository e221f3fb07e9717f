"""The composition root: the one place where settings become running parts.

Each ``run_…`` is the whole life of one process, from connecting to a clean stop. Nothing is kept in this module,
so any number of servers can live side by side in one process.

Every function imports what it builds: a process loads its own rooms and no others, which is most of what starting one
costs.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import random
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from postroom.settings import Settings, SettingsRejected, this_machine
from postroom.settings.option import parse_hosts
from postroom.settings.templates import TemplateSettings
from postroom.settings.waits import parse_waits
from postroom.store.pool import Pool, open_pool

if TYPE_CHECKING:
    import ssl

    from litestar import Router

    from postroom.audience.soft_bounces import SoftBounceRule
    from postroom.bounces.verdict import Rules
    from postroom.content.address import Address
    from postroom.content.ampscript.dialect import Dialect
    from postroom.content.link_tokens import LinkTokens
    from postroom.delivery.mail_links import MailLinks
    from postroom.delivery.routing.options import MxOptions
    from postroom.delivery.routing.table import RouteTable
    from postroom.delivery.smtp.target import SmtpTarget
    from postroom.delivery.tls_reporting.reporter import ReportingOptions
    from postroom.delivery.web_view import WebView
    from postroom.delivery.worker import WorkerOptions
    from postroom.events.engagement import Engagement
    from postroom.events.ens import EventsOptions
    from postroom.intake.ledger import Ledger
    from postroom.privacy.retention import Retention
    from postroom.sandbox.mailbox import Mailbox
    from postroom.sandbox.watch import MailWatch
    from postroom.tenancy.accounts import SandboxClient

_API_CONNECTIONS = 8
_DELIVERY_CONNECTIONS = 6
_MAILBOX_CONNECTIONS = 4
_EVENTS_CONNECTIONS = 4
_LAST_WRITE_SECONDS = 2.0
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
    from postroom.sandbox.routes import sandbox_router
    from postroom.sandbox.watch import MailWatch
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
        if settings.delivery == "sandbox":
            mailbox = _mailbox(settings, pool)
            watch = MailWatch(mailbox)
            # Clients that wait for a mail are answered when the stop begins, not when they would hold it up.
            await running.enter_async_context(_background(_close_at(stop, watch)))
            extra.append(
                sandbox_router(
                    mailbox, watch, own_hosts=_own_hosts(settings), smtp_address=str(settings.sandbox_smtp_address)
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
            extra_routes=extra,
            delivery_routes=route_names(settings),
        )
        address = settings.http_address
        await serve_http(app, address.host, address.port, listen_fd, stop)


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
    from postroom.sandbox.smtp_server import run_mailbox as serve_mailbox

    async with _pool(dsn, "mailbox", _MAILBOX_CONNECTIONS) as pool:
        address = settings.sandbox_smtp_address
        await serve_mailbox(address.host, address.port, _mailbox(settings, pool), stop)


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


def ledger_of(settings: Settings, pool: Pool) -> Ledger:
    """The part of the settings that messages are written down by."""
    from postroom.intake.ledger import Ledger

    return Ledger(pool, key_window=timedelta(hours=settings.key_window_hours), slice_size=settings.slice_size)


def worker_options(settings: Settings, *, owner: str, replaces: str | None) -> WorkerOptions:
    """The part of the settings that delivery works by."""
    from postroom.delivery.fetch import FetchLimits, FetchOptions
    from postroom.delivery.mail_headers import MailHeaders
    from postroom.delivery.retry import RetrySchedule
    from postroom.delivery.signing.multibuffer import installed
    from postroom.delivery.versions import Sender
    from postroom.delivery.worker import WorkerOptions

    return WorkerOptions(
        owner=owner,
        replaces=replaces,
        target=_target(settings),
        connections=settings.relay_connections,
        helo=own_host(settings),
        sender=Sender(settings.from_name, settings.from_address),
        dialect=dialect_of(settings),
        lease=timedelta(seconds=settings.lease_seconds),
        settle_interval=timedelta(milliseconds=settings.settle_milliseconds),
        lane_messages=settings.claim_messages,
        slice_size=settings.slice_size,
        schedule=RetrySchedule(
            waits=parse_waits(settings.retry_schedule),
            max_age=timedelta(hours=settings.retry_max_hours),
        ),
        inactive_age=timedelta(hours=settings.queue_hours),
        # Together the delivery processes may sign on every core.
        signing_processes=-(-this_machine().cores // settings.delivery_processes),
        signing_multibuffer=None if settings.signing_multibuffer == "off" else installed(),
        rules=bounce_rules(settings),
        soft=soft_bounce_rule(settings),
        headers=MailHeaders(
            feedback_sender="" if settings.feedback_id == "none" else settings.feedback_id,
            auto_submitted=settings.auto_submitted != "none",
        ),
        derive_text=settings.text_part == "derive",
        fetch=FetchOptions(
            hosts=parse_hosts(settings.template_http_hosts),
            private=settings.template_http_private == "yes",
            limits=FetchLimits(seconds=settings.template_http_seconds, body=settings.template_http_bytes),
        ),
    )


def bounce_rules(settings: Settings) -> Rules:
    """What refusals mean. Raises RulesRejected, and OSError for its file."""
    from postroom.bounces.verdict import read_rules

    text = None if settings.bounce_rules is None else settings.bounce_rules.read_text(encoding="utf-8")
    return read_rules(text, source=str(settings.bounce_rules))


def soft_bounce_rule(settings: Settings) -> SoftBounceRule | None:
    """When soft bounces suppress an address; None when they never do."""
    from postroom.audience.soft_bounces import SoftBounceRule

    if not settings.soft_bounces:
        return None
    return SoftBounceRule(settings.soft_bounces, timedelta(days=settings.soft_bounce_days))


def bounce_tls(settings: Settings) -> ssl.SSLContext | None:
    """What STARTTLS is answered with where bounces come in. Raises OSError for files that can't be used."""
    import ssl

    if settings.bounce_tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.bounce_tls_certificate, settings.bounce_tls_key)
    return context


def mail_links(settings: Settings, tokens: LinkTokens) -> MailLinks:
    """The part of the settings that the addresses in mails are made by."""
    from postroom.delivery.mail_links import MailLinks

    return MailLinks(
        tokens,
        tracking_url=settings.tracking_url,
        public_url=settings.public_url.rstrip("/"),
        always=settings.delivery == "sandbox",
    )


def dialect_of(settings: TemplateSettings) -> Dialect:
    """How templates are read: the settings whose names begin with ``template_``, and ``missing_name``."""
    from postroom.content.ampscript.dialect import Dialect, Limits

    limits = {field.name: getattr(settings, f"template_{field.name}") for field in dataclasses.fields(Limits)}
    points = {
        field.name: getattr(settings, f"template_{field.name}") == "yes"
        for field in dataclasses.fields(Dialect)
        if field.name not in {"missing_name", "limits"}
    }
    return Dialect(missing_name=settings.missing_name, limits=Limits(**limits), **points)


def retention_of(settings: Settings) -> Retention:
    """The part of the settings that forgetting works by."""
    from postroom.privacy.retention import Retention

    return Retention(
        messages=timedelta(days=settings.retention_days),
        events=timedelta(days=settings.retention_event_days),
        engagement=timedelta(days=settings.retention_engagement_days),
        captured=timedelta(days=settings.retention_captured_days),
        suppressions=timedelta(days=settings.retention_suppression_days),
    )


def events_options(settings: Settings, *, owner: str, replaces: str | None) -> EventsOptions:
    """The part of the settings that webhooks work by."""
    from postroom.events.ens import EventsOptions
    from postroom.events.patience import Patience
    from postroom.events.sender import SendingRules

    return EventsOptions(
        owner=owner,
        replaces=replaces,
        rules=SendingRules(
            private=bool(settings.ens_allow_private),
            reading="base64" if settings.ens_signature_key == "base64" else "text",
            seconds=settings.ens_timeout_seconds,
            patience=Patience(
                longest=timedelta(seconds=settings.ens_longest_wait_seconds),
                days=timedelta(days=settings.ens_retry_days),
            ),
        ),
    )


def _target(settings: Settings) -> SmtpTarget | MxOptions:
    from postroom.delivery.smtp.target import SmtpTarget, TlsMode, parse_relay_url

    if settings.delivery in ("mx", "routes"):
        return mx_options(settings)
    if settings.delivery == "sandbox":
        address = settings.sandbox_smtp_address
        return SmtpTarget(address.host, address.port, TlsMode.OFF)
    assert settings.relay is not None
    return parse_relay_url(settings.relay)


def mx_options(settings: Settings) -> MxOptions:
    """The part of the settings that delivery by routes works by.

    Raises ShapingRejected and TableRejected, and OSError for their files.
    """
    from postroom.delivery.routing.options import MxOptions
    from postroom.delivery.routing.shaping import read_shaping
    from postroom.delivery.routing.table import single_route
    from postroom.delivery.routing.tls_rule import RuleKind

    shaping = None if settings.shaping is None else settings.shaping.read_text(encoding="utf-8")
    return MxOptions(
        dns_servers=tuple((address.host, address.port) for address in settings.dns_server_addresses),
        port=settings.mx_port,
        allow_private=settings.mx_private_addresses == "allow",
        tls=RuleKind(settings.mx_tls),
        sts=settings.mta_sts == "on",
        dane={"auto": None, "on": True, "off": False}[settings.dane],
        shaping=read_shaping(shaping, source=str(settings.shaping)),
        table=_route_table(settings) or single_route(),
    )


def report_sender(settings: Settings) -> Address | None:
    """Who reports TLS to recipients' domains; None when nobody does. Raises SettingsRejected."""
    from postroom.content.address import parse_address

    if settings.tls_reports == "off" or settings.tls_report_from is None:
        return None
    sender = parse_address(settings.tls_report_from)
    if sender is None or sender.smtputf8:
        raise SettingsRejected(
            [
                f"option POSTROOM_TLS_REPORT_FROM={settings.tls_report_from}: it is no address that every mail system "
                "takes; write tls-reports@example.com"
            ]
        )
    return sender


def reporting_options(settings: Settings) -> ReportingOptions | None:
    """The part of the settings that reports of TLS are sent by; None when they are not. Raises as `report_sender` and
    `mx_options`."""
    from postroom.delivery.tls_reporting.reporter import ReportingOptions

    sender = report_sender(settings)
    if sender is None:
        return None
    return ReportingOptions(
        sender=sender,
        organization=settings.tls_report_organization or sender.domain,
        contact=settings.tls_report_contact or sender.wire,
        helo=own_host(settings),
        mx=mx_options(settings),
    )


def route_names(settings: Settings) -> frozenset[str] | None:
    """The routes that definitions may name; None when there is no table. Raises as `mx_options`."""
    table = _route_table(settings)
    return None if table is None else frozenset(table.routes)


def check_sources(settings: Settings) -> None:
    """Raises SettingsRejected when this machine has no address of a source pool."""
    from postroom.delivery.routing.sources import SourceUnusable, check_source, has_address

    table = _route_table(settings)
    if table is None:
        return
    for source in table.sources.values():
        try:
            check_source(source, has_address)
        except SourceUnusable as wrong:
            raise SettingsRejected([f"option POSTROOM_ROUTES={settings.routes}: {wrong}"]) from None


def _route_table(settings: Settings) -> RouteTable | None:
    from postroom.delivery.routing.table_file import read_table

    if settings.delivery != "routes":
        return None
    assert settings.routes is not None
    return read_table(settings.routes.read_text(encoding="utf-8"))


def _mailbox(settings: Settings, pool: Pool) -> Mailbox:
    from postroom.sandbox.mailbox import Limits, Mailbox

    limits = Limits(
        messages=settings.sandbox_max_messages,
        bytes=settings.sandbox_max_bytes,
        message_bytes=settings.sandbox_max_message_bytes,
    )
    return Mailbox(pool, limits)


def _own_hosts(settings: Settings) -> frozenset[str]:
    host = urlsplit(settings.public_url).hostname
    return frozenset({host} if host else ())


def own_host(settings: Settings) -> str:
    """The name by which this machine is known to others."""
    # A receiver wants a name it can look up: ours is the public one, when that is a name at all.
    host = urlsplit(settings.public_url).hostname or ""
    is_address = ":" in host or host.rpartition(".")[2].isdigit()
    return socket.gethostname() if is_address else host


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
