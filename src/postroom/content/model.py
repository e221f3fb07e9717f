"""The words this room speaks: what goes in (Content, Context) and what comes out (Mail, NotComposed).

A mail that cannot be built is an outcome, not an accident, so it is a value (NotComposed). Content that can
never be built is refused when it is compiled, with every problem found and its place (ContentRejected).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .links import Links

EXCLUDED = 102
MESSAGE_BUILD_ERROR = 103
RECURSIVE_SCRIPT = 104
INVALID_EMAIL_ADDRESS = 110
SCRIPT_RAISED = 111
EMPTY_HTTP_GET = 113
EMPTY_SUBJECT = 127
INVALID_CC_ADDRESS = 132
INVALID_BCC_ADDRESS = 133


@dataclass(frozen=True, slots=True)
class File:
    """One file of a mail; ``media_type`` is ``type/subtype`` without parameters. With a ``content_id`` (RFC 2392) it is
    shown within the HTML, which names it as ``cid:`` and the id; without one it is attached."""

    name: str
    media_type: str
    data: bytes
    content_id: str = ""


@dataclass(frozen=True)
class Content:
    """One immutable definition version, as its author wrote it: every field is a template.

    ``cc`` and ``bcc`` entries are addresses or ``%%Attribute%%``. At least one of ``html`` and ``text`` must be
    given. ``from_address`` may stay empty while content is only being checked; composing then fails with 103.
    """

    subject: str
    html: str | None
    text: str | None
    preheader: str = ""
    from_name: str = ""
    from_address: str = ""
    reply_to: str = ""
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    files: tuple[File, ...] = ()


@dataclass(slots=True)
class Context:
    """Everything that differs between two messages of one version.

    ``attributes`` (recipient merged over request), ``profile`` and ``system`` are keyed by folded names
    (``attributes.fold_name``); the first two hold JSON values, ``system`` holds text. ``accepted_at`` is aware
    UTC and dates the mail; ``message_id`` is the full id without angle brackets, the same on every attempt.

    ``headers`` are further header fields of this message alone (List-Unsubscribe and its like), as lines for the wire:
    each made by ``header.field``, so that none can end the header or pass for another. What all messages of a version
    have in common is given to ``compile_content`` instead.
    """

    address: str
    contact_key: str
    message_key: str
    attributes: Mapping[str, object]
    profile: Mapping[str, object]
    system: Mapping[str, str]
    accepted_at: datetime
    message_id: str
    headers: str = ""
    links: Links | None = None
    """The addresses of this message's pages and counted links, where it has any."""


@dataclass(slots=True)
class Mail:
    """One mail ready for SMTP: ``data`` is header, empty line and body, CRLF only, with no line that starts
    with a dot, so it needs no dot-stuffing. ``recipients`` are the envelope's, to first, each once; ``sender``
    and ``recipients`` are in wire form (A-label domains). ``smtputf8`` says that the peer must offer SMTPUTF8.
    ``body_form`` is the body in the relaxed form that is signed (RFC 6376 §3.4.4, but for empty lines at the end), or
    None where nothing was prepared for it; it may be the body itself.
    """

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    smtputf8: bool
    subject: str
    body_form: bytes | None = None


@dataclass(slots=True)
class NotComposed:
    """Why one message cannot be built; ``status_code`` is from contract §0.3, ``reason`` names part and name."""

    status_code: int
    reason: str
    keeps_writes: bool = False
    """Whether what its template wrote to data extensions is written all the same (RaiseError's last argument)."""


@dataclass(frozen=True)
class Problem:
    """One thing in a template that cannot be honoured, or, as a warning, that is likely to be a mistake.

    ``line`` and ``column`` count from 1, in characters; ``message`` says what is wrong, ``fix`` what to write
    instead, ``function`` which call it is about (empty outside of one). ``code`` is stable.
    """

    part: str
    line: int
    column: int
    code: str
    message: str
    fix: str = ""
    function: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.part} line {self.line} column {self.column}: {self.sentence} [{self.code}]"

    @property
    def sentence(self) -> str:
        """Message and fix in one."""
        return f"{self.message}; {self.fix}" if self.fix else self.message


class ContentRejected(Exception):
    """The content cannot be compiled; ``problems`` holds every error found, in reading order, and ``warnings`` what
    is doubtful besides."""

    def __init__(self, problems: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.problems = list(problems)
        self.warnings = list(warnings)
        super().__init__("; ".join(str(problem) for problem in self.problems))
