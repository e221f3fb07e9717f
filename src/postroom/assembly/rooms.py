"""What intake, content, events, privacy and the sandbox work by, read from the settings."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING

from postroom.settings import Settings
from postroom.settings.templates import TemplateSettings
from postroom.store.pool import Pool

if TYPE_CHECKING:
    from postroom.content.ampscript.dialect import Dialect
    from postroom.events.ens import EventsOptions
    from postroom.intake.ledger import Ledger
    from postroom.privacy.retention import Retention
    from postroom.sandbox.mailbox import Mailbox


def ledger_of(settings: Settings, pool: Pool) -> Ledger:
    """The part of the settings that messages are written down by."""
    from postroom.intake.ledger import Ledger

    return Ledger(pool, key_window=timedelta(hours=settings.key_window_hours), slice_size=settings.slice_size)


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


def mailbox_of(settings: Settings, pool: Pool) -> Mailbox:
    """The capture mailbox with the limits of the settings."""
    from postroom.sandbox.mailbox import Limits, Mailbox

    limits = Limits(
        messages=settings.sandbox_max_messages,
        bytes=settings.sandbox_max_bytes,
        message_bytes=settings.sandbox_max_message_bytes,
    )
    return Mailbox(pool, limits)
