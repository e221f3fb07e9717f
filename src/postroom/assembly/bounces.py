"""What bounces are taken and understood by, read from the settings."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from postroom.settings import Settings

if TYPE_CHECKING:
    import ssl

    from postroom.audience.soft_bounces import SoftBounceRule
    from postroom.bounces.verdict import Rules


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
