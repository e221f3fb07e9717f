"""What delivery works by, read from the settings."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from postroom.assembly.bounces import bounce_rules, soft_bounce_rule
from postroom.assembly.rooms import dialect_of
from postroom.settings import Settings, SettingsRejected, this_machine
from postroom.settings.option import parse_hosts
from postroom.settings.waits import parse_waits

if TYPE_CHECKING:
    from postroom.content.address import Address
    from postroom.content.link_tokens import LinkTokens
    from postroom.delivery.mail_links import MailLinks
    from postroom.delivery.routing.options import MxOptions
    from postroom.delivery.routing.table import RouteTable
    from postroom.delivery.smtp.target import SmtpTarget
    from postroom.delivery.tls_reporting.reporter import ReportingOptions
    from postroom.delivery.worker_options import WorkerOptions


def worker_options(settings: Settings, *, owner: str, replaces: str | None) -> WorkerOptions:
    """The part of the settings that delivery works by."""
    from postroom.delivery.fetch import FetchLimits, FetchOptions
    from postroom.delivery.mail_headers import MailHeaders
    from postroom.delivery.retry import RetrySchedule
    from postroom.delivery.signing.multibuffer import installed
    from postroom.delivery.versions import Sender
    from postroom.delivery.worker_options import WorkerOptions

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


def _route_table(settings: Settings) -> RouteTable | None:
    from postroom.delivery.routing.table_file import read_table

    if settings.delivery != "routes":
        return None
    assert settings.routes is not None
    return read_table(settings.routes.read_text(encoding="utf-8"))


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


def mail_links(settings: Settings, tokens: LinkTokens) -> MailLinks:
    """The part of the settings that the addresses in mails are made by."""
    from postroom.delivery.mail_links import MailLinks

    return MailLinks(
        tokens,
        tracking_url=settings.tracking_url,
        public_url=settings.public_url.rstrip("/"),
        always=settings.delivery == "sandbox",
    )


def own_host(settings: Settings) -> str:
    """The name by which this machine is known to others."""
    # A receiver wants a name it can look up: ours is the public one, when that is a name at all.
    host = urlsplit(settings.public_url).hostname or ""
    is_address = ":" in host or host.rpartition(".")[2].isdigit()
    return socket.gethostname() if is_address else host
