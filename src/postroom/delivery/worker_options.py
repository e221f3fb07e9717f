"""How one delivery worker works."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from postroom.audience.soft_bounces import SoftBounceRule
from postroom.bounces.verdict import Rules
from postroom.content.ampscript.dialect import Dialect
from postroom.delivery.fetch import FetchOptions
from postroom.delivery.mail_headers import NO_HEADERS, MailHeaders
from postroom.delivery.mail_links import MailLinks
from postroom.delivery.retry import RetrySchedule
from postroom.delivery.routing.options import MxOptions
from postroom.delivery.smtp.target import SmtpTarget
from postroom.delivery.versions import Sender


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How one worker works; durations as timedelta, sizes in messages unless named otherwise."""

    owner: str
    replaces: str | None
    target: SmtpTarget | MxOptions
    """The relay that takes all mail, or how the recipients' MX hosts are found."""
    connections: int
    """To the relay."""
    helo: str
    sender: Sender
    dialect: Dialect
    """How templates are read, and what one message's may use up."""
    lease: timedelta
    settle_interval: timedelta
    lane_messages: int
    slice_size: int
    schedule: RetrySchedule
    inactive_age: timedelta
    """How long messages wait for a definition that is not active."""
    signing_processes: int
    """How many mails are signed at the same time; no process runs before something is to be signed."""
    rules: Rules
    """What refusals mean."""
    signing_multibuffer: Path | None = None
    """The library that makes several RSA signatures at a time; None is one at a time."""
    soft: SoftBounceRule | None = None
    """When soft bounces suppress; None is never."""
    headers: MailHeaders = NO_HEADERS
    derive_text: bool = False
    """Whether mail whose author wrote HTML alone gets a text part."""
    links: MailLinks | None = None
    """The addresses that mails carry."""
    fetch: FetchOptions = field(default_factory=FetchOptions)
    """What templates may fetch by HTTP."""
