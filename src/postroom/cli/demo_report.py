"""What `postroom demo` shows: steps, progress, the figures, one of the mails, and what to type next.

A terminal gets a progress bar and colours; anything else gets plain lines.
"""

import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from pathlib import Path
from typing import Protocol

from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from postroom.cli.demo_check import Verdict, body_text, header_text
from postroom.cli.private_server import Access

_HEADERS = ("Date", "From", "To", "Subject", "Message-ID", "Content-Type")
_MOST_SHOWN = 10


@dataclass(frozen=True)
class Figures:
    """What was measured. Times are seconds from the beginning of the POST.

    `settled` is when the last message got its final status, by that status's own timestamp; `known` is when every
    status had been asked for and answered.
    """

    asked: int
    sent: int
    not_sent: Counter[str]
    answered: float
    settled: float
    known: float
    values: int


class Meter(Protocol):
    """Counts what is done."""

    def __call__(self, done: int) -> None: ...


class Report:
    """Writes to one console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begin(self, sentence: str) -> None:
        """Say what is being done now."""
        self._console.print(Text.assemble(("  · ", "dim"), sentence), soft_wrap=True)

    def step(self, sentence: str) -> None:
        """Say what was done."""
        self._console.print(Text.assemble(("  ✓ ", "green"), sentence), soft_wrap=True)

    def problem(self, sentence: str) -> None:
        """Say what went wrong."""
        self._console.print(Text.assemble(("  ✗ ", "bold red"), sentence), soft_wrap=True)

    @contextmanager
    def meter(self, what: str, total: int) -> Iterator[Meter]:
        """Show how far something is: a bar, or a line at every quarter."""
        if not self._console.is_terminal:
            quarters = iter([*(total * part // 4 for part in (1, 2, 3)), total])
            lines = _Quarters(next(quarters), quarters, lambda done: self.step(f"{what}: {done} of {total}"))
            yield lines
            return
        columns = TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(what, total=total)
            yield lambda done: progress.update(task, completed=done)
        self.step(f"{what}: {total} of {total}")

    def figures(self, figures: Figures, verdict: Verdict) -> None:
        """The table."""
        rows = [
            ("accepted", f"{verdict.accepted}"),
            ("sent", f"{figures.sent}"),
            ("not sent", f"{sum(figures.not_sent.values())}"),
            ("mails with every value right", f"{verdict.delivered}"),
            ("values compared", f"{figures.values:,}"),
            ("seconds until the POST was answered", f"{figures.answered:.2f}"),
            ("seconds from POST to last final status", f"{figures.settled:.2f}"),
            ("messages a second", f"{verdict.accepted / figures.settled:,.0f}"),
            ("seconds until all statuses were read", f"{figures.known:.2f}"),
        ]
        table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 3, 0, 2))
        table.add_column()
        table.add_column(justify="right", style="bold")
        for row in rows:
            table.add_row(*row)
        self._console.print()
        self._console.print(table)

    def findings(self, figures: Figures, verdict: Verdict) -> None:
        """Say plainly what differs; nothing when all is well."""
        if verdict.accepted != figures.asked:
            self.problem(f"{figures.asked - verdict.accepted} of {figures.asked} recipients were not accepted")
        for reason, count in figures.not_sent.most_common(_MOST_SHOWN):
            self.problem(f"{count} not sent: {reason}")
        sentences = [
            *(f"lost: no mail for {address}" for address in verdict.lost),
            *(f"twice: more than one mail for {address}" for address in verdict.twice),
            *verdict.differences,
        ]
        for sentence in sentences[:_MOST_SHOWN]:
            self.problem(sentence)
        if len(sentences) > _MOST_SHOWN:
            self.problem(f"and {len(sentences) - _MOST_SHOWN} more")

    def mail(self, number: int, raw: bytes) -> None:
        """One mail as its reader sees it: header fields and the text part."""
        mail = BytesParser(policy=compat32).parsebytes(raw)
        header = Text("\n").join(_field(mail, name) for name in _HEADERS if header_text(mail, name))
        parts = ", ".join(part.get_content_type() for part in mail.walk() if not part.is_multipart())
        content = Group(header, Text(), Text((body_text(mail, "text/plain") or "").rstrip()))
        self._console.print()
        self._console.print(
            Panel(
                content,
                title=Text(f"mail {number}, as it arrived"),
                subtitle=Text(f"{len(raw):,} bytes: {parts}"),
                title_align="left",
                subtitle_align="right",
                border_style="dim",
            )
        )

    def running(self, access: Access) -> None:
        """Where the server is that goes on running."""
        self._console.print()
        for name, value in (
            ("API", access.api),
            ("mailbox", access.mailbox),
            ("SMTP", access.smtp),
            ("client_id", access.client_id),
            ("client_secret", access.client_secret),
            ("account_id", access.account_id),
        ):
            if value:
                self._console.print(Text(f"  {name:14} {value}"), soft_wrap=True)
        self._console.print(
            "\n  The server goes on running. Ctrl-C stops it and removes what it stored.", soft_wrap=True
        )

    def next_steps(self) -> None:
        """What to type now."""
        self._console.print()
        self._console.print("Next, a server that stays:")
        self._console.print(Text(f"\n  {program_name()} serve\n", style="bold"), soft_wrap=True)
        self._console.print("It prints credentials and the call for a token. In another terminal, watch its mailbox:")
        self._console.print(
            Text("\n  curl 'http://127.0.0.1:8025/sandbox/wait?timeout=60'\n", style="bold"), soft_wrap=True
        )
        self._console.print("README.md goes on from there: asset, definition, send and status by hand.\n")

    def last_line(self, verdict: Verdict) -> None:
        """The result, as a line that programs can read."""
        self._console.print(result_line(verdict), highlight=False, soft_wrap=True)


def result_line(verdict: Verdict) -> str:
    """`demo: 2000 accepted, 2000 delivered, 0 lost, 0 twice`, with what was counted."""
    return (
        f"demo: {verdict.accepted} accepted, {verdict.delivered} delivered, {len(verdict.lost)} lost, "
        f"{len(verdict.twice)} twice"
    )


def program_name() -> str:
    """How this program is called from here: its plain name where the shell finds it, else the way to it."""
    if shutil.which("postroom"):
        return "postroom"
    program = Path(sys.executable).with_name("postroom")
    if program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    return shlex.quote(str(program))


class _Quarters:
    """Calls `say` when the next quarter is reached."""

    def __init__(self, first: int, others: Iterator[int], say: "Meter") -> None:
        self._next: int | None = first
        self._others = others
        self._say = say

    def __call__(self, done: int) -> None:
        reached = None
        while self._next is not None and done >= self._next:
            reached = self._next
            self._next = next(self._others, None)
        if reached is not None:
            self._say(reached)


def _field(mail: Message, name: str) -> Text:
    return Text.assemble((f"{name}: ", "bold"), header_text(mail, name))
